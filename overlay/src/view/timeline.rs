//! How the neighbourhood of a peer changes from segment to segment.

use super::{Cluster, Epoch, SegmentNumber, StreamNumber};
use crate::time::{Duration, Time};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// The most changes held; with more the oldest govern all segments.
const MAX_CHANGES: usize = 64;

/// Per stream, the first segment that is governed by something; a stream not listed is governed from 0.
pub type First = BTreeMap<StreamNumber, SegmentNumber>;

/// A change of the neighbourhood.
#[derive(Clone, Debug)]
pub struct Change {
    /// From which segments on it governs.
    pub first: First,
    /// What it changes.
    pub next: Next,
}

/// What a change of the neighbourhood brings.
#[derive(Clone, Debug)]
pub enum Next {
    /// One of its clusters is in another epoch.
    Cluster(Arc<Cluster>),
    /// A cluster lies next to the own one that did not before.
    Comes(Arc<Cluster>),
    /// One does not any more.
    Goes(u64),
    /// The peer is elsewhere.
    Neighbourhood(Epoch),
}

/// Which of the changes held are in force, a bit for each.
type Force = u64;

#[derive(Clone, Debug)]
struct Held {
    since: Time,
    change: Change,
}

/// The changes of a neighbourhood that segments may still be governed without.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    base: Epoch,
    /// In the order in which they became known.
    changes: VecDeque<Held>,
    /// All that segments can be governed by; the last is with all changes in force.
    epochs: Vec<(Force, Arc<Epoch>)>,
}

impl Change {
    fn governs(&self, stream: StreamNumber, segment: SegmentNumber) -> bool {
        self.first
            .get(&stream)
            .is_none_or(|&first| first <= segment)
    }
}

impl Epoch {
    fn apply(&mut self, next: &Next) {
        match next {
            Next::Neighbourhood(epoch) => *self = epoch.clone(),
            Next::Comes(cluster) => {
                let neighbours = &mut self.neighbours;
                let place = neighbours.partition_point(|one| one.id < cluster.id);
                if neighbours.get(place).is_none_or(|one| one.id != cluster.id) {
                    neighbours.insert(place, cluster.clone());
                }
            }
            Next::Goes(cluster) => self.neighbours.retain(|one| one.id != *cluster),
            Next::Cluster(cluster) => {
                let clusters = std::iter::once(&mut self.own).chain(&mut self.neighbours);
                for old in clusters {
                    if old.id == cluster.id && old.epoch < cluster.epoch {
                        *old = cluster.clone();
                    }
                }
            }
        }
    }
}

impl Timeline {
    pub fn new(base: Epoch) -> Timeline {
        let epochs = vec![(0, Arc::new(base.clone()))];
        Timeline {
            base,
            changes: VecDeque::new(),
            epochs,
        }
    }

    pub fn governing(&self, stream: StreamNumber, segment: SegmentNumber) -> &Arc<Epoch> {
        let force = self.force(stream, segment);
        let known = self.epochs.iter().find(|(known, _)| *known == force);
        known.map_or(self.newest(), |(_, epoch)| epoch)
    }

    pub fn newest(&self) -> &Arc<Epoch> {
        // There is always one.
        &self.epochs[self.epochs.len() - 1].1
    }

    pub fn epochs(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.epochs.iter().map(|(_, epoch)| epoch)
    }

    pub fn begin(&mut self, now: Time, change: Change) {
        if self.changes.len() == MAX_CHANGES {
            self.fold();
        }
        self.changes.push_back(Held { since: now, change });
        self.compose();
    }

    pub fn settles_at(&self, kept: Duration) -> Time {
        (self.changes.front()).map_or(Time::NEVER, |held| held.since + kept)
    }

    pub fn settle(&mut self, now: Time, kept: Duration) -> bool {
        let before = self.changes.len();
        while self.settles_at(kept) <= now {
            self.fold();
        }
        let settled = self.changes.len() < before;
        if settled {
            self.compose();
        }
        settled
    }

    /// Lets the oldest change govern all segments.
    fn fold(&mut self) {
        if let Some(held) = self.changes.pop_front() {
            self.base.apply(&held.change.next);
        }
    }

    fn force(&self, stream: StreamNumber, segment: SegmentNumber) -> Force {
        let changes = self.changes.iter().zip(0..);
        let governs = changes.filter(|(held, _)| held.change.governs(stream, segment));
        governs.fold(0, |force, (_, bit)| force | 1 << bit)
    }

