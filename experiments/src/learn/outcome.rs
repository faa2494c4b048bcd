//! What a run found, as JSON and CSV.

use super::baselines::Baselines;
use hamlet_gossip_learning::arena::{Measures, Traffic};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The state after one round. Errors are shares of wrong labels, or root mean squared errors; of k-means, root mean
/// squared distances from the nearest centre.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The round, from 1.
    pub round: u32,
    /// Local models on test rows of the peer's own community: mean over peers,
    pub error_mean: f64,
    /// 95th percentile over peers,
    pub error_p95: f64,
    /// mean of the worst community.
    pub error_worst_community: f64,
    /// Local models on all test rows.
    pub error_all_mean: f64,
    /// Global models on all test rows; the same models where nothing is gated.
    pub global_error_mean: f64,
    /// Global models on test rows of the peer's own community.
    pub global_error_own_mean: f64,
    /// The age of local models: mean,
    pub age_mean: f64,
    /// 5th percentile,
    pub age_p5: f64,
    /// 95th percentile.
    pub age_p95: f64,
    /// Mean cosine similarity of two local models of one community,
    pub cosine_within: f64,
    /// of two communities; none if there is one.
    pub cosine_between: Option<f64>,
    /// Messages sent so far.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that receivers refused so far.
    pub refused: u64,
}

impl Point {
    /// The point of a round.
    pub fn of(round: u32, measures: &Measures, traffic: Traffic) -> Point {
        Point {
            round,
            error_mean: measures.local.own_mean,
            error_p95: measures.local.own_p95,
            error_worst_community: measures.local.own_worst_community,
            error_all_mean: measures.local.all_mean,
            global_error_mean: measures.global.all_mean,
            global_error_own_mean: measures.global.own_mean,
            age_mean: measures.age_mean,
            age_p5: measures.age_p5,
            age_p95: measures.age_p95,
            cosine_within: measures.cosine_within,
            cosine_between: measures.cosine_between,
            messages: traffic.messages,
            bytes: traffic.bytes,
            refused: traffic.refused,
        }
    }
}

/// What a run under one seed found.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Peers.
    pub peers: usize,
    /// Rounds done.
    pub rounds: u32,
    /// False when the run was ended before all rounds were done.
    pub finished: bool,
    /// The model, as on the command line.
    pub model: String,
    /// The merge rule.
    pub merge: String,
    /// The sampler.
    pub sampler: String,
    /// The defence, or `none`.
    pub defence: String,
    /// The seed.
    pub seed: u64,
    /// What was measured, in the order of rounds.
    pub curve: Vec<Point>,
    /// Errors to compare with.
    pub baselines: Baselines,
    /// Time from start to end, judging and baselines included.
    pub wall_seconds: f64,
    /// Rounds times peers over the seconds spent in rounds.
    pub peer_rounds_per_s: f64,
    /// The most memory that the process held.
    pub peak_rss_bytes: u64,
}

/// The curves as CSV, one row per seed and round.
pub fn csv(outcomes: &[Outcome]) -> String {
    let mut text = "seed,round,error_mean,error_p95,error_worst_community,error_all_mean,\
        global_error_mean,global_error_own_mean,age_mean,age_p5,age_p95,cosine_within,\
        cosine_between,messages,bytes,refused\n"
        .to_owned();
    for outcome in outcomes {
        for p in &outcome.curve {
            let between = p
                .cosine_between
                .map(|cosine| format!("{cosine:.6}"))
                .unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{:.6},{:.6},{:.6},{:.6},{:.6},{:.6},{:.3},{:.3},{:.3},{:.6},{between},{},{},{}",
                outcome.seed,
                p.round,
                p.error_mean,
                p.error_p95,
                p.error_worst_community,
                p.error_all_mean,
                p.global_error_mean,
                p.global_error_own_mean,
                p.age_mean,
                p.age_p5,
                p.age_p95,
                p.cosine_within,
                p.messages,
                p.bytes,
                p.refused,
            );
        }
    }
    text
}
