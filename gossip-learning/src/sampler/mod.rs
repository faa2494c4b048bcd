//! Whom a peer sends its model to.

mod view;

use crate::{
    arena::{Kind, World},
    random,
};
use petgraph::unionfind::UnionFind;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use view::Views;

/// How a peer chooses the receiver of its model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Anybody, each with the same probability.
    Uniform,
    /// Somebody of a small view that is refreshed by gossip.
    View {
        /// Peers in a view.
        size: usize,
        /// Exchanges of views that a peer starts in a round.
        refreshes: u32,
    },
    /// A neighbour in the graph.
    Graph,
    /// Everybody's partner in a fresh random perfect matching each round.
    Matching,
    /// A gate for the local model: neighbours whose link closes at least `least` triangles. The global
    /// model goes to any neighbour.
    Triangles {
        /// Common neighbours that a link needs.
        least: u32,
        /// A peer that reaches fewer peers than this over links with triangles takes local models over its
        /// other links as well, if they fit its own rows no worse than its own model does. Where communities
        /// consist of small cliques, nothing else ties them together. 0 lets nobody do so, the number of
        /// peers and more everybody.
        reach: u32,
    },
    /// A gate for the local model: of every `of` models received the `best` by the loss on the peer's
    /// own rows are merged (PENS: Onoszko et al. 2021). The global model merges all.
    Pens {
        /// Models compared.
        of: usize,
        /// Models kept.
        best: usize,
    },
    /// A gate for the local model: neighbours by softmax of `τ / loss` of what they sent last, with
    /// `τ = 2a / (1 + exp(−b·round)) − a + 1` (DAC: Zec et al. 2022, arXiv 2206.08839).
    Dac {
        /// The final sharpness.
        a: f32,
        /// How fast it is reached, per round.
        b: f32,
    },
}

impl Sampling {
    /// Whether peers keep a local model apart from the global one.
    pub fn is_gated(self) -> bool {
        matches!(
            self,
            Sampling::Triangles { .. } | Sampling::Pens { .. } | Sampling::Dac { .. }
        )
    }

    /// Whether it chooses among the links of a graph.
    pub fn needs_links(self) -> bool {
        self.is_gated() || self == Sampling::Graph
    }

    pub(crate) fn is_sound(self) -> bool {
        match self {
            Sampling::Pens { of, best } => (1..=of).contains(&best) && of <= 64,
            Sampling::Dac { a, b } => a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite(),
            Sampling::View { size, .. } => (1..=64).contains(&size),
            Sampling::Triangles { least, .. } => least > 0,
            _ => true,
        }
    }
}

/// The state of all peers' samplers.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sampler {
    sampling: Sampling,
    views: Option<Views>,
    /// The partner of each peer in this round's matching.
    partner: Vec<u32>,
    /// Where the neighbours with triangle support of each peer end in `supported`.
    ends: Vec<u32>,
    supported: Vec<u32>,
    /// Whether each peer tries local models that come over its other links.
    tries: Vec<bool>,
    /// The loss of the last model from each neighbour, by direction of link.
    losses: Vec<f32>,
}

impl Sampler {
    pub(crate) fn new(sampling: &Sampling, world: &World<'_>, rng: &mut impl Rng) -> Sampler {
        let peers = world.partition.peers();
        let mut sampler = Sampler {
            sampling: *sampling,
            views: None,
            partner: Vec::new(),
            ends: Vec::new(),
            supported: Vec::new(),
            tries: Vec::new(),
            losses: Vec::new(),
        };
        match (*sampling, world.links) {
            (Sampling::View { size, refreshes }, _) => {
                sampler.views = Some(Views::new(peers, size, refreshes, rng));
            }
            (Sampling::Matching, _) => sampler.partner = (0..peers as u32).collect(),
            (Sampling::Triangles { least, reach }, Some((graph, support))) => {
                for peer in 0..peers as u32 {
                    let links = graph.neighbours(peer).iter().zip(support.at(graph, peer));
                    let supported = links.filter(|(_, count)| **count >= least);
                    sampler
                        .supported
                        .extend(supported.map(|(neighbour, _)| *neighbour));
                    sampler.ends.push(sampler.supported.len() as u32);
                }
                sampler.tries = sampler.reached().map(|many| many < reach).collect();
            }
            (Sampling::Dac { .. }, Some((graph, _))) => {
                sampler.losses = vec![f32::NAN; 2 * graph.links()];
            }
            _ => {}
        }
        sampler
    }

