//! What the worlds came to: one by one, their mean, and the worst of them.

use hamlet_simulator::{Figures, invariant::Violation};
use serde::Serialize;
use serde_json::{Map, Value};

/// The figures of one world, and what they took.
#[derive(Clone, Serialize)]
pub struct Run {
    /// What follows from the settings.
    #[serde(flatten)]
    pub figures: Figures,
    /// What the adversaries do.
    pub behavior: String,
    /// The share of the peers that leave in a minute.
    pub churn_per_minute: f64,
    /// How long the run took, in seconds.
    pub wall_seconds: f64,
    /// The processor time that it took, in seconds; less than `wall_seconds` on a busy machine.
    pub cpu_seconds: Option<f64>,
    /// Seconds of stream per second of the run.
    pub sim_seconds_per_wall_second: f64,
    /// The rules that were broken, the first few of them.
    #[serde(skip)]
    pub violations: Vec<Violation>,
}

/// Whether a higher value of a figure is the worse one; `None` for those that are not good or bad.
fn higher_is_worse(figure: &str) -> Option<bool> {
    match figure {
        "delivered_ratio"
        | "on_time_ratio"
        | "on_time_ratio_worst_peer"
        | "placed_ratio"
        | "epochs_per_min_min"
        | "sim_seconds_per_wall_second" => Some(false),
        "repaired_ratio"
        | "upload_ratio_mean"
        | "upload_ratio_max"
        | "upload_ratio_p99"
        | "control_bytes_per_peer_per_s"
        | "handshakes_per_peer_per_min"
        | "captured_cluster_share"
        | "honest_called_silent_ratio"
        | "stopped_after_ms"
        | "source_upload_ratio"
        | "live_ratio"
        | "digest_ratio"
        | "notice_ratio"
        | "pull_ratio"
        | "backlog_ratio"
        | "control_ratio"
        | "connections_per_peer"
        | "p50"
        | "p99"
        | "max"
        | "playing_ms_p50"
        | "playing_ms_p99"
        | "place_ms_p50"
        | "place_ms_p90"
        | "place_ms_p99"
        | "invariant_violations"
        | "wall_seconds" => Some(true),
        _ => None,
    }
}

/// The results as JSON: the figures of the only world; or their means under the same names, with the
/// `worst` of each and its seed, and all `runs`.
pub fn to_json(runs: &[Run], peak_rss_bytes: u64) -> serde_json::Result<Value> {
    let mut all = Vec::new();
    for run in runs {
        all.push(serde_json::to_value(run)?);
    }
    let mut summary = summary(&all);
    summary.insert("peak_rss_bytes".to_owned(), peak_rss_bytes.into());
    Ok(Value::Object(summary))
}

/// The figures of the only world; or their means under the same names, with the `worst` of each and its
/// seed, and all `runs`.
pub fn summary(runs: &[Value]) -> Map<String, Value> {
    match runs {
        [] => Map::new(),
        [only] => only.as_object().cloned().unwrap_or_default(),
        several => summarise(several),
    }
}

fn summarise(runs: &[Value]) -> Map<String, Value> {
    let seeds: Vec<&Value> = runs.iter().map(|run| &run["seed"]).collect();
    let mut summary = Map::new();
    let mut worst = Map::new();
    for (name, first) in runs[0].as_object().into_iter().flatten() {
        let values: Vec<&Value> = runs.iter().map(|run| &run[name]).collect();
        match name.as_str() {
            "seed" | "trace_hash" | "worst_clusters" => continue,
            "latency_ms" | "joins" => {
                let mut means = Map::new();
                let mut worst_of = Map::new();
                let parts = first.as_object().into_iter().flat_map(Map::keys);
                let parts = parts.filter(|part| *part != "worst_peers");
                for part in parts {
                    let values: Vec<&Value> = values.iter().map(|value| &value[part]).collect();
                    means.insert(part.clone(), mean(&values));
                    worst_of.extend(worst_value(part, &values, &seeds));
                }
                summary.insert(name.clone(), means.into());
                worst.insert(name.clone(), worst_of.into());
            }
            "refused" | "control_bytes_by_kind" => {
                let mut sums = Map::new();
                for (kind, count) in values
                    .iter()
                    .filter_map(|value| value.as_object())
                    .flatten()
                {
                    let sum = sums.get(kind).and_then(Value::as_u64).unwrap_or(0);
                    sums.insert(kind.clone(), (sum + count.as_u64().unwrap_or(0)).into());
                }
                summary.insert(name.clone(), sums.into());
            }
            "evicted" => {
                let mut sums = Map::new();
                for kind in ["byzantine", "honest"] {
                    let sum: u64 = values.iter().filter_map(|value| value[kind].as_u64()).sum();
                    sums.insert(kind.to_owned(), sum.into());
                }
                summary.insert(name.clone(), sums.into());
            }
            "invariant_violations" | "events" => {
                let sum: u64 = values.iter().filter_map(|value| value.as_u64()).sum();
                summary.insert(name.clone(), sum.into());
            }
            "bytes_identical" => {
                let all = values.iter().all(|value| **value == Value::Bool(true));
                summary.insert(name.clone(), all.into());
            }
            _ if values.iter().all(|value| *value == first) => {
                summary.insert(name.clone(), first.clone());
            }
            _ => {
                summary.insert(name.clone(), mean(&values));
            }
        }
        worst.extend(worst_value(name, &values, &seeds));
    }
    summary.insert("seeds".to_owned(), seeds.into_iter().cloned().collect());
    summary.insert("worst".to_owned(), worst.into());
    summary.insert("runs".to_owned(), runs.into());
    summary
}

