//! Who plays which part at the moment, for those who look on: each peer's state, and the door to what it
//! sees.

use crate::{
    control::{
        self,
        roll::{PeerNumber, Roll},
    },
    driver::{Clock, PeerHandle},
    service::Service,
};
use axum::Router;
use hamlet_overlay::{genesis::Network, identity::PeerId};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock, RwLockReadGuard},
};
use tokio::sync::{oneshot, watch};

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It publishes.
    Source,
    /// It gives what it owes.
    Honest,
    /// It takes and never gives.
    Silent,
    /// It was killed.
    Dead,
}

/// What a person can do to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It gives nothing from now on.
    Silence,
    /// It gives what it owes again.
    Speak,
    /// It ends at once, without a word.
    Kill,
    /// It starts anew, with its key and in its place.
    Revive,
}

/// Something that a person wants done, and where to say how it went.
pub struct Order {
    /// To whom.
    pub peer: PeerNumber,
    /// What.
    pub act: Act,
    /// Why it was not done, if it was not.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// A peer's seat.
#[derive(Clone)]
pub struct Seat {
    /// What it is.
    pub state: State,
    /// What runs there, unless it is dead.
    pub player: Option<Running>,
}

/// A peer that runs.
#[derive(Clone)]
pub struct Running {
    /// What it serves.
    pub service: Arc<Service>,
    /// The same over HTTP.
    pub routes: Router,
    /// The URL under which the routes are found.
    pub base: String,
    /// How many peers were seated before it: one that was brought back is another one.
    pub serial: u64,
}

/// All peers of a demonstration, as they are now.
pub struct Cast {
    roll: Arc<Roll>,
    clock: Clock,
    base: String,
    seats: RwLock<BTreeMap<PeerNumber, Seat>>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

impl Cast {
    /// Nobody yet, of a network that is found under the URL `base`.
    pub fn new(network: Arc<Network>, clock: Clock, base: String) -> Cast {
        Cast {
            roll: Arc::new(Roll::new(network)),
            clock,
            base,
            seats: RwLock::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The network.
    pub fn network(&self) -> &Arc<Network> {
        self.roll.network()
    }

    /// The numbers of its peers.
    pub fn roll(&self) -> &Arc<Roll> {
        &self.roll
    }

    /// The clock of all peers.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The number of a peer, who gets one if it has none.
    pub fn number(&self, peer: PeerId) -> PeerNumber {
        self.roll.meet([peer]);
        self.roll.number(peer).unwrap_or_default()
    }

    /// Gives a running peer its seat.
    pub fn seat(&self, handle: &PeerHandle, state: State) {
        let number = self.number(handle.id());
        let base = format!("{}/peers/{number}", self.base);
        let (network, handle) = (self.network().clone(), handle.clone());
        let service = Arc::new(Service::new(network, handle, Registry::default(), None));
        let running = Running {
            routes: control::routes(service.clone(), base.clone(), None),
            service,
            base,
            serial: *self.changes.borrow(),
        };
        let player = Some(running);
        self.change(|seats| drop(seats.insert(number, Seat { state, player })));
    }

    /// A peer is something else from now on.
    pub fn turn(&self, peer: PeerNumber, state: State) {
        self.change(|seats| {
            if let Some(seat) = seats.get_mut(&peer) {
                seat.state = state;
                if state == State::Dead {
                    seat.player = None;
                }
            }
        });
    }

    /// A peer has been gone for so long that nobody looks at it any more.
    pub fn clear(&self, peer: PeerNumber) {
        self.change(|seats| drop(seats.remove(&peer)));
    }

    /// All seats.
    pub fn seats(&self) -> BTreeMap<PeerNumber, Seat> {
        self.read().clone()
    }

    /// What runs in a seat.
    pub fn running(&self, peer: PeerNumber) -> Option<Running> {
        self.read().get(&peer)?.player.clone()
    }

    /// Told of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<PeerNumber, Seat>)) {
        // Nothing that holds the lock can leave the seats half changed.
        let mut seats = self
            .seats
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        change(&mut seats);
        self.changes.send_modify(|count| *count += 1);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<PeerNumber, Seat>> {
        self.seats
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}
