//! The combinations as a table of Markdown.

use super::Vary;
use serde_json::Value;
use std::fmt::Write as _;

/// A combination: its values, and its results as `simulate --json` gives them.
pub struct Row {
    /// The values of the options varied.
    pub values: Vec<String>,
    /// The figures: of the only seed, or their means with the worst of each.
    pub results: Value,
}

/// The columns behind the values and the seeds.
const COLUMNS: [&str; 8] = [
    "on time, mean",
    "on time, worst seed (which)",
    "delivered, worst",
    "upload, mean",
    "upload, worst",
    "source, worst",
    "p50; p99, worst, ms",
    "broken rules",
];

/// All rows as a table.
pub fn table(varied: &[Vary], rows: &[Row]) -> String {
    let mut text = String::new();
    let options = varied.iter().map(|vary| &vary.option[..]);
    let heads: Vec<&str> = options.chain(["seeds"]).chain(COLUMNS).collect();
    // Writing into a text never fails.
    let _ = writeln!(text, "| {} |", heads.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(heads.len()));
    for Row { values, results } in rows {
        let seeds = results["seeds"].as_array().map_or(1, Vec::len);
        let (_, seed) = worst(results, "on_time_ratio");
        let latency = |part: &str| ms(&worst_latency(results, part));
        let cells = [
            ratio(&results["on_time_ratio"]),
            format!("{} ({seed})", ratio(&worst(results, "on_time_ratio").0)),
            ratio(&worst(results, "delivered_ratio").0),
            thousandths(&results["upload_ratio_mean"]),
            thousandths(&worst(results, "upload_ratio_mean").0),
            thousandths(&worst(results, "source_upload_ratio").0),
            format!("{}; {}", latency("p50"), latency("p99")),
            results["invariant_violations"].to_string(),
        ];
        let (values, cells) = (values.join(" | "), cells.join(" | "));
        let _ = writeln!(text, "| {values} | {seeds} | {cells} |");
    }
    text
}

/// The worst value of a figure, and its seed; with one seed, the value.
fn worst(results: &Value, figure: &str) -> (Value, Value) {
    match results["worst"].get(figure) {
        Some(worst) => (worst["value"].clone(), worst["seed"].clone()),
        None => (results[figure].clone(), results["seed"].clone()),
    }
}

fn worst_latency(results: &Value, part: &str) -> Value {
    let worst = results["worst"]["latency_ms"].get(part);
    worst.map_or(results["latency_ms"][part].clone(), |worst| {
        worst["value"].clone()
    })
}

fn ratio(value: &Value) -> String {
    match value.as_f64() {
        Some(1.0) => "1.0".to_owned(),
        // Rounded down: what is not all must not look like all.
        Some(share) => format!("{:.5}", (share * 1e5).floor() / 1e5),
        None => "–".to_owned(),
    }
}

fn thousandths(value: &Value) -> String {
    value
        .as_f64()
        .map_or("–".to_owned(), |value| format!("{value:.3}"))
}

/// What never came is infinitely late, and written as null.
fn ms(value: &Value) -> String {
    value
        .as_f64()
        .map_or("never".to_owned(), |ms| format!("{ms:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_show_means_the_worst_and_its_seed() {
        let one = json!({
            "seed": 4, "on_time_ratio": 1.0, "delivered_ratio": 1.0, "upload_ratio_mean": 1.25,
            "source_upload_ratio": 3.5, "latency_ms": { "p50": 100.4, "p99": 400.6 }, "invariant_violations": 0,
        });
        let several = json!({
            "seeds": [1, 2], "on_time_ratio": 0.999999, "upload_ratio_mean": 1.5, "invariant_violations": 2,
            "worst": {
                "on_time_ratio": { "value": 0.99, "seed": 2 }, "delivered_ratio": { "value": 1.0, "seed": 1 },
                "upload_ratio_mean": { "value": 1.75, "seed": 1 }, "source_upload_ratio": { "value": 5.0, "seed": 2 },
                "latency_ms": { "p50": { "value": 120.0, "seed": 1 }, "p99": { "value": null, "seed": 2 } },
            },
        });
        let varied = ["peers=100 200".parse().unwrap()];
        let row = |values: &str, results| Row {
            values: vec![values.to_owned()],
            results,
        };
        let text = table(&varied, &[row("100", one), row("200", several)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("| peers | seeds | on time, mean |"));
        let first = "| 100 | 1 | 1.0 | 1.0 (4) | 1.0 | 1.250 | 1.250 | 3.500 | 100; 401 | 0 |";
        assert_eq!(lines[2], first);
        let second =
            "| 200 | 2 | 0.99999 | 0.99000 (2) | 1.0 | 1.500 | 1.750 | 5.000 | 120; never | 2 |";
        assert_eq!(lines[3], second);
    }
}
