//! W1 to W3: walks that start here, pass through, and come to their end.

use super::{ClusterState, arriving::Offer};
use crate::{
    agreement::{
        entry::{Act, Answer, Void},
        order::Ask,
    },
    hash::Hash,
    identity::PeerId,
    membership::{
        cycle::Place,
        walk::{self, Batch, Walk},
    },
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most walks that wait in a cluster for its next beacon.
pub const MAX_WALKS: usize = 64;
/// The most walks that a cluster begins in one epoch.
const MAX_ASKED: u8 = 16;
/// The most walks that leave for one neighbour in one epoch, so that they fit a command. Others wait.
const MAX_BATCH: usize = 16;
/// For so many epochs what left is remembered, for neighbours who are behind; and what neighbours still owe.
const REMEMBERED: usize = 8;
/// How long walks may be on their way to a neighbour that comes to no other epoch: so many times what an epoch lasts at least
/// and a decision takes, and this.
const PATIENCE: u32 = 4;
const PATIENCE_MS: u64 = 4_000;

/// The walks of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walks {
    /// Where the cluster lies on the cycles.
    pub places: Vec<Place>,
    /// Those that are here, in the order in which they came.
    pub here: Vec<Waiting>,
    /// How many were asked for in this epoch, and in which epoch each peer asked last.
    asked: u8,
    pub askers: BTreeMap<PeerId, u64>,
    /// Whether somebody waits for an epoch to pass, to ask again.
    impatient: bool,
    /// Those whose walks ended here and who have no place yet.
    pub offered: BTreeMap<PeerId, Offer>,
    /// What left lately, by the number of the epoch that names it.
    left: VecDeque<(u64, Parts)>,
}

/// Per neighbour, the walks that go there.
type Parts = BTreeMap<u64, Vec<Walk>>;

/// A walk that is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub walk: Walk,
    /// Whether it came before what deals the next epoch's slots was settled, so that nobody knew the beacon that draws its
    /// next step.
    pub in_time: bool,
}

/// What becomes of the walks with a beacon.
struct Drawn {
    parts: Parts,
    stay: Vec<Waiting>,
}

impl Walks {
    pub fn new(places: Vec<Place>) -> Walks {
        Walks {
            places,
            ..Walks::default()
        }
    }

    fn draw(&self, beacon: Hash, closed: &BTreeSet<u64>) -> Drawn {
        let mut drawn = Drawn {
            parts: Parts::new(),
            stay: Vec::new(),
        };
        for waiting in &self.here {
            let mut waiting = waiting.clone();
            let Walk { id, left, .. } = waiting.walk;
            if !waiting.in_time || left == 0 {
                drawn.stay.push(waiting);
                continue;
            }
            let to = walk::step(beacon, id, left, &self.places);
            let to = to.filter(|to| !closed.contains(to));
            let part = to.map(|to| drawn.parts.entry(to).or_default());
            match part {
                Some(part) if part.len() < MAX_BATCH => {
                    waiting.walk.left -= 1;
                    part.push(waiting.walk);
                }
                // There is no more room this time: the step is drawn anew.
                Some(_) => drawn.stay.push(waiting),
                None => {
                    waiting.walk.left -= 1;
                    drawn.stay.push(waiting);
                }
            }
        }
        drawn
    }
}

impl ClusterState {
    /// Whether walks wait for the next beacon.
    pub(super) fn has_walks(&self) -> bool {
        !self.shared.walks.here.is_empty() || self.shared.walks.impatient
    }

    /// Whether a walk of this peer is here, or began here so lately that no other would.
    pub fn has_asked(&self, peer: PeerId) -> bool {
        let asked = self.shared.walks.askers.get(&peer);
        asked.is_some_and(|epoch| epoch + self.ask_again() > self.shared.epoch)
    }

    fn walk_length(&self) -> u8 {
        let clusters = usize::try_from(self.clusters()).unwrap_or(usize::MAX);
        walk::length(clusters, self.ground.parameters.h)
    }

    /// How many epochs a peer has to wait before the cluster begins another walk of it: the first may have been lost.
    fn ask_again(&self) -> u64 {
        u64::from(self.walk_length()) * 2 + 8
    }

    /// W5: whether the cluster would have enough members if this one left, and all whose walks are under way.
    pub fn may_leave(&self, member: PeerId) -> bool {
        let stay = self.shared.members.iter();
        let stay = stay.filter(|peer| {
            **peer != member && !self.shared.leaving.contains(peer) && !self.has_asked(**peer)
        });
        stay.count() >= self.ground.parameters.g_min.into()
    }

    pub(super) fn is_member(&self, peer: PeerId) -> bool {
        self.shared.members.binary_search(&peer).is_ok()
    }

    /// Where the cluster lies on the cycles.
    pub fn places(&self) -> &[Place] {
        &self.shared.walks.places
    }

