//! What a cluster agrees on: the replicated state, a pure function of the founding and of the log.
//!
//! * **A2** Members order signed [sayings](Saying), each bound to cluster and epoch, and the progress of neighbouring
//!   clusters, which proves itself.
//! * **A3** A [motion](super::order::Motion) that `f + 1` members' operators want is carried out with the next epoch
//!   ([`membership`]).
//! * **A4** `f + 1` members who find that the epoch lasted long enough end it. The next one governs the segments from the
//!   newest on that any of them has heard of, which its source signed, and a lead ([`membership`]).
//! * **A5** Of each neighbouring cluster the newest epoch is known that followed from the one before ([`neighbour`]).
//! * **W1–W3** Walks start here, pass through and end here ([`walking`], [`arriving`]).
//! * **W4** A member has its place for the time of a lease ([`leases`]).
//! * **V2** Whom evidence proves guilty is put out, and has no place for a term ([`bars`]).
//! * **W12** A cluster that grows too large splits ([`splitting`]).
//! * **W8** Members of whom too many hear nothing are put out ([`silence`]).
//! * **W11** Members that give most of the others too little of what they owe are put out ([`giving`]).
//! * **A8** The value that deals the next epoch's slots is shared out and fixed before anybody knows it ([`beacon`]).

mod arriving;
mod bars;
mod beacon;
mod giving;
mod leases;
mod membership;
mod neighbour;
mod silence;
mod splitting;
mod walking;

pub use bars::{Bar, MAX_BARS};
pub(crate) use giving::gives_too_little;
pub use membership::Context;
pub use neighbour::Neighbour;

use super::{
    entry::{Act, Answer, Entry, Void},
    order::{Nonce, Order, Said, Saying},
};
use crate::{
    genesis::{Network, Parameters, Publisher},
    hash::{Domain, Hash},
    identity::{PeerId, Verifier},
    membership::{admission::Admitted, lineage},
    view::{Cluster, First},
    wire,
};
use bars::Bars;
use beacon::Drawing;
use giving::Giving;
use hamlet_consensus::{
    Application, Epoch, Terms,
    application::BadSnapshot,
    beacon::Key,
    epoch::{Charter, Height},
};
use leases::Leases;
use membership::Moved;
use serde::{Deserialize, Serialize};
use silence::Silence;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use walking::Walks;

/// The most entries of the log that the state remembers; older ones are forgotten by all members alike.
pub const MAX_ENTRIES: usize = 256;

/// The state that all members of a cluster hold alike.
#[derive(Clone)]
pub struct ClusterState {
    ground: Arc<Ground>,
    shared: Shared,
}

/// What does not change.
pub(super) struct Ground {
    pub network: Hash,
    pub verifier: Arc<dyn Verifier>,
    pub parameters: Parameters,
    pub publishers: Vec<Publisher>,
    pub admitted: Arc<Admitted>,
    /// How many clusters there were at the founding.
    pub clusters: usize,
}

/// The part of it that travels in snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Shared {
    /// The number of the cluster, and of its epoch.
    cluster: u64,
    epoch: u64,
    /// How often the cluster has split, and what it split from before it began.
    generation: u8,
    /// Whether somebody found no room.
    crowded: bool,
    members: Vec<PeerId>,
    beacon: Hash,
    /// Where members can be reached that are no founders.
    cards: BTreeMap<PeerId, super::card::Card>,
    /// What is wanted by too few.
    motions: Vec<Moved>,
    /// What is carried out with the next epoch: whom it adds, and whom it removes.
    joining: BTreeMap<PeerId, super::card::Card>,
    leaving: BTreeSet<PeerId>,
    /// Members that lost what they had stored.
    lost: BTreeMap<PeerId, Nonce>,
    /// The keys for beacons that members have shown.
    keys: BTreeMap<PeerId, Key>,
    /// What deals the next epoch's slots, in the making.
    drawing: Option<Drawing>,
    /// Who finds that the epoch lasted long enough.
    turns: BTreeSet<PeerId>,
    /// The newest segments that its members had heard of when they found so.
    heads: First,
    neighbours: Vec<Neighbour>,
    walks: Walks,
    leases: Leases,
    silence: Silence,
    giving: Giving,
    bars: Bars,
    /// The number of the next entry.
    next: u64,
    /// The newest entries.
    entries: VecDeque<Entry>,
}

