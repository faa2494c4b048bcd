//! Whom a fault strikes.

use crate::{
    random::{Purpose, Randomness},
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};

/// Some of the peers. Those that are drawn are drawn from the seed, each fault for itself, and a larger
/// share adds to a smaller one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// All, sources too.
    All,
    /// The sources of all streams.
    Source,
    /// The members of the cluster of the first stream's source, without sources.
    SourceCluster,
    /// A share of the peers without sources.
    Share(f64),
    /// So many of the peers without sources.
    Count(usize),
    /// All members of so many clusters, among which the first source's is not.
    Clusters(usize),
    /// The peers with these indices: peers are numbered from 0 in the order of their keys.
    Peers(Vec<u32>),
}

/// Who is who, as far as it is known when a world begins.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The number from which all randomness is derived.
    pub seed: u64,
    /// The peers that publish, in the order of their streams.
    pub sources: Vec<usize>,
    /// Per peer, the number of its cluster.
    pub clusters: Vec<usize>,
}

impl Targets {
    pub(crate) fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        match self {
            Targets::All | Targets::Source | Targets::SourceCluster => Ok(()),
            Targets::Share(share) => wrong::share(wrong::field(at, "share"), *share),
            Targets::Count(count) if *count < peers => Ok(()),
            Targets::Count(count) => Err(Wrong::new(
                wrong::field(at, "count"),
                format!(
                    "{count} peers besides the source are wanted, and there are {peers} in all"
                ),
            )),
            Targets::Clusters(0) => Err(Wrong::new(
                wrong::field(at, "clusters"),
                "no cluster at all is struck: give 1 or more, or leave the fault out",
            )),
            Targets::Clusters(_) => Ok(()),
            Targets::Peers(list) => match list.iter().find(|&&peer| peer as usize >= peers) {
                None => Ok(()),
                Some(peer) => Err(Wrong::new(
                    wrong::field(at, "peers"),
                    format!(
                        "there is no peer {peer}: they are numbered from 0 to {}",
                        peers - 1
                    ),
                )),
            },
        }
    }

    /// Per peer, whether it is struck by the fault of this number.
    pub(crate) fn draw(&self, cast: &Cast, fault: u64) -> Vec<bool> {
        let peers = cast.clusters.len();
        let dice = Randomness::new(cast.seed, Purpose::Targets);
        let mut struck = vec![false; peers];
        let mut take = |count: usize| {
            let mut order: Vec<usize> = (0..peers)
                .filter(|peer| !cast.sources.contains(peer))
                .collect();
            order.sort_unstable_by_key(|&peer| (dice.at([fault, peer as u64]), peer));
            for &peer in order.iter().take(count) {
                struck[peer] = true;
            }
        };
        let first = cast.sources.first().copied().unwrap_or_default();
        let home = cast.clusters.get(first).copied().unwrap_or_default();
        match self {
            Targets::All => struck.fill(true),
            Targets::Source => cast
                .sources
                .iter()
                .for_each(|&source| struck[source] = true),
            Targets::SourceCluster => {
                for (peer, struck) in struck.iter_mut().enumerate() {
                    *struck = cast.clusters[peer] == home && !cast.sources.contains(&peer);
                }
            }
            Targets::Share(share) => take((peers as f64 * share).round() as usize),
            Targets::Count(count) => take(*count),
            Targets::Clusters(count) => {
                let mut numbers: Vec<usize> = cast.clusters.clone();
                numbers.sort_unstable();
                numbers.dedup();
                numbers.retain(|&number| number != home);
                numbers.sort_by_key(|&number| (dice.at([fault, number as u64, 1]), number));
                numbers.truncate(*count);
                for (peer, struck) in struck.iter_mut().enumerate() {
                    *struck = numbers.contains(&cast.clusters[peer]);
                }
            }
            Targets::Peers(list) => list.iter().for_each(|&peer| struck[peer as usize] = true),
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast() -> Cast {
        Cast {
            seed: 3,
            sources: vec![5],
            clusters: (0..40).map(|peer| peer / 10).collect(),
        }
    }

    fn struck(targets: Targets) -> Vec<usize> {
        targets.check("of", 40).unwrap();
        let struck = targets.draw(&cast(), 0);
        (0..40).filter(|&peer| struck[peer]).collect()
    }

    #[test]
    fn each_kind_strikes_whom_it_names() {
        assert_eq!(struck(Targets::All).len(), 40);
        assert_eq!(struck(Targets::Source), [5]);
        assert_eq!(struck(Targets::SourceCluster), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
        assert_eq!(struck(Targets::Peers(vec![7, 3])), [3, 7]);
        let few = struck(Targets::Count(4));
        let more = struck(Targets::Share(0.5));
        assert_eq!((few.len(), more.len()), (4, 20));
        assert!(few.iter().all(|peer| more.contains(peer)));
        assert!(!struck(Targets::Count(39)).contains(&5));
        let clusters = struck(Targets::Clusters(2));
        assert_eq!(clusters.len(), 20);
        assert!(clusters.iter().all(|&peer| peer >= 10));
        assert_ne!(
            Targets::Count(4).draw(&cast(), 0),
            Targets::Count(4).draw(&cast(), 1)
        );
    }

    #[test]
    fn nobody_who_is_not_there_is_struck() {
        for wrong in [
            Targets::Share(1.5),
            Targets::Count(40),
            Targets::Clusters(0),
            Targets::Peers(vec![40]),
        ] {
            let error = wrong.check("links.faults[0].of", 40).unwrap_err();
            assert!(error.field.starts_with("links.faults[0].of."), "{error}");
        }
    }
}
