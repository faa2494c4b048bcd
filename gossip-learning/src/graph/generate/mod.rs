//! Seeded random graphs, with or without communities.
//!
//! Every family is asked for by its mean degree, so that families compare at equal cost. Without
//! `between` a graph is drawn over all peers and is blind to their communities. With it, one graph of
//! the family is drawn inside each community, and then that share of all links is cut and their loose
//! ends are joined again across communities: degrees stay as they were.

mod families;
mod spec;
mod stubs;

pub use spec::{Family, Spec};

use super::{Graph, GraphError, MAX_LINKS, MAX_PEERS};
use crate::random::{self, shuffle};
use rand_chacha::ChaCha8Rng;

type Links = Vec<(u32, u32)>;

/// The stream of random numbers that graphs are drawn from.
const PURPOSE: u64 = 0x0067_7261_7068;

/// The community of each of `peers` peers when `count` communities of (almost) equal size follow one
/// another. No community when `count` is zero means one.
pub fn even_communities(peers: usize, count: usize) -> Vec<u32> {
    let count = count.clamp(1, peers.max(1));
    (0..peers)
        .map(|peer| (peer * count / peers) as u32)
        .collect()
}

impl Spec {
    /// The graph over `communities.len()` peers, the community of peer `i` being `communities[i]`.
    ///
    /// # Errors
    /// [`GraphError::Spec`] when the peers are too few for the degree, or, with `between`, when there is
    /// a single community or a community without peers.
    pub fn generate(&self, communities: &[u32], seed: u64) -> Result<Graph, GraphError> {
        let peers = communities.len();
        if peers > MAX_PEERS || peers.saturating_mul(self.degree() as usize) / 2 > MAX_LINKS {
            return Err(GraphError::TooLarge);
        }
        if peers <= self.degree() as usize {
            return Err(self.wrong(format!(
                "a mean degree of {} needs more than {peers} peers",
                self.degree()
            )));
        }
        let rng = &mut random::stream(seed, PURPOSE);
        let links = match self.between() {
            None => {
                let everyone: Vec<u32> = (0..peers as u32).collect();
                families::links(self, &everyone, rng)
            }
            Some(share) => {
                let members = self.members(communities)?;
                let inside: Vec<Links> = members
                    .iter()
                    .map(|members| families::links(self, members, rng))
                    .collect();
                join_communities(inside, share, communities, rng)
            }
        };
        Graph::new(communities.to_vec(), links)
    }

    /// The peers of each community.
    fn members(&self, communities: &[u32]) -> Result<Vec<Vec<u32>>, GraphError> {
        let count = communities.iter().max().map_or(0, |c| *c as usize + 1);
        if count > communities.len() {
            return Err(self.wrong("communities must be numbered from 0 without gaps".into()));
        }
        let mut members = vec![Vec::new(); count];
        for (peer, community) in communities.iter().enumerate() {
            members[*community as usize].push(peer as u32);
        }
        if let Some(empty) = members.iter().position(Vec::is_empty) {
            return Err(self.wrong(format!(
                "community {empty} has no peer: number communities from 0 without gaps"
            )));
        }
        if count < 2 && self.between() > Some(0.0) {
            return Err(self.wrong(
                "links between communities need at least two of them; leave out `between`, or give the peers communities"
                    .into(),
            ));
        }
        Ok(members)
    }
}

