//! What one combination came to, and all of them as a table.

use super::{Run, Vary};
use crate::learn::outcome::Point;
use hamlet_gossip_learning::graph::measure::{clustering, modularity, spectral_gap};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The mean over seeds of what one combination came to. Errors are shares of wrong labels, or root mean
/// squared errors.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Line {
    /// The values of the options varied.
    pub values: Vec<String>,
    /// The graph's spectral gap, clustering coefficient and modularity, if there is a graph.
    pub graph: Option<[f64; 3]>,
    /// Local models on rows of the own community, after the last round,
    pub error_mean: f64,
    /// in the worst community,
    pub error_worst_community: f64,
    /// and at the best round.
    pub error_lowest: f64,
    /// Global models on all rows, after the last round.
    pub global_error_mean: f64,
    /// The round from which local models are within 5 % of their lowest error for the first time.
    pub local_settled_round: f64,
    /// The same of global models.
    pub global_settled_round: f64,
}

/// How near the lowest error counts as settled.
const SETTLED: f64 = 1.05;

impl Line {
    /// The line of one run.
    pub fn of(values: &[String], run: &Run) -> Line {
        let curve = &run.outcome.curve;
        let last = curve.last();
        let lowest = |of: fn(&Point) -> f64| curve.iter().map(of).fold(f64::INFINITY, f64::min);
        let settled = |of: fn(&Point) -> f64| {
            let bound = SETTLED * lowest(of);
            let first = curve.iter().find(|point| of(point) <= bound);
            first.map_or(0.0, |point| f64::from(point.round))
        };
        let at_end = |of: fn(&Point) -> f64| last.map_or(f64::NAN, of);
        Line {
            values: values.to_vec(),
            graph: run.stage.graph().map(|graph| {
                [
                    spectral_gap(graph),
                    clustering(graph).mean,
                    modularity(graph),
                ]
            }),
            error_mean: at_end(|point| point.error_mean),
            error_worst_community: at_end(|point| point.error_worst_community),
            error_lowest: lowest(|point| point.error_mean),
            global_error_mean: at_end(|point| point.global_error_mean),
            local_settled_round: settled(|point| point.error_mean),
            global_settled_round: settled(|point| point.global_error_mean),
        }
    }

    /// The mean of some lines of the same values.
    pub fn mean(lines: &[&Line]) -> Option<Line> {
        let first = lines.first()?;
        let mean = |of: &dyn Fn(&Line) -> f64| {
            lines.iter().map(|line| of(line)).sum::<f64>() / lines.len() as f64
        };
        let graph = |place: usize| mean(&|line| line.graph.map_or(f64::NAN, |graph| graph[place]));
        Some(Line {
            values: first.values.clone(),
            graph: first.graph.map(|_| [graph(0), graph(1), graph(2)]),
            error_mean: mean(&|line| line.error_mean),
            error_worst_community: mean(&|line| line.error_worst_community),
            error_lowest: mean(&|line| line.error_lowest),
            global_error_mean: mean(&|line| line.global_error_mean),
            local_settled_round: mean(&|line| line.local_settled_round),
            global_settled_round: mean(&|line| line.global_settled_round),
        })
    }
}

/// The lines as a table of Markdown; with two options varied, first the errors as rows and columns.
pub fn table(varied: &[Vary], lines: &[Line]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let [rows, columns] = varied {
        let names: Vec<&str> = columns.values.iter().map(|(name, _)| &name[..]).collect();
        let _ = writeln!(text, "| {} | {} |", rows.option, names.join(" | "));
        let _ = writeln!(text, "|{}", " --- |".repeat(names.len() + 1));
        for (row, _) in &rows.values {
            let cell = |column: &&str| {
                let found = lines
                    .iter()
                    .find(|line| line.values[0] == *row && line.values[1] == **column);
                found.map_or("–".to_owned(), |line| format!("{:.3}", line.error_mean))
            };
            let cells: Vec<String> = names.iter().map(cell).collect();
            let _ = writeln!(text, "| {row} | {} |", cells.join(" | "));
        }
        text.push('\n');
    }
    let options: Vec<&str> = varied.iter().map(|vary| &vary.option[..]).collect();
    let graphs = lines.iter().any(|line| line.graph.is_some());
    let of_graph = if graphs {
        " spectral gap | clustering | modularity |"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "| {} |{of_graph} error | worst community | lowest | settled | global | settled |",
        options.join(" | ")
    );
    let columns = options.len() + 6 + if graphs { 3 } else { 0 };
    let _ = writeln!(text, "|{}", " --- |".repeat(columns));
    for line in lines {
        let _ = write!(text, "| {} |", line.values.join(" | "));
        if let Some([gap, clustering, modularity]) = line.graph {
            let _ = write!(text, " {gap:.3} | {clustering:.2} | {modularity:.2} |");
        }
        let _ = writeln!(
            text,
            " {:.3} | {:.3} | {:.3} | {:.0} | {:.3} | {:.0} |",
            line.error_mean,
            line.error_worst_community,
            line.error_lowest,
            line.local_settled_round,
            line.global_error_mean,
            line.global_settled_round,
        );
    }
    text
}
