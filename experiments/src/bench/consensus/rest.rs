//! What is said when there is nothing to decide, and how long dead leaders hold everybody up.

use super::{Row, command, setup};
use hamlet_simulator::agreement::{Cluster, Setup};
use serde::Serialize;
use std::time::Duration;

const LINK: Duration = Duration::from_millis(20);

/// A cluster at rest.
#[derive(Serialize)]
pub struct Idle {
    members: u8,
    silent: usize,
    /// What a member that is up sends in a second, with a beat a second.
    idle_bytes_per_s: f64,
}

impl Row for Idle {
    const HEAD: &str = "members silent  idle_bytes_per_s";

    fn line(&self) -> String {
        format!(
            "{:7} {:6}  {:16.0}",
            self.members, self.silent, self.idle_bytes_per_s
        )
    }
}

/// Listens to a cluster for a minute.
pub fn idle(members: u8, silent: usize) -> Idle {
    const SECONDS: u64 = 60;
    let mut idle = setup(members, silent, LINK);
    idle.real = true;
    let mut cluster = Cluster::new(idle);
    let before = cluster.sent_bytes();
    cluster.run(Duration::from_secs(SECONDS), |_| false);
    let sent = (cluster.sent_bytes() - before) as f64;
    Idle {
        members,
        silent,
        idle_bytes_per_s: sent / SECONDS as f64 / cluster.alive().len() as f64,
    }
}

/// Leaders one after the other that are dead, and nobody knows.
#[derive(Serialize)]
pub struct DeadLeaders {
    members: u8,
    /// How many, beginning with the leader of the next view.
    dead: usize,
    link_ms: u64,
    /// From the submission to the execution by all.
    dead_leaders_first_ms: f64,
    /// The longest of the next two rounds of leaders, among whom they are.
    dead_leaders_again_ms: f64,
}

impl Row for DeadLeaders {
    const HEAD: &str = "members   dead link_ms  dead_leaders_first_ms dead_leaders_again_ms";

    fn line(&self) -> String {
        format!(
            "{:7} {:6} {:7}  {:21.0} {:21.0}",
            self.members,
            self.dead,
            self.link_ms,
            self.dead_leaders_first_ms,
            self.dead_leaders_again_ms
        )
    }
}

/// Submits a command when the next leaders are dead, and then one to each view of two rounds.
pub fn dead_leaders(members: u8, dead: usize) -> DeadLeaders {
    let mut setup = Setup::new(members, LINK);
    // Member 1 leads the first view.
    setup.silent = (1..=dead as u8).collect();
    let mut cluster = Cluster::new(setup);
    let mut took = Vec::new();
    for place in 0..1 + 2 * usize::from(members) {
        let began = cluster.now();
        cluster.submit(0, vec![command(place)]);
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() > place
        });
        took.push(1e3 * (cluster.now() - began).as_secs_f64());
        cluster.run(Duration::from_millis(500), |_| false);
    }
    let (first, again) = (took.remove(0), took.into_iter().fold(0.0, f64::max));
    DeadLeaders {
        members,
        dead,
        link_ms: LINK.as_millis() as u64,
        dead_leaders_first_ms: first,
        dead_leaders_again_ms: again,
    }
}
