//! Curves over rounds, as inline SVG.

use super::axis::{Axis, label};
use crate::graph::picture::escape;
use std::{collections::BTreeMap, fmt::Write};

/// Curves over rounds; rounds lie on a logarithmic axis.
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// The unit of the values.
    pub unit: String,
    /// Whether values lie on a logarithmic axis too.
    pub log_y: bool,
    /// The curves.
    pub series: Vec<Series>,
    /// Values to compare with, such as baselines, as level lines.
    pub levels: Vec<(String, f64)>,
}

/// One curve: the median of its runs, and a band from the smallest to the largest.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// For each seed its points: round and value.
    pub runs: Vec<Vec<(u64, f64)>>,
}

/// The smallest, the median and the largest value of each round.
type Summary = BTreeMap<u64, [f64; 3]>;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Left, top, right and bottom of the plot.
const PLOT: [f64; 4] = [86.0, 14.0, 702.0, 352.0];

impl Series {
    fn summary(&self) -> Summary {
        let mut rounds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (round, value) in self
            .runs
            .iter()
            .flatten()
            .filter(|(_, value)| value.is_finite())
        {
            rounds.entry(*round).or_default().push(*value);
        }
        let of = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            let count = values.len();
            [
                values[0],
                0.5 * (values[(count - 1) / 2] + values[count / 2]),
                values[count - 1],
            ]
        };
        rounds
            .into_iter()
            .map(|(round, values)| (round, of(values)))
            .collect()
    }
}

impl Chart {
    /// The chart as a card.
    pub fn html(&self) -> String {
        let summaries: Vec<Summary> = self.series.iter().map(Series::summary).collect();
        let rounds = summaries
            .iter()
            .flat_map(|s| s.keys().map(|round| (*round).max(1) as f64));
        let values = summaries.iter().flat_map(|s| s.values().flatten().copied());
        let x = Axis::over(rounds, true);
        let y = Axis::over(
            values.chain(self.levels.iter().map(|level| level.1)),
            self.log_y,
        )
        .with_room();
        let mut html = format!(
            "<figure class=\"card\">\n<h2>{}</h2>\n<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.title),
            escape(&self.title)
        );
        let to_x = |round: u64| {
            PLOT[0] + x.place(round.max(1) as f64).unwrap_or(0.0) * (PLOT[2] - PLOT[0])
        };
        let to_y = |value: f64| y.place(value).map(|at| PLOT[3] - at * (PLOT[3] - PLOT[1]));
        grid(&mut html, &x, &y, &self.unit);
        for (number, (name, value)) in self.levels.iter().enumerate() {
            let Some(at) = to_y(*value) else { continue };
            let _ = write!(
                html,
                "<path class=\"level\" d=\"M{} {at:.1}H{}\"><title>{name}: {}</title></path>\n<text class=\"level-name\" x=\"{}\" y=\"{:.1}\">{name} {}</text>\n",
                PLOT[0],
                PLOT[2],
                label(*value),
                // Side by side, for levels that lie close together.
                PLOT[0] + 8.0 + 260.0 * number as f64,
                at - 5.0,
                label(*value),
                name = escape(name),
            );
        }
        for (number, summary) in summaries.iter().enumerate() {
            let bound = |place: usize| {
                summary
                    .iter()
                    .filter_map(move |(round, v)| Some((to_x(*round), to_y(v[place])?)))
            };
            let upper: Vec<_> = bound(2).collect();
            let lower: Vec<_> = bound(0).collect();
            if self.series[number].runs.len() > 1 && lower.len() > 1 {
                let outline = upper.iter().chain(lower.iter().rev());
                let _ = writeln!(
                    html,
                    "<path class=\"band s{}\" d=\"{}Z\"/>",
                    number % 8,
                    path(outline.copied())
                );
            }
            let middle: Vec<_> = bound(1).collect();
            let _ = writeln!(
                html,
                "<path class=\"line s{}\" d=\"{}\"><title>{}</title></path>",
                number % 8,
                path(middle.iter().copied()),
                escape(&self.series[number].name)
            );
            if let Some((x, y)) = middle.last() {
                let _ = writeln!(
                    html,
                    "<circle class=\"end s{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>",
                    number % 8
                );
            }
        }
        html.push_str("</svg>\n<figcaption class=\"legend\">\n");
        for (number, (series, summary)) in self.series.iter().zip(&summaries).enumerate() {
            let last = summary
                .values()
                .next_back()
                .map_or(String::new(), |v| label(v[1]));
            let _ = writeln!(
                html,
                "<span class=\"key s{}\">{} <b>{last}</b></span>",
                number % 8,
                escape(&series.name)
            );
        }
        let seeds = self
            .series
            .iter()
            .map(|series| series.runs.len())
            .max()
            .unwrap_or(0);
        if seeds > 1 {
            let _ = writeln!(
                html,
                "<span class=\"quiet\">median and range of {seeds} seeds</span>"
            );
        }
        html.push_str("</figcaption>\n</figure>\n");
        html
    }
}

fn grid(html: &mut String, x: &Axis, y: &Axis, unit: &str) {
    for tick in y.ticks() {
        let at = PLOT[3] - y.place(tick).unwrap_or(0.0) * (PLOT[3] - PLOT[1]);
        let _ = writeln!(
            html,
            "<path class=\"grid\" d=\"M{} {at:.1}H{}\"/><text class=\"tick y\" x=\"{}\" y=\"{:.1}\">{}</text>",
            PLOT[0],
            PLOT[2],
            PLOT[0] - 9.0,
            at + 5.0,
            label(tick)
        );
    }
    for tick in x.ticks() {
        let at = PLOT[0] + x.place(tick).unwrap_or(0.0) * (PLOT[2] - PLOT[0]);
        let _ = writeln!(
            html,
            "<path class=\"grid\" d=\"M{at:.1} {}V{}\"/><text class=\"tick x\" x=\"{at:.1}\" y=\"{}\">{}</text>",
            PLOT[1],
            PLOT[3],
            PLOT[3] + 21.0,
            label(tick)
        );
    }
    let _ = write!(
        html,
        "<text class=\"unit\" x=\"{}\" y=\"{}\">round</text>\n<text class=\"unit\" transform=\"translate(15 {}) rotate(-90)\">{}</text>\n",
        0.5 * (PLOT[0] + PLOT[2]),
        HEIGHT - 6.0,
        0.5 * (PLOT[1] + PLOT[3]),
        escape(unit)
    );
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    path
}
