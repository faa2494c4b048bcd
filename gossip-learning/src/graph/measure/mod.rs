//! What a graph is like: degrees, clustering, communities, spectral gap, diameter.

mod diameter;
mod spectral;

pub use diameter::{Diameter, diameter};
pub use spectral::spectral_gap;

use super::{Graph, TriangleSupport};
use petgraph::unionfind::UnionFind;
use serde::Serialize;
use std::collections::BTreeMap;

/// All measures of one graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// The number of peers.
    pub peers: usize,
    /// The number of links.
    pub links: usize,
    /// The number of connected components.
    pub components: usize,
    /// The peers of the largest component.
    pub largest_component: usize,
    /// How many neighbours peers have.
    pub degree: Degrees,
    /// How far neighbours of a peer are neighbours of each other.
    pub clustering: Clustering,
    /// The share of links that close at least one triangle.
    pub supported_links_ratio: f64,
    /// The number of communities.
    pub communities: usize,
    /// The share of links between communities.
    pub between_links_ratio: f64,
    /// Newman's modularity of the communities.
    pub modularity: f64,
    /// 1 − λ₂ of the plain random walk on the largest component.
    pub spectral_gap: f64,
    /// The longest distance in the largest component.
    pub diameter: Diameter,
}

/// The distribution of degrees.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Degrees {
    /// The fewest neighbours.
    pub min: usize,
    /// The mean number of neighbours.
    pub mean: f64,
    /// The most neighbours.
    pub max: usize,
    /// How many peers have each degree.
    pub peers_by_degree: BTreeMap<usize, usize>,
}

/// Clustering coefficients, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Clustering {
    /// The mean over peers of the share of pairs of neighbours that are linked; a peer with fewer than
    /// two neighbours counts 0 (Watts and Strogatz 1998).
    pub mean: f64,
    /// The share of paths of two links that are closed by a third (transitivity).
    pub transitivity: f64,
}

impl Measures {
    /// Measures `graph`. Exact but for the diameter, which is bounded where it would take more than
    /// `searches` breadth-first searches.
    pub fn of(graph: &Graph, searches: usize) -> Measures {
        let support = TriangleSupport::of(graph);
        let arcs = 2 * graph.links();
        let supported = (0..graph.peers() as u32)
            .flat_map(|peer| support.at(graph, peer))
            .filter(|triangles| **triangles > 0)
            .count();
        let components = components(graph);
        Measures {
            peers: graph.peers(),
            links: graph.links(),
            largest_component: components.first().copied().unwrap_or(0),
            components: components.len(),
            degree: degrees(graph),
            clustering: clustering_from(graph, &support),
            supported_links_ratio: supported as f64 / arcs.max(1) as f64,
            communities: graph.community_names().len(),
            between_links_ratio: between(graph) as f64 / graph.links().max(1) as f64,
            modularity: modularity(graph),
            spectral_gap: spectral_gap(graph),
            diameter: diameter(graph, searches),
        }
    }
}

/// The distribution of degrees.
pub fn degrees(graph: &Graph) -> Degrees {
    let mut peers_by_degree = BTreeMap::new();
    for peer in 0..graph.peers() as u32 {
        *peers_by_degree.entry(graph.degree(peer)).or_insert(0) += 1;
    }
    Degrees {
        min: peers_by_degree.keys().next().copied().unwrap_or(0),
        mean: 2.0 * graph.links() as f64 / graph.peers().max(1) as f64,
        max: peers_by_degree.keys().next_back().copied().unwrap_or(0),
        peers_by_degree,
    }
}

/// The clustering coefficients.
pub fn clustering(graph: &Graph) -> Clustering {
    clustering_from(graph, &TriangleSupport::of(graph))
}

fn clustering_from(graph: &Graph, support: &TriangleSupport) -> Clustering {
    let (mut sum, mut paths) = (0.0, 0.0);
    for peer in 0..graph.peers() as u32 {
        let degree = graph.degree(peer) as f64;
        let pairs = degree * (degree - 1.0);
        if pairs > 0.0 {
            let linked: u64 = (support.at(graph, peer).iter())
                .map(|s| u64::from(*s))
                .sum();
            sum += linked as f64 / pairs;
            paths += pairs;
        }
    }
    Clustering {
        mean: sum / graph.peers().max(1) as f64,
        transitivity: support.total() as f64 / f64::max(paths, 1.0),
    }
}