/// The mean; nothing if any of the values is infinite, which is written as null.
fn mean(values: &[&Value]) -> Value {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
    numbers.map_or(Value::Null, |numbers| {
        (numbers.iter().sum::<f64>() / numbers.len() as f64).into()
    })
}

/// The worst value of a figure, with its seed.
fn worst_value(figure: &str, values: &[&Value], seeds: &[&Value]) -> Option<(String, Value)> {
    let higher_is_worse = higher_is_worse(figure)?;
    // Null stands for infinite.
    let badness = |value: &Value| {
        let number = value.as_f64().unwrap_or(f64::INFINITY);
        if higher_is_worse { number } else { -number }
    };
    let (value, seed) = values
        .iter()
        .zip(seeds)
        .max_by(|(a, _), (b, _)| badness(a).total_cmp(&badness(b)))?;
    let mut worst = Map::new();
    worst.insert("value".to_owned(), (*value).clone());
    worst.insert("seed".to_owned(), (*seed).clone());
    Some((figure.to_owned(), worst.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{scenario::Scenario, trial};
    use serde_json::json;

    #[test]
    fn every_figure_has_its_name() {
        let scenario = Scenario {
            peers: 16,
            seconds: 1.0,
            adversaries: vec![hamlet_simulator::settings::Adversaries::new(
                0.1,
                "late:100".parse().unwrap(),
            )],
            ..Scenario::default()
        };
        let run = trial::run(&scenario, 3).unwrap();
        let results = to_json(&[run], 1).unwrap();
        for name in [
            "peers",
            "clusters",
            "byzantine",
            "behavior",
            "churn_per_minute",
            "seconds",
            "seed",
            "delivered_ratio",
            "on_time_ratio",
            "on_time_ratio_worst_peer",
            "upload_ratio_mean",
            "upload_ratio_p99",
            "source_upload_ratio",
            "digest_ratio",
            "notice_ratio",
            "pull_ratio",
            "control_bytes_per_peer_per_s",
            "connections_per_peer",
            "latency_ms",
            "captured_cluster_share",
            "evicted",
            "invariant_violations",
            "events",
            "wall_seconds",
            "sim_seconds_per_wall_second",
            "peak_rss_bytes",
            "trace_hash",
        ] {
            assert!(!results[name].is_null(), "{name}");
        }
        assert_eq!(results["behavior"], "late:100");
        assert_eq!(results["byzantine"], 2);
    }

    #[test]
    fn several_runs_give_means_and_the_worst_with_its_seed() {
        let run = |seed: u64, on_time: f64, p99: Value| {
            json!({
                "seed": seed, "on_time_ratio": on_time, "evicted": { "byzantine": 1, "honest": 0 }, "behavior": "silent", "upload_ratio_mean": 1.0, "bytes_identical": seed != 2,
                "worst_clusters": [], "latency_ms": { "p50": 1.0, "p99": p99, "max": 3.0 }, "refused": { "duplicate": seed }, "peers": 9,
            })
        };
        let runs = [
            run(1, 1.0, json!(8.0)),
            run(2, 0.5, json!(null)),
            run(3, 0.75, json!(9.0)),
        ];
        let summary = Value::Object(summarise(&runs));
        assert_eq!(summary["on_time_ratio"], 0.75);
        assert_eq!(
            summary["worst"]["on_time_ratio"],
            json!({ "value": 0.5, "seed": 2 })
        );
        assert_eq!(
            summary["worst"]["latency_ms"]["p99"],
            json!({ "value": null, "seed": 2 })
        );
        assert_eq!(summary["latency_ms"]["p99"], Value::Null);
        assert_eq!(summary["latency_ms"]["p50"], 1.0);
        assert_eq!(summary["refused"]["duplicate"], 6);
        assert_eq!(summary["bytes_identical"], false);
        assert_eq!(summary["evicted"], json!({ "byzantine": 3, "honest": 0 }));
        assert_eq!(summary["behavior"], "silent");
        assert_eq!(summary["peers"], 9);
        assert_eq!(summary["seeds"], json!([1, 2, 3]));
    }
}
