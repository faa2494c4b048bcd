//! Graphs that models travel on: made from a seed, read from a file, measured.
//!
//! A [`Graph`] is undirected and simple (no loops, no parallel links) and lies in memory as compressed
//! sparse rows, so that a round over a million peers reads it from front to back. Each peer belongs to
//! one community, which a generator respects and a file carries along.

pub mod format;
pub mod generate;
pub mod measure;
mod triangles;

pub use generate::{Family, Spec};
pub use triangles::TriangleSupport;

use serde::Serialize;
use std::ops::Range;

/// The most peers of one graph.
pub const MAX_PEERS: usize = 1 << 24;
/// The most links of one graph.
pub const MAX_LINKS: usize = 1 << 27;

/// An undirected simple graph over peers 0, 1, 2, …, each in one community.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// Where the neighbours of each peer start in `targets`; one more entry than peers.
    offsets: Vec<u32>,
    targets: Vec<u32>,
    communities: Vec<u32>,
    community_names: Vec<String>,
}

/// What is wrong with a graph or with the wish for one. Nothing was built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// More peers or links than a graph holds.
    #[error("a graph holds at most {MAX_PEERS} peers and {MAX_LINKS} links: take a smaller one")]
    TooLarge,
    /// A link to a peer that is not there.
    #[error("a link names peer {peer}, but the graph has {peers} peers, numbered from 0")]
    UnknownPeer {
        /// The number named.
        peer: u32,
        /// The number of peers.
        peers: usize,
    },
    /// The description of a graph to generate makes no sense.
    #[error("graph `{spec}`: {problem}")]
    Spec {
        /// The description.
        spec: String,
        /// What is wrong with it and what to write.
        problem: String,
    },
    /// A file is not what its format says.
    #[error("line {line}: {problem}")]
    File {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

impl Graph {
    /// The graph over `communities.len()` peers with these links, in any order; a link that comes
    /// twice counts once, and a link from a peer to itself is left out.
    pub fn new(communities: Vec<u32>, mut links: Vec<(u32, u32)>) -> Result<Graph, GraphError> {
        let peers = communities.len();
        if peers > MAX_PEERS || links.len() > MAX_LINKS {
            return Err(GraphError::TooLarge);
        }
        for (a, b) in &mut links {
            (*a, *b) = ((*a).min(*b), (*a).max(*b));
            if *b as usize >= peers {
                return Err(GraphError::UnknownPeer { peer: *b, peers });
            }
        }
        links.retain(|(a, b)| a != b);
        links.sort_unstable();
        links.dedup();

        let mut offsets = vec![0u32; peers + 1];
        for (a, b) in &links {
            offsets[*a as usize + 1] += 1;
            offsets[*b as usize + 1] += 1;
        }
        for peer in 0..peers {
            offsets[peer + 1] += offsets[peer];
        }
        let mut next = offsets.clone();
        let mut targets = vec![0u32; 2 * links.len()];
        let mut place = |from: u32, to: u32| {
            let slot = &mut next[from as usize];
            targets[*slot as usize] = to;
            *slot += 1;
        };
        // The links are sorted, so each peer first meets its smaller neighbours, then its larger
        // ones, both ascending.
        links.iter().for_each(|(a, b)| place(*b, *a));
        links.iter().for_each(|(a, b)| place(*a, *b));

        let count = communities.iter().max().map_or(0, |c| c + 1);
        let community_names = (0..count).map(|c| c.to_string()).collect();
        Ok(Graph {
            offsets,
            targets,
            communities,
            community_names,
        })
    }

    /// The same graph with its communities named. Names beyond the highest community stay: a
    /// community may be empty.
    pub fn with_community_names(mut self, names: Vec<String>) -> Graph {
        for (place, name) in names.into_iter().enumerate() {
            match self.community_names.get_mut(place) {
                Some(slot) => *slot = name,
                None => self.community_names.push(name),
            }
        }
        self
    }

    /// The number of peers.
    pub fn peers(&self) -> usize {
        self.communities.len()
    }

    /// The number of links.
    pub fn links(&self) -> usize {
        self.targets.len() / 2
    }

    /// The neighbours of `peer`, ascending.
    #[inline]
    pub fn neighbours(&self, peer: u32) -> &[u32] {
        &self.targets[self.arcs(peer)]
    }

    /// Where the neighbours of `peer` lie in an array with one entry per direction of each link, as
    /// [`TriangleSupport`] is.
    #[inline]
    pub fn arcs(&self, peer: u32) -> Range<usize> {
        self.offsets[peer as usize] as usize..self.offsets[peer as usize + 1] as usize
    }

    /// The number of neighbours of `peer`.
    #[inline]
    pub fn degree(&self, peer: u32) -> usize {
        self.arcs(peer).len()
    }

    /// Each link once, the smaller peer first, ascending.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.peers() as u32).flat_map(move |a| {
            let larger = self.neighbours(a).iter().filter(move |b| **b > a);
            larger.map(move |b| (a, *b))
        })
    }

    /// The community of each peer.
    pub fn communities(&self) -> &[u32] {
        &self.communities
    }

    /// The names of the communities, in the order of their numbers.
    pub fn community_names(&self) -> &[String] {
        &self.community_names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_ascend_and_each_link_counts_once() {
        let links = vec![(2, 1), (0, 3), (1, 2), (3, 3), (3, 1), (0, 1)];
        let graph = Graph::new(vec![0, 0, 1, 1], links).unwrap();
        assert_eq!(graph.links(), 4);
        assert_eq!(graph.neighbours(1), [0, 2, 3]);
        assert_eq!(graph.neighbours(3), [0, 1]);
        assert_eq!(graph.degree(2), 1);
        let edges: Vec<_> = graph.edges().collect();
        assert_eq!(edges, [(0, 1), (0, 3), (1, 2), (1, 3)]);
        assert_eq!(graph.community_names(), ["0", "1"]);
    }

    #[test]
    fn a_link_to_nobody_is_refused() {
        let wrong = Graph::new(vec![0, 0], vec![(0, 2)]);
        assert_eq!(wrong, Err(GraphError::UnknownPeer { peer: 2, peers: 2 }));
    }
}