    /// Puts together all that segments can be governed by. What stays the same stays the same value, since segments and
    /// links hold on to it.
    fn compose(&mut self) {
        let mut forces = BTreeSet::new();
        for held in &self.changes {
            for (&stream, &first) in &held.change.first {
                forces.insert(self.force(stream, first));
                forces.insert(self.force(stream, 0));
            }
        }
        let all = self.changes.len() as u32;
        let all = Force::MAX.checked_shr(Force::BITS - all).unwrap_or(0);
        forces.remove(&all);
        let old = std::mem::take(&mut self.epochs);
        for force in forces.into_iter().chain([all]) {
            let mut epoch = self.base.clone();
            for (held, bit) in self.changes.iter().zip(0..) {
                if force & 1 << bit != 0 {
                    epoch.apply(&held.change.next);
                }
            }
            let same = old.iter().find(|(_, known)| **known == epoch);
            let epoch = same.map_or_else(|| Arc::new(epoch), |(_, known)| known.clone());
            self.epochs.push((force, epoch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hash::Hash, identity::PeerId};

    fn cluster(id: u64, epoch: u64) -> Arc<Cluster> {
        let members = (0..4).map(|member| PeerId([id as u8 * 16 + member; 32]));
        Arc::new(Cluster::deal(
            id,
            epoch,
            members.collect(),
            Hash([1; 32]),
            8,
        ))
    }

    fn timeline() -> Timeline {
        Timeline::new(Epoch {
            own: cluster(0, 0),
            neighbours: vec![cluster(1, 0), cluster(2, 0)],
        })
    }

    fn change(first: &[(StreamNumber, SegmentNumber)], id: u64, epoch: u64) -> Change {
        Change {
            first: first.iter().copied().collect(),
            next: Next::Cluster(cluster(id, epoch)),
        }
    }

    fn numbers(timeline: &Timeline, stream: StreamNumber, segment: SegmentNumber) -> Vec<u64> {
        let epoch = timeline.governing(stream, segment);
        epoch.clusters().map(|cluster| cluster.epoch).collect()
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn clusters_change_one_by_one_whatever_order_it_is_heard_in() {
        let changes = [
            change(&[(0, 100), (1, 7)], 1, 1),
            change(&[(0, 90), (1, 9)], 0, 1),
            change(&[(0, 120)], 1, 2),
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2]] {
            let mut timeline = timeline();
            for place in order {
                timeline.begin(at(0), changes[place].clone());
            }
            let expected = [
                (0, [0, 0, 0]),
                (89, [0, 0, 0]),
                (90, [1, 0, 0]),
                (99, [1, 0, 0]),
            ];
            let later = [(100, [1, 1, 0]), (119, [1, 1, 0]), (120, [1, 2, 0])];
            for (segment, epochs) in expected.into_iter().chain(later) {
                assert_eq!(
                    numbers(&timeline, 0, segment),
                    epochs,
                    "{order:?} {segment}"
                );
            }
            // The last change names nothing of stream 1.
            assert_eq!(numbers(&timeline, 1, 7), [0, 2, 0]);
            assert_eq!(numbers(&timeline, 1, 9), [1, 2, 0]);
            assert_eq!(numbers(&timeline, 5, 0), [1, 2, 0]);
            assert_eq!(timeline.newest(), timeline.governing(0, 120));
        }
    }

    #[test]
    fn a_neighbour_comes_and_another_goes() {
        let mut timeline = timeline();
        let comes = Change {
            first: [(0, 10)].into(),
            next: Next::Comes(cluster(7, 0)),
        };
        timeline.begin(at(0), comes);
        timeline.begin(at(1), change(&[(0, 20)], 7, 1));
        let ids = |timeline: &Timeline, segment| -> Vec<u64> {
            let clusters = timeline.governing(0, segment).clusters();
            clusters.map(|cluster| cluster.id).collect()
        };
        assert_eq!(ids(&timeline, 9), [0, 1, 2]);
        assert_eq!(ids(&timeline, 10), [0, 1, 2, 7]);
        assert_eq!(numbers(&timeline, 0, 20), [0, 0, 0, 1]);
        timeline.begin(
            at(2),
            Change {
                first: First::new(),
                next: Next::Goes(1),
            },
        );
        assert_eq!(ids(&timeline, 20), [0, 2, 7]);
        assert_eq!(ids(&timeline, 5), [0, 2]);
    }

    #[test]
    fn what_is_past_is_let_go_and_the_rest_stays_the_same_value() {
        let mut timeline = timeline();
        timeline.begin(at(0), change(&[(0, 10)], 0, 1));
        timeline.begin(at(5), change(&[(0, 30)], 1, 1));
        let middle = timeline.governing(0, 20).clone();
        let kept = Duration::from_secs(16);
        assert!(!timeline.settle(at(15), kept));
        assert_eq!(timeline.epochs().count(), 3);
        assert!(timeline.settle(at(16), kept));
        assert!(Arc::ptr_eq(&middle, timeline.governing(0, 0)));
        assert_eq!(timeline.settles_at(kept), at(21));
        assert!(timeline.settle(at(21), kept));
        assert_eq!(timeline.epochs().count(), 1);
        assert_eq!(numbers(&timeline, 0, 0), [1, 1, 0]);
    }

    #[test]
    fn a_peer_that_moves_is_elsewhere_from_a_segment_on() {
        let mut timeline = timeline();
        let elsewhere = Epoch {
            own: cluster(5, 3),
            neighbours: vec![cluster(6, 0)],
        };
        timeline.begin(
            at(0),
            Change {
                first: [(0, 10)].into(),
                next: Next::Neighbourhood(elsewhere),
            },
        );
        timeline.begin(at(1), change(&[(0, 4)], 2, 1));
        assert_eq!(numbers(&timeline, 0, 5), [0, 0, 1]);
        assert_eq!(numbers(&timeline, 0, 10), [3, 0]);
    }

    #[test]
    fn changes_without_end_stay_bounded() {
        let mut timeline = timeline();
        for number in 1..1000 {
            timeline.begin(at(0), change(&[(0, 10 * number)], 0, number));
            assert!(timeline.epochs().count() <= MAX_CHANGES + 1);
        }
        assert_eq!(numbers(&timeline, 0, 9990), [999, 0, 0]);
        assert_eq!(numbers(&timeline, 0, 9985), [998, 0, 0]);
    }
}
