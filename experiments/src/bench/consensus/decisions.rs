//! How fast the simulator lets a cluster decide.

use super::{Row, cpu, cpu_since, next_leader, setup};
use hamlet_simulator::agreement::Cluster;
use serde::Serialize;
use std::time::Duration;

/// Cheap signatures, one command a decision.
#[derive(Serialize)]
pub struct Decisions {
    members: u8,
    silent: usize,
    decisions: u64,
    simulated_decisions_per_cpu_s: f64,
}

impl Row for Decisions {
    const HEAD: &str = "members silent  simulated_decisions_per_cpu_s";

    fn line(&self) -> String {
        format!(
            "{:7} {:6}  {:29.0}",
            self.members, self.silent, self.simulated_decisions_per_cpu_s
        )
    }
}

/// Has a cluster decide so many times.
pub fn measure(members: u8, silent: usize, decisions: u64) -> Decisions {
    let mut cluster = Cluster::new(setup(members, silent, Duration::from_millis(20)));
    let began = cpu();
    let mut place = 0;
    while cluster.height() < decisions {
        let leader = next_leader(&cluster, members);
        cluster.submit(leader, vec![(place as u64).to_le_bytes().to_vec()]);
        place += 1;
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() >= place
        });
    }
    Decisions {
        members,
        silent,
        decisions: cluster.height(),
        simulated_decisions_per_cpu_s: cluster.height() as f64 / cpu_since(began),
    }
}
