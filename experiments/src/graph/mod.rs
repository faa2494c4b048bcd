//! `hamlet-lab graph`: makes, measures and draws the graphs that models travel on.

pub mod colour;
pub mod layout;
pub mod picture;
mod source;
mod table;

use crate::{Outcome, json};
use clap::{Args, Subcommand, ValueEnum};
use hamlet_gossip_learning::graph::{
    Graph, TriangleSupport,
    format::{edge_list, graphml},
    measure::Measures,
};
use picture::{Links, Picture};
use source::Source;
use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Make, measure and draw graphs
///
/// GRAPH is a file (an edge list, or GraphML if it ends in .graphml or .xml; gzipped or not) or a
/// description FAMILY:key=value,… with the families erdos-renyi, regular, barabasi-albert, watts-strogatz,
/// planted, caveman, geometric and h-graph. All families take `degree` (mean, 10) and `between` (the share
/// of links between communities; `none` for a graph that is blind to them); watts-strogatz and caveman take
/// `rewire` (the share of links rewired, .2), caveman `near` (the share of these that lead to the next caves, .8;
/// 0 is the classic relaxed caveman graph, in which rewired links close few triangles).
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a graph to a file
    ///
    /// hamlet-lab graph generate caveman:degree=10,between=0.03 --peers 1000 --communities 5 -o cave.graphml
    Generate {
        #[command(flatten)]
        source: Source,
        /// Where to write; - is the standard output
        #[arg(short, long, default_value = "-")]
        output: PathBuf,
        /// The format; without it that of the file's ending (.graphml or .xml), otherwise an edge list
        #[arg(long)]
        format: Option<Format>,
    },
    /// Tell degrees, clustering, modularity, spectral gap and diameter
    ///
    /// hamlet-lab graph measure planted:between=0.1 --communities 5 --json -
    Measure {
        #[command(flatten)]
        source: Source,
        /// Breadth-first searches at most for the diameter; when they do not suffice, bounds are told
        #[arg(long, default_value_t = 2_000)]
        searches: usize,
        /// Write the measures as JSON to this file; - is the standard output
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Draw the graph as SVG, peers coloured by community
    ///
    /// hamlet-lab graph draw caveman --peers 500 --communities 5 -o cave.svg
    Draw {
        #[command(flatten)]
        source: Source,
        /// Where to write; - is the standard output
        #[arg(short, long, default_value = "-")]
        output: PathBuf,
        /// Which links stand out
        #[arg(long, default_value = "between")]
        mark: Mark,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    EdgeList,
    Graphml,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mark {
    /// Links between communities
    Between,
    /// Links that close no triangle: what triangulation keeps models from crossing
    Unsupported,
}

/// The most peers of a drawing: more make a blot.
pub const MAX_DRAWN: usize = 10_000;

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Generate {
            source,
            output,
            format,
        } => {
            let graph = source.graph()?;
            let format = format.unwrap_or(match is_graphml(&output) {
                true => Format::Graphml,
                false => Format::EdgeList,
            });
            let text = match format {
                Format::EdgeList => edge_list::write(&graph),
                Format::Graphml => graphml::write(&graph),
            };
            write(&output, &text)?;
        }
        Command::Measure {
            source,
            searches,
            json: path,
        } => {
            let measures = Measures::of(&source.graph()?, searches);
            if path.as_deref() != Some(Path::new("-")) {
                table::print(io::stdout().lock(), &measures)?;
            }
            if let Some(path) = path {
                json::write(&path, &measures)?;
            }
        }
        Command::Draw {
            source,
            output,
            mark,
        } => {
            let graph = source.graph()?;
            write(&output, &draw(&source, &graph, mark)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn draw(source: &Source, graph: &Graph, mark: Mark) -> Result<String, Box<dyn Error>> {
    if graph.peers() > MAX_DRAWN {
        let peers = graph.peers();
        return Err(
            format!("a drawing of {peers} peers shows nothing: draw at most {MAX_DRAWN}").into(),
        );
    }
    let support = TriangleSupport::of(graph);
    let positions = layout::positions(graph);
    let colours: Vec<String> = (graph.communities().iter())
        .map(|community| colour::of_community(*community, graph.community_names().len()))
        .collect();
    let (links, marked) = match mark {
        Mark::Between => (Links::between(graph), "links between communities"),
        Mark::Unsupported => (
            Links::unsupported(graph, &support),
            "links without a triangle",
        ),
    };
    let picture = Picture {
        graph,
        positions: &positions,
        colours: &colours,
        links: &links,
    };
    Ok(picture.svg(&source.to_string(), marked))
}

fn is_graphml(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("graphml" | "xml"))
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let written = if path == Path::new("-") {
        io::stdout().lock().write_all(text.as_bytes())
    } else {
        fs::write(path, text)
    };
    written.map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
