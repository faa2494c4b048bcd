//! W12: a cluster that grows too large splits in two, which lie side by side on every cycle.

use super::{ClusterState, Context, Neighbour, Shared, Walks, name_of};
use crate::{
    agreement::card::Card,
    hash::Domain,
    identity::PeerId,
    membership::{admission::Admission, cycle::Split, lineage},
};
use hamlet_consensus::{
    Epoch,
    epoch::{Charter, Origin},
};
use std::collections::BTreeMap;

/// A cluster of fewer members can decide nothing without any of them, under partial synchrony: none begins so small.
const SMALLEST: usize = 4;
/// For so many of the own epochs a cluster is still followed that lies next to this one no more: walks may be under way, and
/// segments that were governed before.
const REMEMBERED: u64 = 8;

impl ClusterState {
    /// The number of the cluster that begins with the next epoch, if this one splits: it would have more members than it may, or as many
    /// as there are slots while somebody found no room; and either half has as many as it must.
    fn child(&self, next: usize) -> Option<u64> {
        let parameters = &self.ground.parameters;
        let crowded = self.shared.crowded && next >= usize::from(parameters.n);
        let large = next > usize::from(parameters.g_max) || crowded;
        // Where nobody comes by a walk operators choose who is in which cluster.
        let open = self.ground.admitted.policy != Admission::Closed;
        let least = usize::from(parameters.g_min).max(SMALLEST);
        let splits = open && large && next / 2 >= least;
        let child = || {
            lineage::child(
                self.ground.clusters,
                self.shared.cluster,
                self.shared.generation,
            )
        };
        splits.then(child).flatten()
    }

    /// Whether the cluster would split with the next epoch.
    pub(super) fn wants_to_split(&self) -> bool {
        let Shared {
            members,
            joining,
            leaving,
            ..
        } = &self.shared;
        let next = (members.len() + joining.len()).saturating_sub(leaving.len());
        self.child(next).is_some()
    }

    /// What follows this epoch: the next one of this cluster and, if it splits, the first of another. Who goes where and where the new
    /// one lies is drawn by what deals the slots, so nobody chooses it.
    pub(super) fn next_charters(&self) -> Vec<Charter> {
        let cluster = self.shared.cluster;
        let members = self.next_members();
        let Some(new) = self.child(members.len()) else {
            return vec![self.charter_of(cluster, members, None)];
        };
        let beacon = self.next_beacon(cluster);
        let lot = |peer: &PeerId| Domain::Beacon.hash(&[b"split", &beacon.0, &peer.0]).0;
        let mut drawn = members;
        drawn.sort_by_cached_key(lot);
        let mut go = drawn.split_off(drawn.len().div_ceil(2));
        drawn.sort_unstable();
        go.sort_unstable();
        let split = Some(Split {
            old: cluster,
            new,
            before: Domain::Beacon.hash(&[b"split", &beacon.0]).0[0],
        });
        vec![
            self.charter_of(cluster, drawn, split),
            self.charter_of(new, go, split),
        ]
    }

    /// The cluster splits, and this is the state of its part of this number. Who is in the other one. The state is still that of the
    /// epoch before, but that walks have gone.
    pub(super) fn divide(
        &mut self,
        part: &Epoch,
        number: u64,
        split: Split,
    ) -> Option<Vec<PeerId>> {
        let is_new = number == split.new;
        let other = if is_new { split.old } else { split.new };
        let charters = self.next_charters();
        let charter = charters
            .iter()
            .find(|charter| charter.cluster != part.charter().cluster);
        let charter = charter?.clone();
        let parted = charter.members.clone();
        let (cards, joining) = (&self.shared.cards, &self.shared.joining);
        let cards = cards.iter().chain(joining);
        let cards = cards.filter(|(peer, _)| parted.binary_search(peer).is_ok());
        let cards = cards.map(|(peer, card)| (*peer, card.clone())).collect();
        let (old, new) = split.places(&self.shared.walks.places);
        let places = if is_new { new } else { old };
        if is_new {
            // What was begun goes on in the old one.
            self.shared.cluster = split.new;
            self.shared.walks = Walks::new(places);
            for neighbour in &mut self.shared.neighbours {
                neighbour.begin_anew();
            }
        } else {
            self.shared.walks.places = places;
        }
        self.shared.generation += 1;
        self.shared.crowded = false;
        self.add_neighbour(Neighbour::new(other, charter, part.origin(), cards));
        self.look_who_is_next_to(part.number());
        if is_new {
            self.shared
                .neighbours
                .retain(|neighbour| neighbour.fades_at.is_none());
        }
        Some(parted)
    }

    /// A5: a neighbour has split, as it says itself.
    pub(super) fn neighbour_splits(&mut self, split: Split, charter: &Charter, origin: Origin) {
        let Split { old, new, .. } = split;
        let network = self.ground.network;
        let is_its_own = lineage::parent(self.ground.clusters, new) == Some(old)
            && name_of(network, new) == charter.cluster
            && Context::of(charter).is_some_and(|context| context.cluster == new);
        let mut neighbours = self.shared.neighbours.iter();
        let is_known = neighbours.any(|neighbour| neighbour.cluster() == new);
        if !is_its_own || is_known || new == self.shared.cluster {
            return;
        }
        if !split.seen_from(&mut self.shared.walks.places) {
            return;
        }
        let mut neighbours = self.shared.neighbours.iter();
        let parent = neighbours.find(|neighbour| neighbour.cluster() == old);
        let cards = parent.into_iter().flat_map(Neighbour::cards);
        let cards = cards.filter(|card| charter.members.binary_search(&card.peer).is_ok());
        let cards: BTreeMap<PeerId, Card> = cards.map(|card| (card.peer, card.clone())).collect();
        self.add_neighbour(Neighbour::new(new, charter.clone(), origin, cards));
        self.look_who_is_next_to(self.shared.epoch);
    }

    fn add_neighbour(&mut self, neighbour: Neighbour) {
        let neighbours = &mut self.shared.neighbours;
        let place = neighbours.partition_point(|one| one.cluster() < neighbour.cluster());
        neighbours.insert(place, neighbour);
    }

    /// Finds which of the clusters that are followed lie next to this one on no cycle any more.
    pub(super) fn look_who_is_next_to(&mut self, epoch: u64) {
        let places = &self.shared.walks.places;
        for neighbour in &mut self.shared.neighbours {
            let cluster = neighbour.cluster();
            let next = places
                .iter()
                .any(|place| place.before == cluster || place.after == cluster);
            neighbour.fades_at = match next {
                true => None,
                false => neighbour
                    .fades_at
                    .or(Some(epoch.saturating_add(REMEMBERED))),
            };
        }
    }

    /// Forgets those that have not been next to this cluster for long enough.
    pub(super) fn forget_neighbours(&mut self, epoch: u64) {
        let neighbours = &mut self.shared.neighbours;
        neighbours.retain(|neighbour| neighbour.fades_at.is_none_or(|at| epoch < at));
    }
}
