//! What it costs that members change, and how long newcomers wait.

use super::{
    plan::{Plan, Wish},
    world::World,
};
use hamlet_consensus::Model;
use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Clusters, and members of each.
    pub clusters: u8,
    /// See there.
    pub size: u8,
    /// What clusters assume.
    pub model: Model,
    /// How long an epoch lasts at least, in milliseconds.
    pub epoch_ms: u32,
    /// How many members of each cluster are replaced in every epoch.
    pub replaced: u8,
    /// For how long, in seconds.
    pub seconds: u16,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Clusters, and members of each.
    pub clusters: u8,
    /// See there.
    pub members: u8,
    /// Members replaced in each cluster and epoch.
    pub replaced: u8,
    /// Epochs that a cluster went through in a minute, on average.
    pub epochs_per_minute: f64,
    /// Bytes of agreement that a member sends in a second, on average: inside the cluster and to neighbours.
    pub control_bytes_per_member_s: f64,
    /// From the moment at which all operators want a newcomer until it is a member, the median; none without newcomers.
    pub member_ms: Option<f64>,
    /// The same until it relays its first shard: the median, and the longest.
    pub relays_ms: Option<f64>,
    /// See there.
    pub relays_max_ms: Option<f64>,
    /// How many newcomers arrived, of how many.
    pub arrived: usize,
    /// See there.
    pub newcomers: usize,
}

/// The time before anything is counted, in milliseconds.
const WARM_UP_MS: u64 = 3_000;

/// Measures.
///
/// # Errors
/// If a promise was broken meanwhile: what happened.
pub fn measure(setting: Setting) -> Result<Cost, String> {
    let Setting {
        clusters,
        size,
        model,
        epoch_ms,
        replaced,
        seconds,
    } = setting;
    let all = u64::from(seconds) * 1000;
    let rounds = (WARM_UP_MS..WARM_UP_MS + all).step_by(epoch_ms as usize);
    let each = (0..clusters).flat_map(|cluster| (0..replaced).map(move |_| cluster));
    let wishes = rounds.flat_map(|at| {
        each.clone()
            .map(move |cluster| (at, cluster, Wish::Replace))
    });
    let plan = Plan {
        seed: 1,
        clusters,
        size,
        // Room for those who come before others have left.
        slots: (size + 2 * replaced.max(2), size / 2),
        members_max: size + replaced.max(1),
        model,
        epoch_ms,
        latency: (20_000, 100_000),
        loss: 0,
        silent: 0,
        wishes: wishes.collect(),
        crashes: Vec::new(),
        stable_at: WARM_UP_MS + all,
    };
    let mut world = World::new(plan);
    world.live_until(WARM_UP_MS * 1000);
    let before: u64 = world.control.values().sum();
    world.live_until((WARM_UP_MS + all) * 1000);
    let sent = world.control.values().sum::<u64>() - before;
    if let Some(violation) = &world.oracle.broken {
        return Err(format!("{}: {}", violation.invariant(), violation.detail()));
    }
    let epochs: u64 = (0..clusters)
        .map(|cluster| world.epoch_of(cluster.into()))
        .sum();
    let newcomers = world.arrivals.len();
    let since = |at: Option<u64>, wanted: u64| Some((at? - wanted) as f64 / 1e3);
    let arrivals = || world.arrivals.values();
    let mut began: Vec<f64> = arrivals()
        .filter_map(|one| since(one.began, one.wanted))
        .collect();
    let mut relays: Vec<f64> = arrivals()
        .filter_map(|one| since(one.relays, one.wanted))
        .collect();
    began.sort_by(f64::total_cmp);
    relays.sort_by(f64::total_cmp);
    let median = |sorted: &[f64]| sorted.get(sorted.len() / 2).copied();
    let members = f64::from(clusters) * f64::from(size);
    Ok(Cost {
        clusters,
        members: size,
        replaced,
        epochs_per_minute: epochs as f64 / f64::from(clusters) / (all as f64 / 60_000.0),
        control_bytes_per_member_s: sent as f64 / members / (all as f64 / 1000.0),
        member_ms: median(&began),
        relays_ms: median(&relays),
        relays_max_ms: relays.last().copied(),
        arrived: relays.len(),
        newcomers,
    })
}