/// The sizes of the connected components, largest first.
pub fn components(graph: &Graph) -> Vec<usize> {
    let mut sizes: Vec<usize> = (component_of(graph).into_iter())
        .fold(BTreeMap::new(), |mut sizes, component| {
            *sizes.entry(component).or_insert(0) += 1;
            sizes
        })
        .into_values()
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

/// For each peer a number that it shares with the peers of its component only.
fn component_of(graph: &Graph) -> Vec<u32> {
    let mut sets = UnionFind::<u32>::new(graph.peers());
    for (a, b) in graph.edges() {
        sets.union(a, b);
    }
    sets.into_labeling()
}

/// The peers of the largest component, ascending; of several, of the one with the smallest peer.
fn largest_component(graph: &Graph) -> Vec<u32> {
    let component = component_of(graph);
    let mut sizes = vec![0usize; graph.peers()];
    for label in &component {
        sizes[*label as usize] += 1;
    }
    let first_largest = component
        .iter()
        .rev()
        .max_by_key(|label| sizes[**label as usize])
        .copied();
    (0u32..)
        .zip(&component)
        .filter(|(_, label)| Some(**label) == first_largest)
        .map(|(peer, _)| peer)
        .collect()
}

fn between(graph: &Graph) -> usize {
    let community = |peer: u32| graph.communities()[peer as usize];
    (graph.edges())
        .filter(|(a, b)| community(*a) != community(*b))
        .count()
}

/// Newman's modularity of the graph's communities: the share of links inside them minus the share
/// that chance would put there at equal degrees (Newman and Girvan 2004). 0 without links.
pub fn modularity(graph: &Graph) -> f64 {
    let arcs = 2.0 * graph.links() as f64;
    if arcs == 0.0 {
        return 0.0;
    }
    let mut degrees = vec![0.0; graph.community_names().len()];
    for peer in 0..graph.peers() as u32 {
        degrees[graph.communities()[peer as usize] as usize] += graph.degree(peer) as f64;
    }
    let by_chance: f64 = degrees.iter().map(|degree| (degree / arcs).powi(2)).sum();
    1.0 - 2.0 * between(graph) as f64 / arcs - by_chance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::generate::{Spec, even_communities};

    /// Two triangles joined by one link, and a peer alone.
    fn bow() -> Graph {
        let links = vec![(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (2, 3)];
        Graph::new(vec![0, 0, 0, 1, 1, 1, 1], links).unwrap()
    }

    #[test]
    fn a_bow_by_hand() {
        let measures = Measures::of(&bow(), 100);
        assert_eq!(measures.components, 2);
        assert_eq!(measures.largest_component, 6);
        assert_eq!(
            measures.degree.peers_by_degree,
            [(0, 1), (2, 4), (3, 2)].into()
        );
        // Four peers have 1, two have 1/3, one has 0.
        assert!((measures.clustering.mean - (4.0 + 2.0 / 3.0) / 7.0).abs() < 1e-12);
        assert!((measures.clustering.transitivity - 6.0 / 10.0).abs() < 1e-12);
        assert!((measures.supported_links_ratio - 6.0 / 7.0).abs() < 1e-12);
        assert!((measures.between_links_ratio - 1.0 / 7.0).abs() < 1e-12);
        assert!((measures.modularity - (6.0 / 7.0 - 0.5)).abs() < 1e-12);
        assert_eq!(
            measures.diameter,
            Diameter {
                at_least: 3,
                at_most: 3
            }
        );
    }

    #[test]
    fn nobody_and_nothing_have_measures() {
        for communities in [vec![], vec![0], vec![0, 1]] {
            let graph = Graph::new(communities, vec![]).unwrap();
            let measures = Measures::of(&graph, 10);
            assert_eq!(measures.links, 0);
            assert_eq!(measures.modularity, 0.0);
            assert_eq!(measures.clustering.transitivity, 0.0);
        }
    }

    /// Spectral gap and modularity of planted partitions of 1,000 peers, 5 parts, degree 10.
    #[test]
    fn planted_partitions_have_the_gap_of_theory() {
        let communities = even_communities(1000, 5);
        for (share, gap, modularity) in [
            (0.8, 0.408, 0.003),
            (0.3, 0.273, 0.50),
            (0.1, 0.095, 0.69),
            (0.03, 0.028, 0.77),
            (0.01, 0.008, 0.79),
        ] {
            let spec: Spec = format!("planted:degree=10,between={share}")
                .parse()
                .unwrap();
            let graph = spec.generate(&communities, 1).unwrap();
            let (measured, quality) = (spectral_gap(&graph), super::modularity(&graph));
            assert!(
                (measured - gap).abs() < 0.1 * gap + 0.002,
                "{share}: gap {measured}"
            );
            assert!(
                (quality - modularity).abs() < 0.015,
                "{share}: modularity {quality}"
            );
        }
    }
}
