//! A graph's measures for people.

use hamlet_gossip_learning::graph::measure::Measures;
use std::io::{self, Write};

/// Prints the measures, one a line.
pub fn print(mut to: impl Write, graph: &Measures) -> io::Result<()> {
    let mut line = |name: &str, value: String| writeln!(to, "{name:<24}{value}");
    line("peers", graph.peers.to_string())?;
    line("links", graph.links.to_string())?;
    let largest = graph.largest_component;
    line(
        "components",
        format!("{} (largest: {largest} peers)", graph.components),
    )?;
    let degree = &graph.degree;
    line(
        "degree",
        format!("{:.2} (from {} to {})", degree.mean, degree.min, degree.max),
    )?;
    let clustering = &graph.clustering;
    line(
        "clustering coefficient",
        format!(
            "{:.3} (transitivity {:.3})",
            clustering.mean, clustering.transitivity
        ),
    )?;
    line(
        "links with a triangle",
        format!("{:.1} %", 100.0 * graph.supported_links_ratio),
    )?;
    line("communities", graph.communities.to_string())?;
    line(
        "links between them",
        format!("{:.1} %", 100.0 * graph.between_links_ratio),
    )?;
    line("modularity", format!("{:.3}", graph.modularity))?;
    line(
        "spectral gap",
        format!(
            "{:.4} (1 − λ₂ of the plain walk, largest component)",
            graph.spectral_gap
        ),
    )?;
    let diameter = graph.diameter;
    let diameter = match diameter.at_least == diameter.at_most {
        true => diameter.at_least.to_string(),
        false => format!("{} to {}", diameter.at_least, diameter.at_most),
    };
    line("diameter", diameter)
}