/// Cuts `share` of the links and joins their ends across communities.
fn join_communities(
    inside: Vec<Links>,
    share: f64,
    communities: &[u32],
    rng: &mut ChaCha8Rng,
) -> Links {
    let total: usize = inside.iter().map(Vec::len).sum();
    // A community of the share s of all links gives s(1 − s) of the cut ones: that is how often a
    // random pair of ends has just one end there. No community then has more than half of the loose
    // ends, so that all of them find an end elsewhere.
    let weight = |links: usize| links as f64 * (total - links) as f64;
    let weights: f64 = inside.iter().map(|links| weight(links.len())).sum();
    let mut kept = Vec::with_capacity(total);
    let mut ends = Vec::new();
    for mut links in inside {
        let cut = share * total as f64 * weight(links.len()) / weights.max(1.0);
        // A share of .8 among unequal communities may ask for more links than the largest has.
        let cut = stubs::round(rng, cut).min(links.len());
        shuffle(rng, &mut links);
        kept.extend(links.drain(cut..));
        ends.extend(links.into_iter().flat_map(|(a, b)| [a, b]));
    }
    let apart = |a: u32, b: u32| communities[a as usize] != communities[b as usize];
    kept.extend(stubs::pair(ends, apart, rng));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::measure;

    fn spec(text: &str) -> Spec {
        text.parse().unwrap()
    }

    #[test]
    fn every_family_has_its_mean_degree_and_repeats_with_its_seed() {
        let communities = even_communities(600, 4);
        for name in Family::NAMES {
            for between in ["", ",between=0.1"] {
                let spec = spec(&format!("{name}:degree=8{between}"));
                let graph = spec.generate(&communities, 5).unwrap();
                let mean = 2.0 * graph.links() as f64 / 600.0;
                assert!((mean - 8.0).abs() < 0.5, "{name}{between}: {mean}");
                assert_eq!(graph, spec.generate(&communities, 5).unwrap());
                assert_ne!(graph, spec.generate(&communities, 6).unwrap());
            }
        }
    }

    #[test]
    fn the_share_of_links_between_communities_is_kept() {
        // One community holds 60 % of the peers, as the United States do among the salaries.
        let sizes = [600, 150, 150, 100];
        let communities: Vec<u32> = (0u32..)
            .zip(sizes)
            .flat_map(|(community, size)| vec![community; size])
            .collect();
        for text in [
            "planted:degree=10",
            "caveman:degree=10",
            "geometric:degree=10",
        ] {
            for share in [0.01, 0.03, 0.3] {
                let graph = spec(&format!("{text},between={share}"))
                    .generate(&communities, 1)
                    .unwrap();
                let between = graph
                    .edges()
                    .filter(|(a, b)| communities[*a as usize] != communities[*b as usize])
                    .count() as f64
                    / graph.links() as f64;
                assert!(
                    (between - share).abs() < 0.1 * share + 0.001,
                    "{text} {share}: {between}"
                );
            }
        }
    }

    #[test]
    fn cavemen_and_neighbours_in_the_plane_form_triangles() {
        let communities = even_communities(1000, 5);
        for text in [
            "caveman:degree=10,between=0.03",
            "geometric:degree=10,between=0.03",
        ] {
            let graph = spec(text).generate(&communities, 2).unwrap();
            let clustering = measure::clustering(&graph).mean;
            assert!(clustering > 0.3, "{text}: {clustering}");
            // A community stays connected inside, but for a few peers.
            for community in 0..5 {
                let inside: Links = graph
                    .edges()
                    .filter(|(a, b)| {
                        [*a, *b]
                            .iter()
                            .all(|p| communities[*p as usize] == community)
                    })
                    .collect();
                let alone = Graph::new(communities.clone(), inside).unwrap();
                let largest = measure::components(&alone).into_iter().max().unwrap();
                assert!(largest >= 180, "{text}: {largest} of 200 hang together");
            }
        }
    }

    #[test]
    fn triangles_lead_from_cave_to_cave_on_the_ring() {
        let reach = |near: &str| {
            let spec = spec(&format!("caveman:degree=10,near={near},between=none"));
            let graph = spec.generate(&[0; 2000], 1).unwrap();
            let support = crate::graph::TriangleSupport::of(&graph);
            let supported = (0..2000u32).flat_map(|peer| {
                let links = graph.neighbours(peer).iter().zip(support.at(&graph, peer));
                links
                    .filter(|(_, s)| **s > 0)
                    .map(move |(other, _)| (peer, *other))
            });
            let alone = Graph::new(vec![0; 2000], supported.collect()).unwrap();
            measure::components(&alone)[0]
        };
        // Tens of caves hang together where the classic graph leaves one or two.
        let (near, far) = (reach("0.8"), reach("0"));
        assert!(near > 150 && far < 60, "{near} {far}");
    }

    #[test]
    fn impossible_wishes_are_explained() {
        let few = spec("regular:degree=10").generate(&[0; 10], 1).unwrap_err();
        assert!(few.to_string().contains("more than 10 peers"), "{few}");
        let gap = spec("planted:degree=2").generate(&[0, 0, 0, 2, 2, 2], 1);
        assert!(
            gap.unwrap_err()
                .to_string()
                .contains("community 1 has no peer")
        );
        let one = spec("planted:degree=2").generate(&[0; 6], 1).unwrap_err();
        assert!(one.to_string().contains("at least two"), "{one}");
    }
}
