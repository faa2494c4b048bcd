//! W2: walks over the cycles, whose every step a beacon draws.
//!
//! From a cluster, which lies on `h` cycles, a walk goes on to one of the `2 h` clusters before and after it, or stays, each with the same
//! probability. So walks of all lengths are spread evenly in the end, whatever the number of clusters: everywhere as
//! many ways lead in as out, and who may stay is at no cluster only after an even number of steps.

use crate::{
    agreement::card::Card,
    genesis::{below, generator},
    hash::{Domain, Hash},
    identity::{PeerId, Verifier},
    membership::{
        admission::{Admitted, Credential},
        cycle::Place,
    },
    wire,
};
use serde::{Deserialize, Serialize};

/// A peer's way to the cluster where it will have its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// What its steps are drawn from, together with beacons.
    pub id: Hash,
    /// Who walks.
    pub card: Card,
    /// What it is admitted by.
    pub credential: Credential,
    /// How many steps are left.
    pub left: u8,
}

impl Walk {
    /// Whether its peer is admitted, and its card is its own: a cluster that is captured may send anything.
    pub fn is_valid(&self, admitted: &Admitted, verifier: &dyn Verifier) -> bool {
        self.card.is_valid(admitted.network, verifier)
            && admitted.admits(self.card.peer, &self.credential, verifier)
    }

    /// The name of the walk that a peer asked a cluster for in this epoch. There is one, so nobody can ask until it likes
    /// the name.
    pub fn name(network: Hash, cluster: u64, epoch: u64, peer: PeerId) -> Hash {
        Domain::Walk.hash(&[
            &network.0,
            &cluster.to_le_bytes(),
            &epoch.to_le_bytes(),
            &peer.0,
        ])
    }
}

/// Where a walk goes from a cluster with these places on the cycles; `None` if it stays there for this step.
///
/// The beacon must not have been known when the walk came to the cluster.
pub fn step(beacon: Hash, walk: Hash, left: u8, places: &[Place]) -> Option<u64> {
    let mut random = generator(Domain::Walk, &[&beacon.0, &walk.0, &[left]]);
    let way = below(&mut random, 2 * places.len() as u64 + 1) as usize;
    let place = places.get(way / 2)?;
    Some(match way % 2 {
        0 => place.before,
        _ => place.after,
    })
}

/// Steps until the end of a walk is spread evenly but for a total variation of 1 %, from whichever cluster it starts, over unions of
/// random cycles: the worst of many. Per number of cycles; for up to 2, 4, 8, … clusters.
const STEPS: [[u8; 10]; 4] = [
    [4, 4, 19, 80, 255, 255, 255, 255, 255, 255],
    [8, 8, 16, 46, 52, 52, 52, 52, 52, 52],
    [12, 12, 12, 20, 21, 21, 22, 22, 22, 23],
    [16, 16, 16, 16, 16, 16, 16, 16, 16, 16],
];

/// How many steps a walk takes over so many clusters on `h` cycles (`hamlet-lab bench walks` shows how evenly it ends). One cycle
/// is a ring, on which no walk of bearable length is spread evenly over more than 16 clusters.
pub fn length(clusters: usize, h: u8) -> u8 {
    if clusters <= 1 {
        return 0;
    }
    let doublings = clusters.next_power_of_two().trailing_zeros() as usize;
    let steps = &STEPS[usize::from(h.clamp(1, 4)) - 1];
    let last = steps.len();
    let more = doublings.saturating_sub(last) as u8;
    let pair = if clusters == 2 { 4 * h } else { 0 };
    steps[doublings.min(last) - 1]
        .saturating_add(more)
        .max(pair)
}

/// The walks that go from a cluster to one neighbour as one of its epochs ends. The next epoch's charter names their hash, so
/// its handover proves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The cluster that they come from.
    pub from: u64,
    /// The number of the epoch that names them: the first after they left.
    pub epoch: u64,
    /// The walks.
    pub walks: Vec<Walk>,
}

impl Batch {
    /// What a charter names.
    pub fn hash(walks: &[Walk]) -> Hash {
        Domain::Walks.hash(&[&wire::encode(&walks)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leads_every_way_equally_often() {
        let places = [(1, 2), (3, 1), (4, 5)].map(|(before, after)| Place { before, after });
        let mut count = std::collections::BTreeMap::new();
        for number in 0..70_000u64 {
            let mut walk = Hash::default();
            walk.0[..8].copy_from_slice(&number.to_le_bytes());
            *count
                .entry(step(Hash([9; 32]), walk, 3, &places))
                .or_insert(0) += 1;
        }
        // One way to each, but two to cluster 1.
        for (to, share) in [
            (None, 1),
            (Some(1), 2),
            (Some(2), 1),
            (Some(3), 1),
            (Some(4), 1),
            (Some(5), 1),
        ] {
            let count = count[&to];
            let expected = 10_000 * share;
            // Five standard deviations.
            assert!(i32::abs(count - expected) < 700, "{to:?}: {count}");
        }
    }

    #[test]
    fn walks_are_longer_where_there_is_more_to_mix() {
        assert_eq!(length(1, 3), 0);
        assert_eq!(length(2, 8), 32);
        for h in 1..=8 {
            assert!((1..100_000).all(|n| length(n.max(3), h) <= length(n.max(3) + 1, h)));
        }
        assert_eq!(
            (length(32, 3), length(1024, 3), length(4096, 3)),
            (21, 23, 25)
        );
    }
}
