//! How long one command takes.

use super::{Row, command, cpu, next_leader, setup};
use hamlet_consensus::Model;
use hamlet_simulator::agreement::{Cluster, Setup};
use serde::Serialize;
use std::time::Duration;

/// How long one command takes until all members have executed it.
#[derive(Serialize)]
pub struct Latency {
    /// The bound on delays, under synchrony.
    bound_ms: Option<u64>,
    members: u8,
    silent: usize,
    link_ms: u64,
    /// In delays of the link, submitted to the leader of the next view; without computing.
    delays_from_leader: f64,
    /// The same, submitted to the members in turn.
    delays_mean: f64,
    /// With computing, from the leader.
    from_leader_median_ms: f64,
    /// The longest.
    from_leader_max_ms: f64,
}

impl Row for Latency {
    const HEAD: &str = "bound_ms members silent link_ms  delays_from_leader delays_mean from_leader_median_ms from_leader_max_ms";

    fn line(&self) -> String {
        format!(
            "{:>8} {:7} {:6} {:7}  {:18.2} {:11.2} {:21.2} {:18.2}",
            self.bound_ms.map_or("-".into(), |bound| bound.to_string()),
            self.members,
            self.silent,
            self.link_ms,
            self.delays_from_leader,
            self.delays_mean,
            self.from_leader_median_ms,
            self.from_leader_max_ms
        )
    }
}

/// Submits so many commands one after the other.
pub fn measure(model: Model, members: u8, silent: usize, link_ms: u64, count: usize) -> Latency {
    let link = Duration::from_millis(link_ms);
    // Without computing a link of no delay would leave nothing to measure.
    let unit = link.max(Duration::from_millis(1));
    let mut plain = setup(members, silent, unit);
    plain.model = model;
    let mut real = setup(members, silent, link);
    real.model = model;
    real.real = true;
    real.clock = Some(cpu);
    let from_leader = take(real, count, true);
    Latency {
        bound_ms: model.bound().map(|bound| bound.as_millis() as u64),
        members,
        silent,
        link_ms,
        delays_from_leader: median(&take(plain.clone(), count, true)) / unit.as_secs_f64(),
        delays_mean: mean(&take(plain, count, false)) / unit.as_secs_f64(),
        from_leader_median_ms: 1e3 * median(&from_leader),
        from_leader_max_ms: (from_leader.last()).map_or(f64::NAN, |most| 1e3 * most.as_secs_f64()),
    }
}

/// How long each command took until all alive had executed it, sorted.
fn take(setup: Setup, count: usize, to_leader: bool) -> Vec<Duration> {
    let (members, link) = (setup.members, setup.link);
    let begun = setup.model.bound().unwrap_or_default() * 2;
    let pause = link.max(Duration::from_millis(1)) * 5;
    let mut cluster = Cluster::new(setup);
    // Everybody has begun then, under synchrony too (S10).
    cluster.run(begun.max(pause), |_| false);
    let alive = cluster.alive();
    let mut took = Vec::new();
    for place in 0..count {
        let leader = next_leader(&cluster, members);
        let member = if to_leader {
            leader
        } else {
            alive[place % alive.len()]
        };
        let began = cluster.now();
        cluster.submit(member, vec![command(place)]);
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() > place
        });
        if let Some((_, last)) = cluster.executed_at(place) {
            took.push(last.saturating_sub(began));
        }
        cluster.run(pause, |_| false);
    }
    took.sort();
    took
}

fn median(sorted: &[Duration]) -> f64 {
    sorted
        .get(sorted.len() / 2)
        .map_or(f64::NAN, Duration::as_secs_f64)
}

fn mean(all: &[Duration]) -> f64 {
    all.iter().sum::<Duration>().as_secs_f64() / all.len() as f64
}
