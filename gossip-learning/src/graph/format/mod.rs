//! Graphs in files: edge lists and GraphML, read with every field checked and every size bounded.
//!
//! A file names peers as it likes. Names that are all whole numbers are taken in numeric order, so that
//! a graph written by [`edge_list::write`] or [`graphml::write`] comes back as it was; other names are
//! taken in the order in which they appear.

pub mod edge_list;
pub mod graphml;

use super::{Graph, GraphError, MAX_LINKS, MAX_PEERS};
use std::collections::BTreeMap;

/// The longest name of a peer or community, in bytes.
const MAX_NAME_BYTES: usize = 256;

fn wrong(line: u64, problem: impl Into<String>) -> GraphError {
    GraphError::File {
        line,
        problem: problem.into(),
    }
}

/// Text of the file shown in an error, cut short.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}

/// A graph on its way in: names become numbers in the order in which they appear.
#[derive(Default)]
struct Incoming {
    numbers: BTreeMap<String, u32>,
    links: Vec<(u32, u32)>,
    /// The community's name of each peer that has one.
    communities: BTreeMap<u32, String>,
}

impl Incoming {
    /// The number of the peer of this name.
    fn peer(&mut self, line: u64, name: &str) -> Result<u32, GraphError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            let problem = format!("a peer's name has 1 to {MAX_NAME_BYTES} bytes: shorten it");
            return Err(wrong(line, problem));
        }
        if self.numbers.len() >= MAX_PEERS {
            return Err(wrong(line, GraphError::TooLarge.to_string()));
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    fn link(&mut self, line: u64, from: u32, to: u32) -> Result<(), GraphError> {
        if self.links.len() >= MAX_LINKS {
            return Err(wrong(line, GraphError::TooLarge.to_string()));
        }
        self.links.push((from, to));
        Ok(())
    }

    fn community(&mut self, line: u64, peer: u32, name: &str) -> Result<(), GraphError> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            let problem = format!("a community's name has 1 to {MAX_NAME_BYTES} bytes: shorten it");
            return Err(wrong(line, problem));
        }
        self.communities.insert(peer, name.to_owned());
        Ok(())
    }

    /// The graph; peers without a community get one called `none`.
    fn finish(self) -> Result<Graph, GraphError> {
        let peers = self.numbers.len();
        let numeric: Option<Vec<(u64, u32)>> = (self.numbers.iter())
            .map(|(name, number)| Some((name.parse().ok()?, *number)))
            .collect();
        let mut place: Vec<u32> = (0..peers as u32).collect();
        if let Some(mut numeric) = numeric {
            numeric.sort_unstable();
            for (to, (_, from)) in (0u32..).zip(numeric) {
                place[from as usize] = to;
            }
        }
        let mut named = vec![None; peers];
        for (peer, community) in &self.communities {
            named[place[*peer as usize] as usize] = Some(community.as_str());
        }
        let mut numbers = BTreeMap::new();
        let mut names = Vec::new();
        let communities = (named.into_iter())
            .map(|name| {
                let name = name.unwrap_or("none");
                *numbers.entry(name).or_insert_with(|| {
                    names.push(name.to_owned());
                    names.len() as u32 - 1
                })
            })
            .collect();
        let links = (self.links.into_iter())
            .map(|(a, b)| (place[a as usize], place[b as usize]))
            .collect();
        // Communities are numbered as they first appear among the peers.
        Graph::new(communities, links).map(|graph| graph.with_community_names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Spec;
    use proptest::prelude::*;

    fn sample() -> Graph {
        let communities = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
        let spec: Spec = "planted:degree=2,between=0.2".parse().unwrap();
        let names = ["Sweden", "a <b> & \"c\"", "ö 3"]
            .map(String::from)
            .to_vec();
        spec.generate(&communities, 3)
            .unwrap()
            .with_community_names(names)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let graph = sample();
        assert_eq!(
            edge_list::read(edge_list::write(&graph).as_bytes()).unwrap(),
            graph
        );
        assert_eq!(
            graphml::read(graphml::write(&graph).as_bytes()).unwrap(),
            graph
        );
        // Peers without links stay.
        let lonely = Graph::new(vec![0, 1, 0], vec![]).unwrap();
        assert_eq!(
            edge_list::read(edge_list::write(&lonely).as_bytes()).unwrap(),
            lonely
        );
        assert_eq!(
            graphml::read(graphml::write(&lonely).as_bytes()).unwrap(),
            lonely
        );
    }

    proptest! {
        #[test]
        fn damaged_files_are_read_or_refused(cut in 0usize..3000, at in 0usize..3000, byte in any::<u8>()) {
            let graph = sample();
            for text in [edge_list::write(&graph), graphml::write(&graph)] {
                let mut bytes = text.into_bytes();
                let at = at % bytes.len();
                bytes[at] = byte;
                bytes.truncate(bytes.len().saturating_sub(cut % 40));
                let _ = edge_list::read(&bytes);
                let _ = graphml::read(&bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = edge_list::read(&bytes);
            let _ = graphml::read(&bytes);
        }
    }
}
