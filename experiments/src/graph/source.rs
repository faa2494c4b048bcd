//! Where a graph comes from: a file, or a description and a seed.

use super::is_graphml;
use crate::open;
use clap::Args;
use hamlet_gossip_learning::graph::{
    Graph, Spec,
    format::{edge_list, graphml},
    generate::even_communities,
};
use std::{error::Error, fmt, path::Path};

/// The most bytes of a graph's file, unpacked.
const MAX_BYTES: u64 = 2 << 30;

/// The graph.
#[derive(Args)]
pub struct Source {
    /// A file, or a description such as caveman:degree=10,between=0.03
    graph: String,
    /// The number of peers of a graph to generate
    #[arg(long, default_value_t = 1_000)]
    peers: usize,
    /// The number of communities, of equal size, of a graph to generate
    #[arg(long, default_value_t = 1)]
    communities: usize,
    /// The seed of a graph to generate
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Source {
    /// Reads or generates the graph.
    pub fn graph(&self) -> Result<Graph, Box<dyn Error>> {
        let path = Path::new(&self.graph);
        if path.exists() {
            let bytes = open::read_all(path, MAX_BYTES)?;
            let plain = match path.extension() {
                Some(ending) if ending == "gz" => path.with_extension(""),
                _ => path.to_owned(),
            };
            let graph = match is_graphml(&plain) {
                true => graphml::read(&bytes),
                false => edge_list::read(&bytes),
            };
            return graph.map_err(|error| format!("{}, {error}", self.graph).into());
        }
        let spec: Spec = (self.graph.parse())
            .map_err(|error| format!("{error} (and there is no file of this name)"))?;
        if self.communities == 0 || self.communities > self.peers {
            let (communities, peers) = (self.communities, self.peers);
            return Err(format!(
                "{communities} communities of {peers} peers: ask for 1 to {peers}"
            )
            .into());
        }
        // One community has no links to another; a description that does not say `between` means none.
        let spec = if self.communities == 1 {
            spec.blind()
        } else {
            spec
        };
        Ok(spec.generate(&even_communities(self.peers, self.communities), self.seed)?)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Path::new(&self.graph)
            .file_name()
            .and_then(|name| name.to_str());
        to.write_str(name.unwrap_or(&self.graph))
    }
}
