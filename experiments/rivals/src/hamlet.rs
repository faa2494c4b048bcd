//! Hamlet's engine: a command for each block, submitted to the leader as soon as the one before is decided.

use crate::race::{Result, Run, Signatures, cpu};
use hamlet_consensus::member::Member;
use hamlet_simulator::agreement::{Cluster, Setup};
use std::time::Duration;

/// Runs a cluster until enough is decided.
pub fn race(run: Run) -> Result {
    let mut setup = Setup::new(run.members, Duration::from_millis(run.link_ms));
    setup.real = matches!(run.signatures, Signatures::Ed25519);
    let mut cluster = Cluster::new(setup);
    let mut latencies = Vec::new();
    let began = cpu();
    let mut place = 0;
    while cluster.height() < run.decisions {
        // All have executed what came before, so they are in one view and its leader proposes at once.
        let leader = cluster.view(0).unwrap_or(1) % u64::from(run.members);
        let proposed = cluster.now();
        cluster.submit(
            leader as Member,
            vec![(place as u64).to_le_bytes().to_vec()],
        );
        place += 1;
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() >= place
        });
        if let Some((_, last)) = cluster.executed_at(place - 1) {
            latencies.push(last.saturating_sub(proposed));
        }
    }
    Result {
        decisions: cluster.height(),
        cpu: cpu() - began,
        latencies,
    }
}
