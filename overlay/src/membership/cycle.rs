//! W12: the cycles that link the clusters, and how they change when a cluster splits.
//!
//! Nobody holds a cycle. Every cluster knows which lies before and which after it, and learns from these, in the order in which they did, how they
//! split. A new cluster lies beside the one that it split from, so that only one neighbour has to learn of it; what
//! clusters do at the same time fits together, whoever hears of it when.

use serde::{Deserialize, Serialize};

/// The place of a cluster on one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The cluster before it.
    pub before: u64,
    /// The cluster after it.
    pub after: u64,
}

/// How a cluster has split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The cluster that goes on.
    pub old: u64,
    /// The one that begins.
    pub new: u64,
    /// A bit for each cycle: whether the new one lies before the old one there, not after it.
    pub before: u8,
}

impl Split {
    fn is_before(&self, cycle: usize) -> bool {
        self.before.checked_shr(cycle as u32).unwrap_or(0) & 1 == 1
    }

    /// Where the old and the new cluster lie, if the old one lay here, on one cycle after the other.
    pub fn places(&self, places: &[Place]) -> (Vec<Place>, Vec<Place>) {
        let Split { old, new, .. } = *self;
        // One that is alone lies before and after itself.
        let around = |cluster| if cluster == old { new } else { cluster };
        let split = |(cycle, place): (usize, &Place)| {
            let Place { before, after } = *place;
            let (first, last) = match self.is_before(cycle) {
                true => (new, old),
                false => (old, new),
            };
            let of_first = Place {
                before: if first == old { around(before) } else { before },
                after: last,
            };
            let of_last = Place {
                before: first,
                after: if last == old { around(after) } else { after },
            };
            if first == old {
                (of_first, of_last)
            } else {
                (of_last, of_first)
            }
        };
        places.iter().enumerate().map(split).unzip()
    }

    /// A cluster that lies here learns that one beside it has split. Whether the new one lies beside it now.
    pub fn seen_from(&self, places: &mut [Place]) -> bool {
        let mut is_beside = false;
        for (cycle, place) in places.iter_mut().enumerate() {
            let side = match self.is_before(cycle) {
                true => &mut place.after,
                false => &mut place.before,
            };
            if *side == self.old {
                *side = self.new;
                is_beside = true;
            }
        }
        is_beside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        genesis::{below, generator},
        hash::Domain,
    };
    use rand_core::Rng;
    use std::collections::{BTreeMap, BTreeSet};

    /// A cluster, its splits, and how many of the splits of others it has heard of.
    #[derive(Clone)]
    struct Known {
        places: Vec<Place>,
        splits: Vec<Split>,
        heard: BTreeMap<u64, usize>,
    }

    fn is_whole(clusters: &BTreeMap<u64, Known>, cycle: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut at = *clusters.keys().next().unwrap();
        while seen.insert(at) {
            let after = clusters[&at].places[cycle].after;
            if clusters[&after].places[cycle].before != at {
                return false;
            }
            at = after;
        }
        seen.len() == clusters.len()
    }

    #[test]
    fn cycles_stay_whole_whoever_splits_and_whoever_hears_of_it_when() {
        const H: usize = 3;
        for seed in 0..40u8 {
            let mut random = generator(Domain::Walk, &[&[seed]]);
            let alone = Place {
                before: 0,
                after: 0,
            };
            let first = Known {
                places: vec![alone; H],
                splits: Vec::new(),
                heard: BTreeMap::new(),
            };
            let mut clusters = BTreeMap::from([(0, first)]);
            for new in 1..80u64 {
                let old = below(&mut random, new);
                let before = random.next_u32() as u8;
                let split = Split { old, new, before };
                let parent = clusters.get_mut(&old).unwrap();
                let mut child = parent.clone();
                (parent.places, child.places) = split.places(&parent.places);
                parent.splits.push(split);
                parent.heard.insert(new, 0);
                child.heard.insert(old, parent.splits.len());
                child.splits.clear();
                clusters.insert(new, child);
                // Some hear of some of what happened, or of nothing for long.
                for _ in 0..below(&mut random, 12) {
                    let who = below(&mut random, new + 1);
                    hear(&mut clusters, who, |count| below(&mut random, count + 1));
                }
            }
            for _ in 0..clusters.len() {
                for who in 0..clusters.len() as u64 {
                    hear(&mut clusters, who, |count| count);
                }
            }
            for cycle in 0..H {
                assert!(is_whole(&clusters, cycle), "seed {seed}, cycle {cycle}");
            }
        }
    }

    /// A cluster hears of so many of the splits of each beside it that it has not heard of.
    fn hear(clusters: &mut BTreeMap<u64, Known>, who: u64, mut many: impl FnMut(u64) -> u64) {
        let mut known = clusters[&who].clone();
        for (beside, heard) in known.heard.clone() {
            let news = &clusters[&beside].splits[heard..];
            let count = many(news.len() as u64) as usize;
            for split in &news[..count] {
                if split.seen_from(&mut known.places) {
                    known.heard.insert(split.new, 0);
                }
            }
            *known.heard.entry(beside).or_default() += count;
        }
        clusters.insert(who, known);
    }

    #[test]
    fn a_cluster_that_was_alone_and_its_new_one_lie_on_both_sides_of_each_other() {
        let alone = Place {
            before: 4,
            after: 4,
        };
        let split = Split {
            old: 4,
            new: 5,
            before: 0b01,
        };
        let (old, new) = split.places(&[alone; 2]);
        assert_eq!(
            old,
            [Place {
                before: 5,
                after: 5
            }; 2]
        );
        assert_eq!(
            new,
            [Place {
                before: 4,
                after: 4
            }; 2]
        );
    }
}