    /// Prepares a round: `order` holds the peers that are online, in random order.
    pub(crate) fn begin(&mut self, order: &[u32], rng: &mut impl Rng) {
        if let Some(views) = &mut self.views {
            views.refresh(order, rng);
        }
        if self.sampling == Sampling::Matching {
            // The order is uniformly random, so neighbours in it are a uniformly random matching.
            for pair in order.chunks(2) {
                self.partner[pair[0] as usize] = pair[pair.len() - 1];
                self.partner[pair[pair.len() - 1] as usize] = pair[0];
            }
        }
    }

    /// The receiver of `peer`'s model of this kind, if it knows one.
    #[inline]
    pub(crate) fn pick(
        &self,
        peer: u32,
        kind: Kind,
        round: u32,
        world: &World<'_>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        match self.sampling {
            Sampling::Uniform => {
                let other = random::below(rng, world.partition.peers() - 1) as u32;
                Some(other + u32::from(other >= peer))
            }
            Sampling::View { .. } => self.views.as_ref()?.pick(peer, rng),
            Sampling::Matching => Some(self.partner[peer as usize]).filter(|other| *other != peer),
            Sampling::Triangles { .. } if kind == Kind::Local && !self.tries[peer as usize] => {
                one(self.supported(peer), rng)
            }
            Sampling::Dac { a, b } if kind == Kind::Local => {
                let (graph, _) = world.links?;
                let sharpness = 2.0 * a / (1.0 + (-b * round as f32).exp()) - a + 1.0;
                let losses = &self.losses[graph.arcs(peer)];
                softmax(losses, sharpness, rng).map(|place| graph.neighbours(peer)[place])
            }
            _ => one(world.links?.0.neighbours(peer), rng),
        }
    }

    /// Whether `peer` lets a local model from this sender in. The receiver decides by its own links;
    /// `fits` says whether the model does no worse on the receiver's rows than its own one.
    #[inline]
    pub(crate) fn admits(&self, peer: u32, from: u32, fits: impl FnOnce() -> bool) -> bool {
        match self.sampling {
            Sampling::Triangles { .. } => {
                let supported = self.supported(peer).binary_search(&from).is_ok();
                supported || (self.tries[peer as usize] && fits())
            }
            _ => true,
        }
    }

    /// Notes the loss on `peer`'s own rows of a local model from a neighbour.
    pub(crate) fn note(
        &mut self,
        peer: u32,
        from: u32,
        world: &World<'_>,
        loss: impl FnOnce() -> f32,
    ) {
        if let (Sampling::Dac { .. }, Some((graph, _))) = (self.sampling, world.links)
            && let Ok(place) = graph.neighbours(peer).binary_search(&from)
        {
            self.losses[graph.arcs(peer).start + place] = loss();
        }
    }

    /// How many peers each peer reaches over links with triangles, itself among them. A live peer counts
    /// them by collecting names over such links, and may stop at `reach` names.
    fn reached(&self) -> impl Iterator<Item = u32> {
        let peers = self.ends.len();
        let mut sets = UnionFind::<u32>::new(peers);
        for peer in 0..peers as u32 {
            for other in self.supported(peer) {
                sets.union(peer, *other);
            }
        }
        let component = sets.into_labeling();
        let mut sizes = vec![0; peers];
        component.iter().for_each(|of| sizes[*of as usize] += 1);
        component.into_iter().map(move |of| sizes[of as usize])
    }

    fn supported(&self, peer: u32) -> &[u32] {
        let start = if peer == 0 {
            0
        } else {
            self.ends[peer as usize - 1]
        };
        &self.supported[start as usize..self.ends[peer as usize] as usize]
    }
}