    /// W1: a peer asks for a walk.
    pub(super) fn ask(&mut self, height: Height, ask: Ask) -> Result<Answer, Void> {
        let epoch = self.shared.epoch;
        // No other walk of a peer begins for longer than this, so nobody gains by showing a question again.
        if ask.epoch > epoch || ask.epoch + REMEMBERED as u64 <= epoch {
            return Err(Void::Stale);
        }
        let peer = ask.card.peer;
        if self.is_barred(peer) {
            return Err(Void::Barred);
        }
        let here = self.shared.walks.here.iter();
        let is_here = here.clone().any(|waiting| waiting.walk.card.peer == peer);
        if is_here || self.has_asked(peer) {
            // It may have been lost. Where nothing else happens, epochs have to pass until there can be another.
            let offered = self.shared.walks.offered.contains_key(&peer);
            self.shared.walks.impatient |= !is_here && !offered && ask.epoch == epoch;
            return Err(Void::Already);
        }
        let is_member = self.is_member(peer);
        if is_member && !self.may_leave(peer) {
            return Err(Void::Busy);
        }
        if self.shared.walks.asked >= MAX_ASKED || here.len() >= MAX_WALKS {
            return Err(Void::Busy);
        }
        let (network, verifier) = (self.ground.network, &*self.ground.verifier);
        if !ask.is_signed(network, self.shared.cluster, verifier) {
            return Err(Void::Stranger);
        }
        if !(self.ground.admitted).admits(peer, &ask.credential, verifier) {
            return Err(Void::NotAdmitted);
        }
        if !ask.card.is_valid(network, verifier) {
            return Err(Void::Card);
        }
        let walk = Walk {
            id: Walk::name(network, self.shared.cluster, epoch, peer),
            card: ask.card,
            credential: ask.credential,
            left: self.walk_length(),
        };
        self.shared.walks.asked += 1;
        self.shared.walks.askers.insert(peer, epoch);
        let answer = self.enter(height, Act::Asked { peer });
        self.receive_walk(height, walk);
        Ok(answer)
    }

    /// W3: walks come from a neighbour.
    pub(super) fn take_walks(&mut self, height: Height, batch: Batch) -> Result<Answer, Void> {
        if batch.walks.len() > MAX_BATCH {
            return Err(Void::TooLong);
        }
        let mut neighbours = self.shared.neighbours.iter_mut();
        let from = neighbours.find(|neighbour| neighbour.cluster() == batch.from);
        if !from.is_some_and(|neighbour| neighbour.owed.settle(&batch)) {
            return Err(Void::Unproved);
        }
        let ground = self.ground.clone();
        for walk in batch.walks {
            if walk.is_valid(&ground.admitted, &*ground.verifier) {
                self.receive_walk(height, walk);
            }
        }
        Ok(Answer::Noted)
    }

    /// A walk is here now.
    fn receive_walk(&mut self, height: Height, walk: Walk) {
        if self.is_barred(walk.card.peer) {
            return;
        }
        let in_time = !self.is_fixed();
        if in_time && walk.left == 0 {
            return self.arrive(height, walk);
        }
        // Neighbours send at most so many, so this is never too little unless one is captured.
        if self.shared.walks.here.len() < MAX_WALKS {
            self.shared.walks.here.push(Waiting { walk, in_time });
        }
    }

    /// Nobody knows any more of a peer's walks, nor of a place that it was offered.
    pub(super) fn forget_walks(&mut self, peer: PeerId) {
        let walks = &mut self.shared.walks;
        walks.offered.remove(&peer);
        walks.askers.remove(&peer);
        walks.here.retain(|waiting| waiting.walk.card.peer != peer);
    }

    /// What leaves with this epoch: per neighbour that walks go to, their hash.
    pub(super) fn leaving_walks(&self, beacon: Hash) -> Vec<(u64, Hash)> {
        let closed = self.closed();
        let drawn = (self.can_draw()).then(|| self.shared.walks.draw(beacon, &closed));
        let parts = drawn.map(|drawn| drawn.parts).unwrap_or_default();
        let hash = |(&to, walks): (&u64, &Vec<Walk>)| (to, Batch::hash(walks));
        parts.iter().map(hash).collect()
    }

    /// W2: neighbours who have come to no other epoch for too long though walks were on their way to them: no walk goes there,
    /// and those that went are taken back.
    fn closed(&self) -> BTreeSet<u64> {
        let now = self.unix_ms();
        let over = |since: u64| since.saturating_add(self.patience_ms()) <= now;
        let neighbours = self.neighbours().iter();
        let closed = neighbours.filter(|neighbour| neighbour.awaited_unix_ms.is_some_and(over));
        closed.map(|neighbour| neighbour.cluster()).collect()
    }