impl ClusterState {
    /// The state of a cluster at the founding.
    pub fn founding(
        network: &Network,
        cluster: &Cluster,
        verifier: Arc<dyn Verifier>,
    ) -> ClusterState {
        let number = cluster.id as usize;
        let ground = Arc::new(Ground {
            network: network.id(),
            verifier,
            parameters: *network.parameters(),
            publishers: network.genesis().publishers.clone(),
            admitted: network.admitted().clone(),
            clusters: network.clusters().len(),
        });
        let neighbours = network.neighbours(number).into_iter();
        ClusterState {
            shared: Shared {
                cluster: cluster.id,
                epoch: 0,
                generation: 0,
                crowded: false,
                members: cluster.members().to_vec(),
                beacon: cluster.beacon,
                cards: BTreeMap::new(),
                motions: Vec::new(),
                joining: BTreeMap::new(),
                leaving: BTreeSet::new(),
                lost: BTreeMap::new(),
                keys: BTreeMap::new(),
                drawing: None,
                turns: BTreeSet::new(),
                heads: First::new(),
                neighbours: neighbours
                    .map(|cluster| Neighbour::founding(&ground, cluster))
                    .collect(),
                walks: Walks::new(network.places(number)),
                leases: Leases::default(),
                silence: Silence::default(),
                giving: Giving::default(),
                bars: Bars::default(),
                next: 0,
                entries: VecDeque::new(),
            },
            ground,
        }
    }

    /// The number of the epoch that this state belongs to.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// How many clusters there are, as far as this one can tell from how often it has split.
    pub fn clusters(&self) -> u64 {
        lineage::count(self.ground.clusters, self.shared.generation)
    }

    /// The members, in the order of their keys.
    pub fn members(&self) -> &[PeerId] {
        &self.shared.members
    }

    /// The newest entries of the log, the oldest of them first: at most [`MAX_ENTRIES`].
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.shared.entries.iter()
    }

    /// The clusters next to this one on the cycles, in the order of their numbers.
    pub fn neighbours(&self) -> &[Neighbour] {
        &self.shared.neighbours
    }

    /// The cards of members, of those to come, and of the neighbours' members; of founders there are none.
    pub fn cards(&self) -> impl Iterator<Item = &super::card::Card> {
        let Shared {
            cards,
            joining,
            neighbours,
            ..
        } = &self.shared;
        let around = neighbours.iter().flat_map(Neighbour::cards);
        cards.values().chain(joining.values()).chain(around)
    }

    /// The entry of a number, if it is remembered.
    pub(super) fn entry(&self, number: u64) -> Option<&Entry> {
        let first = self.shared.entries.front()?.number;
        self.shared.entries.get(number.checked_sub(first)? as usize)
    }

    fn enter(&mut self, height: Height, act: Act) -> Answer {
        let number = self.shared.next;
        self.shared.next += 1;
        if self.shared.entries.len() == MAX_ENTRIES {
            self.shared.entries.pop_front();
        }
        self.shared.entries.push_back(Entry {
            number,
            height,
            act,
        });
        Answer::Entered(number)
    }

    fn carry_out(&mut self, height: Height, order: Order) -> Result<Answer, Void> {
        match order {
            Order::Said(said) => self.hear(height, *said),
            Order::Neighbour(progress) => self.follow(height, &progress),
            Order::Ask(ask) => self.ask(height, *ask),
            Order::Walks(batch) => self.take_walks(height, *batch),
            Order::Claim(claim) => self.claim(height, &claim),
            Order::Evidence(evidence) => self.convict(height, &evidence),
        }
    }

    /// A2.
    fn hear(&mut self, height: Height, said: Said) -> Result<Answer, Void> {
        let Shared { cluster, epoch, .. } = self.shared;
        if self.shared.members.binary_search(&said.by).is_err() {
            return Err(Void::Stranger);
        }
        let of_one = matches!(
            said.saying,
            Saying::Turn { .. } | Saying::Beacon(_) | Saying::Given(_)
        );
        if said.epoch != epoch && (of_one || said.epoch.checked_add(1) != Some(epoch)) {
            return Err(Void::Stale);
        }
        if !said.is_signed(self.ground.network, cluster, &*self.ground.verifier) {
            return Err(Void::Stranger);
        }
        let by = said.by;
        match said.saying {
            Saying::Note {
                text,
                written_unix_ms,
            } => match text.len() {
                1..=super::order::MAX_NOTE_BYTES => Ok(self.enter(
                    height,
                    Act::Note {
                        by,
                        text,
                        written_unix_ms,
                    },
                )),
                _ => Err(Void::TooLong),
            },
            Saying::Wants(motion) => self.move_for(height, by, motion),
            Saying::Turn { heads, unix_ms } => self.turn(by, &heads, unix_ms),
            Saying::Leave => self.leave(height, by),
            Saying::Silent(silent) => self.hear_of_silence(height, by, silent),
            Saying::Given(given) => self.hear_of_giving(height, by, &given),
            Saying::Key(shown) => self.register(by, &shown),
            Saying::Beacon(contribution) => self.contribute(by, &contribution),
            Saying::Lost { nonce } => {
                let known = self.shared.lost.insert(by, nonce) == Some(nonce);
                match known {
                    true => Err(Void::Already),
                    false => Ok(self.enter(height, Act::Lost { by })),
                }
            }
        }
    }
}

