//! How good the models are, over a sample of honest peers.

use super::{Arena, Kind, World};
use crate::{Row, Task, model::Model, protocol::vote, random, vector};
use serde::{Deserialize, Serialize};

/// Errors of one kind of model: the share of wrong labels, or the root mean squared error. For centres of rows, which predict no
/// label, the root mean squared distance of rows from the nearest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean over peers, on the test rows of each peer's own community.
    pub own_mean: f64,
    /// The 95th percentile over peers of the same.
    pub own_p95: f64,
    /// The mean of the worst community of the same.
    pub own_worst_community: f64,
    /// The mean over peers, on all test rows.
    pub all_mean: f64,
}

/// The state of a network after a round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The local models.
    pub local: Scores,
    /// The global models; the same models as the local ones where nothing is gated.
    pub global: Scores,
    /// The mean age of the local models.
    pub age_mean: f64,
    /// The ages' 5th percentile.
    pub age_p5: f64,
    /// The ages' 95th percentile.
    pub age_p95: f64,
    /// The mean cosine similarity of two local models of one community.
    pub cosine_within: f64,
    /// The mean cosine similarity of two local models of different communities; none if there is one
    /// community.
    pub cosine_between: Option<f64>,
}

/// Honest peers to look at: about `size` of them, some of every community. `purpose` varies the draw.
pub fn sample(arena: &Arena, world: World<'_>, size: usize, purpose: u64) -> Vec<u32> {
    let communities = world.data.communities.len().max(1);
    let mut rng = random::stream(arena.settings().seed ^ SAMPLE, purpose);
    let mut peers: Vec<u32> = (0..arena.peers() as u32)
        .filter(|peer| !arena.is_byzantine(*peer as usize))
        .collect();
    let each = (size / communities / 2).max(1);
    let mut taken = vec![0; communities];
    let mut chosen = Vec::new();
    let mut spare = Vec::new();
    // Draw from the front of a shuffle, without shuffling what is never looked at.
    let mut drawn = 0;
    while drawn < peers.len() && (chosen.len() + spare.len()) < size.max(1) * 8 {
        let other = drawn + random::below(&mut rng, peers.len() - drawn);
        peers.swap(drawn, other);
        let peer = peers[drawn];
        let count = &mut taken[world.partition.community(peer as usize) as usize];
        *count += 1;
        if *count <= each {
            chosen.push(peer)
        } else {
            spare.push(peer)
        }
        drawn += 1;
    }
    let missing = size.saturating_sub(chosen.len()).min(spare.len());
    chosen.extend_from_slice(&spare[..missing]);
    chosen
}

/// Judges the models of `peers` on the test rows.
pub fn evaluate(arena: &Arena, world: World<'_>, peers: &[u32]) -> Measures {
    let sizes = community_sizes(world);
    let local = scores(arena, world, peers, Kind::Local, &sizes);
    let gated = arena.planes.len() > 1;
    let global = if gated {
        scores(arena, world, peers, Kind::Global, &sizes)
    } else {
        local
    };
    let mut ages: Vec<f64> = peers
        .iter()
        .map(|peer| f64::from(arena.age(*peer as usize, Kind::Local)))
        .collect();
    ages.sort_by(f64::total_cmp);
    let (within, between) = cosines(arena, world, peers);
    Measures {
        local,
        global,
        age_mean: mean(ages.iter().copied()).unwrap_or(0.0),
        age_p5: percentile(&ages, 0.05),
        age_p95: percentile(&ages, 0.95),
        cosine_within: within.unwrap_or(1.0),
        cosine_between: between,
    }
}

/// How many peers each community has.
fn community_sizes(world: World<'_>) -> Vec<f64> {
    let mut sizes = vec![0.0; world.data.communities.len().max(1)];
    (0..world.partition.peers()).for_each(|peer| {
        sizes[world.partition.community(peer) as usize] += 1.0;
    });
    sizes
}