    /// When the next walk is taken back.
    pub(super) fn next_taken_back(&self) -> Option<u64> {
        let away = |cluster: u64| {
            let mut left = self.shared.walks.left.iter();
            left.any(|(_, parts)| parts.contains_key(&cluster))
        };
        let neighbours = self.neighbours().iter();
        let awaited = neighbours.filter(|neighbour| away(neighbour.cluster()));
        let awaited = awaited.filter_map(|neighbour| neighbour.awaited_unix_ms);
        let until = awaited.map(|since| since.saturating_add(self.patience_ms()));
        until.min()
    }

    fn patience_ms(&self) -> u64 {
        let parameters = &self.ground.parameters;
        let decided = parameters.fault_model.bound().unwrap_or_default() * 4;
        let patience = (parameters.epoch() + decided) * PATIENCE;
        patience.as_millis() as u64 + PATIENCE_MS
    }

    /// Whether the next beacon is one that nobody could compute ahead.
    fn can_draw(&self) -> bool {
        self.shared.drawing.is_some()
    }

    /// W2: the walks go on by the beacon of the epoch that begins. The state is still that of the epoch before.
    pub(super) fn let_walks_go(&mut self, epoch: u64, beacon: Hash) {
        let (can_draw, again) = (self.can_draw(), self.ask_again());
        let (closed, now) = (self.closed(), self.unix_ms());
        let walks = &mut self.shared.walks;
        if can_draw {
            let Drawn { parts, stay } = walks.draw(beacon, &closed);
            walks.here = stay;
            for neighbour in &mut self.shared.neighbours {
                if parts.contains_key(&neighbour.cluster()) {
                    neighbour.awaited_unix_ms.get_or_insert(now);
                }
            }
            if !parts.is_empty() {
                walks.left.push_back((epoch, parts));
            }
        }
        let lost = walks.left.iter_mut().flat_map(|(_, parts)| {
            let lost = closed.iter().filter_map(|cluster| parts.remove(cluster));
            lost.flatten().collect::<Vec<Walk>>()
        });
        let back = lost.map(|walk| Waiting {
            walk,
            in_time: false,
        });
        let room = MAX_WALKS.saturating_sub(walks.here.len());
        walks.here.extend(back.take(room));
        let forgotten = |(left, _): &(u64, Parts)| left + (REMEMBERED as u64) < epoch;
        while walks.left.front().is_some_and(forgotten) {
            walks.left.pop_front();
        }
        walks.offered.retain(|_, offer| offer.holds(epoch));
        walks.impatient = false;
        walks.asked = 0;
        walks.askers.retain(|_, asked| *asked + again > epoch);
    }

    /// The walks that ended when no place could be given any more.
    pub(super) fn let_walks_end(&mut self, height: Height) {
        for waiting in std::mem::take(&mut self.shared.walks.here) {
            self.receive_walk(height, waiting.walk);
        }
    }

    /// What went from here to a neighbour as the epoch before this one ended, if it is remembered.
    pub fn batch(&self, to: u64, epoch: u64) -> Option<Batch> {
        let mut left = self.shared.walks.left.iter();
        let (_, parts) = left.find(|(left, _)| *left == epoch)?;
        Some(Batch {
            from: self.shared.cluster,
            epoch,
            walks: parts.get(&to)?.clone(),
        })
    }

    /// The batches that neighbours named and nobody has shown here yet: the cluster, and its epoch.
    pub fn owed(&self) -> impl Iterator<Item = (u64, u64)> {
        self.neighbours().iter().flat_map(|neighbour| {
            let epochs = neighbour.owed().epochs();
            epochs.map(|epoch| (neighbour.cluster(), epoch))
        })
    }

    /// Whether this is one of them.
    pub fn is_owed(&self, batch: &Batch) -> bool {
        let mut neighbours = self.neighbours().iter();
        neighbours
            .any(|neighbour| neighbour.cluster() == batch.from && neighbour.owed().includes(batch))
    }

    /// How many steps each of the walks that are here has left.
    #[cfg(test)]
    pub(super) fn walks_left(&self) -> impl Iterator<Item = u8> {
        let here = self.shared.walks.here.iter();
        here.map(|waiting| waiting.walk.left)
    }
}

/// What a neighbour named for this cluster and nobody has shown here yet: per epoch, the hash of the walks. The oldest are
/// forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owed(VecDeque<(u64, Hash)>);

impl Owed {
    pub fn note(&mut self, epoch: u64, hash: Hash) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((epoch, hash));
    }

    pub fn epochs(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(epoch, _)| *epoch)
    }

    pub fn includes(&self, batch: &Batch) -> bool {
        let hash = Batch::hash(&batch.walks);
        self.0.contains(&(batch.epoch, hash))
    }

    /// Whether it includes a batch; from now on it does not.
    pub fn settle(&mut self, batch: &Batch) -> bool {
        let includes = self.includes(batch);
        if includes {
            self.0.retain(|(epoch, _)| *epoch != batch.epoch);
        }
        includes
    }
}