impl Application for ClusterState {
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8> {
        let order: Result<Order, _> = hamlet_consensus::wire::decode(command);
        let Ok(order) = order else {
            return Answer::Void(Hash::default(), Void::Nonsense).encode();
        };
        let name = order.id();
        let answer = self.carry_out(height, order);
        answer
            .unwrap_or_else(|why| Answer::Void(name, why))
            .encode()
    }

    fn snapshot(&self) -> Vec<u8> {
        wire::encode(&self.shared)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.shared = hamlet_consensus::wire::decode(snapshot).map_err(|_| BadSnapshot)?;
        Ok(())
    }

    fn successors(&self) -> Vec<Charter> {
        match self.is_over() {
            true => self.next_charters(),
            false => Vec::new(),
        }
    }

    fn begin(&mut self, epoch: &Epoch) {
        self.begin_epoch(epoch);
    }
}

/// The name of a cluster in the engine.
pub(crate) fn name_of(network: Hash, cluster: u64) -> Hash {
    Domain::Cluster.hash(&[&network.0, &cluster.to_le_bytes()])
}

/// The number of the cluster that a charter is of, if it names the right one.
pub(crate) fn number_of(network: Hash, charter: &Charter) -> Option<u64> {
    let number = Context::of(charter)?.cluster;
    (name_of(network, number) == charter.cluster).then_some(number)
}

/// What members of a cluster agree on beforehand.
pub(super) fn terms(parameters: &Parameters) -> Terms {
    Terms {
        model: parameters.fault_model,
        ..Terms::default()
    }
}

/// A cluster's first epoch in the engine: its founders in the order of their keys, and its beacon.
pub(super) fn founding_charter(
    network: Hash,
    parameters: &Parameters,
    cluster: &Cluster,
) -> Charter {
    let context = Context {
        cluster: cluster.id,
        beacon: cluster.beacon,
        first: First::new(),
        back: Vec::new(),
        walks: Vec::new(),
        unix_ms: 0,
        split: None,
    };
    Charter {
        cluster: name_of(network, cluster.id),
        number: 0,
        terms: terms(parameters),
        members: cluster.members().to_vec(),
        context: wire::encode(&context).into(),
    }
}

#[cfg(test)]
mod tests;