fn one(of: &[u32], rng: &mut impl Rng) -> Option<u32> {
    (!of.is_empty()).then(|| of[random::below(rng, of.len())])
}

/// A place drawn by softmax of `sharpness / loss`; places without a loss yet count as the mean of the
/// others, or all alike.
fn softmax(losses: &[f32], sharpness: f32, rng: &mut impl Rng) -> Option<usize> {
    let known = || losses.iter().copied().filter(|loss| loss.is_finite());
    let count = known().count();
    let mean = if count > 0 {
        known().sum::<f32>() / count as f32
    } else {
        1.0
    };
    let scores = || {
        losses.iter().map(|loss| {
            let loss = if loss.is_finite() { *loss } else { mean };
            sharpness / loss.max(1e-6)
        })
    };
    let highest = scores().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores().map(|score| (score - highest).exp()).sum();
    let mut left = random::unit(rng) as f32 * sum;
    let place = scores().position(|score| {
        left -= (score - highest).exp();
        left < 0.0
    });
    place.or(losses.len().checked_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Dataset, Partition, Rows, Task,
        graph::{Graph, TriangleSupport},
    };

    #[test]
    fn only_who_reaches_few_tries_what_comes_over_links_without_triangles() {
        // A triangle, a clique of four, and a link between them.
        let triangle = [(0, 1), (1, 2), (0, 2)];
        let clique = [(3, 4), (4, 5), (5, 6), (3, 5), (3, 6), (4, 6)];
        let links = triangle.into_iter().chain(clique).chain([(2, 3)]).collect();
        let graph = Graph::new(vec![0; 7], links).unwrap();
        let support = TriangleSupport::of(&graph);
        let rows: Rows = Rows::dense(1);
        let data = Dataset {
            task: Task::Regression,
            features: vec!["x".into()],
            classes: Vec::new(),
            communities: vec!["all".into()],
            train: rows.clone(),
            train_community: Vec::new(),
            test: rows,
            test_community: Vec::new(),
        };
        let partition = Partition::new((0..7).map(|_| (Vec::new(), 0)));
        let world = World {
            data: &data,
            partition: &partition,
            links: Some((&graph, &support)),
        };
        let mut rng = random::stream(1, 1);
        let sampling = Sampling::Triangles { least: 1, reach: 4 };
        let sampler = Sampler::new(&sampling, &world, &mut rng);
        assert_eq!(sampler.reached().collect::<Vec<_>>(), [3, 3, 3, 4, 4, 4, 4]);
        assert!(sampler.admits(0, 1, || false));
        assert!(sampler.admits(2, 3, || true) && !sampler.admits(2, 3, || false));
        assert!(!sampler.admits(3, 2, || true));
        // Peer 3 keeps to its clique, peer 2 offers its model across as well.
        let mut picks = |peer| -> Vec<u32> {
            let mut pick = || {
                sampler
                    .pick(peer, Kind::Local, 1, &world, &mut rng)
                    .unwrap()
            };
            (0..100).map(|_| pick()).collect()
        };
        assert!(!picks(3).contains(&2));
        assert!(picks(2).contains(&3));
    }

    #[test]
    fn low_losses_are_chosen_more_often() {
        let mut rng = random::stream(1, 1);
        let mut hits = [0; 3];
        for _ in 0..3000 {
            hits[softmax(&[1.0, 0.2, f32::NAN], 1.0, &mut rng).unwrap()] += 1;
        }
        assert!(hits[1] > 10 * hits[0], "{hits:?}");
        assert!(hits[2] > hits[0] && hits[2] < hits[1], "{hits:?}");
        assert_eq!(softmax(&[], 1.0, &mut rng), None);
    }
}
