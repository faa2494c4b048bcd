//! Runs a [`Peer`](hamlet_overlay::peer::Peer) over a transport.
//!
//! One task owns the peer: it feeds it frames, wake-ups and requests with the time of a monotonic clock,
//! and does what it asks for. It never waits for the network or for a reader: sending only queues, and
//! readers of segments and events that fall behind miss some.

mod config;
mod handle;
pub mod passage;
mod run;

pub use config::{DriverConfig, Fault, StartError};
pub use handle::{AgreementStatus, LinkStatus, PeerHandle, PeerStatus, PublishError, Stopped};

use crate::{
    agreement::{Journal, Worker},
    transport::swarm::Swarm,
};
use hamlet_consensus::storage::Storage;
use hamlet_overlay::{
    agreement,
    identity::{Ed25519Signer, Ed25519Verifier, Signer},
    peer::{Peer, Setup},
    time::Time,
    view::View,
    work::Compute,
};
use std::{path::Path, sync::Arc, time::Instant};

/// A monotonic clock that counts from an origin which several peers may share.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock {
            origin: Instant::now(),
        }
    }

    /// The time since the origin.
    pub fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// The instant at which this clock shows `time`; never further away than a day, so that it can
    /// always be slept for.
    fn instant(&self, time: Time) -> Instant {
        const FAR: std::time::Duration = std::time::Duration::from_secs(86_400);
        Instant::now() + time.since(self.now()).min(FAR)
    }
}

/// Starts a peer of a network: opens its sockets and begins to connect with its neighbours.
///
/// # Errors
/// If the key is not a founder's, an address cannot be listened on, or the system allows too few files.
pub async fn start(config: DriverConfig) -> Result<PeerHandle, StartError> {
    let signer = Ed25519Signer::from_secret(&config.secret);
    let me = signer.id();
    let view = View::founding(&config.network, me).ok_or(StartError::NotAFounder {
        peer: me,
        network: config.network.id(),
    })?;
    let transport = Swarm::start(config.swarm(me)).await?;
    let clock = config.clock;
    let listening = transport.listening().to_vec();
    let mut peer = Peer::new(
        clock.now(),
        Setup {
            view,
            signer: Box::new(signer),
            verifier: Arc::new(Ed25519Verifier),
            work: Arc::new(Compute),
            publish_from: config.publish_from,
        },
    );
    let worker = match &config.journal {
        Some(path) => Some(agree(&mut peer, path)?),
        None => None,
    };
    Ok(run::spawn(run::Parts {
        me,
        peer,
        worker,
        transport,
        clock,
        fault: config.fault,
        listening,
    }))
}

/// Has a peer take part in its cluster's agreement, with what it recorded before.
fn agree(peer: &mut Peer, path: &Path) -> Result<Worker, StartError> {
    let mut journal = Journal::open(path)?;
    let start = agreement::Start {
        settings: hamlet_consensus::Settings::default(),
        records: journal.load()?,
    };
    peer.agree(&start).map_err(|error| journal.explain(error))?;
    Worker::start(journal).map_err(StartError::Thread)
}
