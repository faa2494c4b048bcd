//! Triangle support: how many triangles each link closes.

use super::Graph;
use std::cmp::Ordering;

/// For each link the number of peers that are neighbours of both its ends.
///
/// Friends of friends are friends inside a community, and rarely across: a link without support
/// leads, more often than not, to another community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriangleSupport {
    /// One entry per direction of each link, as [`Graph::arcs`] counts them.
    support: Vec<u32>,
}

impl TriangleSupport {
    /// Counts by intersecting the neighbours of the ends of each link: about links × degree steps.
    pub fn of(graph: &Graph) -> TriangleSupport {
        let mut support = Vec::with_capacity(2 * graph.links());
        for peer in 0..graph.peers() as u32 {
            let own = graph.neighbours(peer);
            let counts = own
                .iter()
                .map(|other| common(own, graph.neighbours(*other)));
            support.extend(counts);
        }
        TriangleSupport { support }
    }

    /// The support of each link of `peer`, in the order of [`Graph::neighbours`].
    #[inline]
    pub fn at(&self, graph: &Graph, peer: u32) -> &[u32] {
        &self.support[graph.arcs(peer)]
    }

    /// The sum over all directions of all links: six times the number of triangles.
    pub(super) fn total(&self) -> u64 {
        self.support.iter().map(|s| u64::from(*s)).sum()
    }
}

/// The number of entries in both of two ascending lists.
fn common(mut a: &[u32], mut b: &[u32]) -> u32 {
    let mut count = 0;
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        match first_a.cmp(first_b) {
            Ordering::Less => a = rest_a,
            Ordering::Greater => b = rest_b,
            Ordering::Equal => {
                count += 1;
                (a, b) = (rest_a, rest_b);
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_with_a_tail() {
        let graph = Graph::new(vec![0; 4], vec![(0, 1), (1, 2), (0, 2), (2, 3)]).unwrap();
        let support = TriangleSupport::of(&graph);
        assert_eq!(support.at(&graph, 2), [1, 1, 0]);
        assert_eq!(support.at(&graph, 3), [0]);
        assert_eq!(support.total(), 6);
    }
}
