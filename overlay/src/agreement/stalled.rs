//! W10: when this member finds that its cluster decides nothing any more, and asks another for a walk.

use super::{Agreement, order::Order, state::ClusterState};
use crate::{
    identity::PeerId,
    time::{Duration, Time},
};
use hamlet_consensus::epoch::Charter;
use std::collections::BTreeMap;

/// How long a cluster may decide nothing while this member waits for a decision.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often another cluster is asked. Asked more often, several might give a place.
const ASK_EVERY: Duration = Duration::from_secs(20);
/// Of so many of its members, not all of whom are linked perhaps.
const ASKED: usize = 8;
/// The most peers of other clusters whose epochs are remembered.
const MAX_HERALDS: usize = 64;

/// What this member knows of its cluster's standstill, and of clusters that go on.
pub(super) struct Stalled {
    /// Since when a decision is waited for, and how far the log was then.
    waits: Option<(Time, u64)>,
    /// In which epoch of which cluster peers said that they are.
    heralds: BTreeMap<PeerId, (u64, u64)>,
    ask_at: Time,
    /// How many clusters were asked.
    asked: usize,
}

impl Default for Stalled {
    fn default() -> Stalled {
        Stalled {
            waits: None,
            heralds: BTreeMap::new(),
            ask_at: Time::ZERO,
            asked: 0,
        }
    }
}

impl Stalled {
    /// A peer says in which epoch its cluster is.
    pub fn hear(&mut self, from: PeerId, cluster: u64, epoch: u64) {
        if self.heralds.len() < MAX_HERALDS || self.heralds.contains_key(&from) {
            self.heralds.insert(from, (cluster, epoch));
        }
    }

    /// This member was asleep: what it waited for may have been decided meanwhile.
    pub fn wake_up(&mut self) {
        self.waits = None;
    }

    /// A peer is not there any more.
    pub fn forget(&mut self, peer: PeerId) {
        self.heralds.remove(&peer);
    }
}

impl Agreement {
    /// Whether this member waits for a decision: it found that somebody is silent, or that the epoch is to end.
    fn waits(&self) -> bool {
        let reason = self.state().is_some_and(|state| state.has_reason_to_end());
        self.is_member() && (reason || self.has_news_of_silence())
    }

    /// Whether this member has asked another cluster for a walk, since its own stood still.
    pub(super) fn looks_elsewhere(&self) -> bool {
        self.stalled.asked > 0
    }

    /// When this member looks next whether its cluster stands still.
    pub(super) fn stalled_at(&self) -> Time {
        let since = self.stalled.waits.filter(|_| self.may_visit());
        let bound = self.succession.newest().terms().model.bound();
        let patience = PATIENCE + bound.unwrap_or_default() * 8;
        let at = since.map(|(since, _)| (since + patience).max(self.stalled.ask_at));
        at.unwrap_or(Time::NEVER)
    }

    /// Asks another cluster for a walk, if the own one stands still: what to have ordered there, and by whom.
    pub fn look_elsewhere(&mut self) -> Vec<(PeerId, Order)> {
        let height = self.standing_height();
        self.stalled.waits = match self.stalled.waits {
            _ if !self.waits() => None,
            Some((since, known)) if known == height => Some((since, known)),
            _ => Some((self.now, height)),
        };
        if self.stalled_at() > self.now {
            return Vec::new();
        }
        self.stalled.ask_at = self.now + ASK_EVERY;
        self.stalled.asked += 1;
        let places = self.places_elsewhere();
        let turn = self.stalled.asked % places.len().max(1);
        let Some((cluster, members)) = places.into_iter().nth(turn) else {
            return Vec::new();
        };
        let members = members.into_iter().take(ASKED);
        let asks = members.filter_map(|(peer, epoch)| Some((peer, self.ask_of(cluster, epoch)?)));
        asks.collect()
    }

    /// Members of other clusters, and the epochs in which these are: as they said, or as this cluster's log knew them last.
    fn places_elsewhere(&self) -> BTreeMap<u64, Vec<(PeerId, u64)>> {
        let mut places: BTreeMap<u64, Vec<(PeerId, u64)>> = BTreeMap::new();
        for (&peer, &(cluster, epoch)) in &self.stalled.heralds {
            places.entry(cluster).or_default().push((peer, epoch));
        }
        let neighbours = self.state().into_iter().flat_map(ClusterState::neighbours);
        for neighbour in neighbours {
            let Charter {
                number, members, ..
            } = neighbour.charter();
            let known = || members.iter().map(|peer| (*peer, *number)).collect();
            places.entry(neighbour.cluster()).or_insert_with(known);
        }
        places.remove(&self.cluster);
        places
    }
}