fn scores(arena: &Arena, world: World<'_>, peers: &[u32], kind: Kind, sizes: &[f64]) -> Scores {
    let test = &world.data.test;
    let squares = world.data.task == Task::Regression || !arena.learner().predicts_labels();
    let mut own_errors = Vec::with_capacity(peers.len());
    // Of each community: peers looked at, sum of their errors on own rows and on all rows.
    let mut by_community = vec![(0.0, 0.0, 0.0); sizes.len()];
    for &peer in peers {
        let community = world.partition.community(peer as usize);
        let (mut own, mut all) = ((0.0, 0u32), (0.0, 0u32));
        for row in 0..test.len() {
            let off = miss(
                arena,
                world.data.task,
                peer,
                kind,
                test.row(row),
                test.label(row),
            );
            all = (all.0 + off, all.1 + 1);
            if world.data.test_community[row] == community {
                own = (own.0 + off, own.1 + 1);
            }
        }
        let error = |(sum, count): (f64, u32)| {
            let mean = sum / f64::from(count.max(1));
            if squares { mean.sqrt() } else { mean }
        };
        // A community without test rows is judged on all of them.
        let own = error(if own.1 > 0 { own } else { all });
        own_errors.push(own);
        let sums = &mut by_community[community as usize];
        *sums = (sums.0 + 1.0, sums.1 + own, sums.2 + error(all));
    }
    own_errors.sort_by(f64::total_cmp);
    // The sample takes small communities in on purpose: weigh them back.
    let weighted = |value: fn(&(f64, f64, f64)) -> f64| {
        let seen = || {
            by_community
                .iter()
                .zip(sizes)
                .filter(|(sums, _)| sums.0 > 0.0)
        };
        let total: f64 = seen().map(|(_, size)| size).sum();
        seen()
            .map(|(sums, size)| size * value(sums) / sums.0)
            .sum::<f64>()
            / total.max(1.0)
    };
    let seen = by_community.iter().filter(|sums| sums.0 > 0.0);
    Scores {
        own_mean: weighted(|sums| sums.1),
        own_p95: percentile(&own_errors, 0.95),
        own_worst_community: seen.map(|sums| sums.1 / sums.0).fold(0.0, f64::max),
        all_mean: weighted(|sums| sums.2),
    }
}

/// How far the peer's model misses a row: 0 or 1, or the squared difference or distance.
fn miss(arena: &Arena, task: Task, peer: u32, kind: Kind, row: Row<'_>, label: f32) -> f64 {
    let peer = peer as usize;
    if !arena.learner().predicts_labels() {
        let newest = arena.plane(kind).newest(peer);
        return f64::from(arena.learner().loss(newest, row, label));
    }
    let predicted = if arena.settings().cache > 1 {
        vote(arena.learner(), task, arena.cached(peer, kind), row)
    } else {
        arena.learner().predict(arena.newest(peer, kind), row)
    };
    match task {
        Task::Regression => f64::from(predicted - label).powi(2),
        _ => f64::from(u8::from(predicted != label)),
    }
}

/// The mean cosine similarity of pairs within and between communities.
fn cosines(arena: &Arena, world: World<'_>, peers: &[u32]) -> (Option<f64>, Option<f64>) {
    let (mut within, mut between) = (Vec::new(), Vec::new());
    let peers = &peers[..peers.len().min(COSINE_PEERS)];
    for (place, &a) in peers.iter().enumerate() {
        for &b in &peers[place + 1..] {
            let model = |peer: u32| arena.newest(peer as usize, Kind::Local);
            let cosine = f64::from(vector::cosine(model(a), model(b)));
            let community = |peer: u32| world.partition.community(peer as usize);
            if community(a) == community(b) {
                within.push(cosine)
            } else {
                between.push(cosine)
            }
        }
    }
    (mean(within.into_iter()), mean(between.into_iter()))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

/// The smallest value that at least `share` of the ascending `values` do not exceed.
fn percentile(values: &[f64], share: f64) -> f64 {
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Keeps the samples' draws apart from the rounds'.
const SAMPLE: u64 = 0x5eed_0f5a_3b1e_0001;
/// Peers compared pair by pair.
const COSINE_PEERS: usize = 64;
