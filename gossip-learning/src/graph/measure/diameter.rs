//! The diameter by few breadth-first searches.

use super::{Graph, largest_component};
use serde::Serialize;
use std::collections::VecDeque;

/// Bounds of a longest distance, in links; equal when it is known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Diameter {
    /// A distance that was found.
    pub at_least: u32,
    /// No distance is longer.
    pub at_most: u32,
}

/// The diameter of the largest component with at most about `searches` breadth-first searches.
///
/// From a peer in the middle (found by going to the far end twice) every peer lies within some
/// distance d; the ends of a path longer than 2(d − 1) must lie at distance d, so peers are searched
/// from the rim inwards until no longer path can be left (iFUB: Crescenzi et al. 2013).
pub fn diameter(graph: &Graph, searches: usize) -> Diameter {
    let members = largest_component(graph);
    let Some(start) = members
        .iter()
        .copied()
        .max_by_key(|peer| graph.degree(*peer))
    else {
        return Diameter {
            at_least: 0,
            at_most: 0,
        };
    };
    let mut search = Search::new(graph);
    let far = search.from(start).peer;
    let other_end = search.from(far);
    let middle = search.midpoint(other_end);
    let rim = search.from(middle);
    let mut by_distance: Vec<(u32, u32)> = (members.iter())
        .map(|peer| (search.distance[*peer as usize], *peer))
        .collect();
    by_distance.sort_unstable_by(|a, b| b.cmp(a));

    let mut at_least = other_end.distance.max(rim.distance);
    for (used, (distance, peer)) in by_distance.into_iter().enumerate() {
        if at_least >= 2 * distance {
            return Diameter {
                at_least,
                at_most: at_least,
            };
        }
        if used + 3 >= searches {
            return Diameter {
                at_least,
                at_most: 2 * distance,
            };
        }
        at_least = at_least.max(search.from(peer).distance);
    }
    Diameter {
        at_least,
        at_most: at_least,
    }
}

#[derive(Clone, Copy)]
struct Farthest {
    peer: u32,
    distance: u32,
}

/// Breadth-first search that reuses its memory.
struct Search<'a> {
    graph: &'a Graph,
    distance: Vec<u32>,
    queue: VecDeque<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl<'a> Search<'a> {
    fn new(graph: &'a Graph) -> Search<'a> {
        Search {
            graph,
            distance: vec![UNSEEN; graph.peers()],
            queue: VecDeque::new(),
        }
    }

    /// Fills in the distances from `start` and names a farthest peer.
    fn from(&mut self, start: u32) -> Farthest {
        self.distance.fill(UNSEEN);
        self.distance[start as usize] = 0;
        self.queue.push_back(start);
        let mut last = start;
        while let Some(peer) = self.queue.pop_front() {
            last = peer;
            for other in self.graph.neighbours(peer) {
                if self.distance[*other as usize] == UNSEEN {
                    self.distance[*other as usize] = self.distance[peer as usize] + 1;
                    self.queue.push_back(*other);
                }
            }
        }
        Farthest {
            peer: last,
            distance: self.distance[last as usize],
        }
    }

    /// The middle of a shortest path from the last start to `end`.
    fn midpoint(&self, end: Farthest) -> u32 {
        let mut peer = end.peer;
        for distance in (end.distance / 2..end.distance).rev() {
            let nearer = |other: &&u32| self.distance[**other as usize] == distance;
            peer = self
                .graph
                .neighbours(peer)
                .iter()
                .find(nearer)
                .copied()
                .unwrap_or(peer);
        }
        peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Spec;

    fn by_all_searches(graph: &Graph) -> u32 {
        let mut search = Search::new(graph);
        let members = largest_component(graph);
        members
            .iter()
            .map(|peer| search.from(*peer).distance)
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn agrees_with_searching_from_everywhere() {
        for text in [
            "erdos-renyi:degree=2",
            "watts-strogatz:degree=4,rewire=0.05",
            "regular:degree=3",
        ] {
            let spec: Spec = text.parse().unwrap();
            for seed in 0..5 {
                let graph = spec.generate(&[0; 300], seed).unwrap();
                let exact = by_all_searches(&graph);
                let expected = Diameter {
                    at_least: exact,
                    at_most: exact,
                };
                assert_eq!(diameter(&graph, usize::MAX), expected, "{text}");
                let rough = diameter(&graph, 5);
                assert!(
                    rough.at_least <= exact && exact <= rough.at_most,
                    "{rough:?} {exact}"
                );
            }
        }
    }
}
