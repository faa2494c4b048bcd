//! The table that a person reads after a run.

use super::outcome::{Outcome, Point};

/// An error to compare with: its name, and where it is found.
type Baseline = (&'static str, fn(&Outcome) -> Option<f64>);

/// Prints what a person wants to know, the mean over seeds.
pub fn tell(outcomes: &[Outcome]) {
    let Some(first) = outcomes.first() else {
        return;
    };
    let Outcome {
        peers,
        model,
        merge,
        sampler,
        defence,
        ..
    } = first;
    let seeds = outcomes.len();
    println!("{peers} peers, {model} {merge}, {sampler}, defence {defence}, {seeds} seed(s)");
    println!("round   local: mean    p95  worst   global    age   messages");
    let common = |round: u32| {
        let point = |outcome: &Outcome| outcome.curve.iter().find(|p| p.round == round).copied();
        outcomes.iter().map(point).collect::<Option<Vec<_>>>()
    };
    let told = |round: u32| {
        let mut scale = 1;
        while round / scale >= 10 {
            scale *= 10;
        }
        round.is_multiple_of(scale) && [1, 2, 3, 4, 5, 7].contains(&(round / scale))
    };
    let last = first.curve.last().map_or(0, |point| point.round);
    for point in first
        .curve
        .iter()
        .filter(|p| told(p.round) || p.round == last)
    {
        let Some(points) = common(point.round) else {
            continue;
        };
        let mean = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
        println!(
            "{:>5} {:>13.4} {:>6.3} {:>6.3} {:>8.4} {:>6.0} {:>10.0}",
            point.round,
            mean(|p| p.error_mean),
            mean(|p| p.error_p95),
            mean(|p| p.error_worst_community),
            mean(|p| p.global_error_mean),
            mean(|p| p.age_mean),
            mean(|p| p.messages as f64),
        );
    }
    let mean = |of: fn(&Outcome) -> Option<f64>| {
        let known: Option<Vec<f64>> = outcomes.iter().map(of).collect();
        known.map(|known| known.iter().sum::<f64>() / known.len() as f64)
    };
    let baselines: [Baseline; 6] = [
        ("central", |o| o.baselines.central),
        ("per community", |o| o.baselines.per_community_mean),
        ("ridge", |o| o.baselines.ridge),
        ("ridge per community", |o| o.baselines.ridge_per_community),
        ("bagging WB1", |o| o.baselines.wb1),
        ("WB2", |o| o.baselines.wb2),
    ];
    let known = baselines
        .iter()
        .filter_map(|(name, of)| mean(*of).map(|e| format!("{name} {e:.4}")));
    let known: Vec<String> = known.collect();
    if !known.is_empty() {
        println!("without gossip: {}", known.join(", "));
    }
    let speed = outcomes.iter().map(|o| o.peer_rounds_per_s).sum::<f64>() / seeds as f64;
    println!(
        "{speed:.0} peer-rounds/s per run; {:.1} s",
        first.wall_seconds
    );
}
