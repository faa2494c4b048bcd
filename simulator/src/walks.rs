//! Walks to a place, step by step as clusters make them, and colluders who want to come to one cluster and try.
//!
//! The overlay is that of a founding, and every step is the [`step`](walk::step) that clusters make. Beacons are drawn from the
//! seed, one for each cluster and epoch; who can bias those is another matter, see [`beacon`](crate::beacon). Nobody knows the
//! beacon of an epoch that is yet to come, and colluders know all others.

use crate::random::{Purpose, Randomness};
use hamlet_overlay::{
    genesis::{Founder, Genesis, GenesisError, Parameters},
    hash::Hash,
    identity::PeerId,
    membership::{
        cycle::Place,
        walk::{self, Walk},
    },
};

/// How many ways to ask a colluder looks at before it asks.
pub const TRIALS: u64 = 8;

/// The cluster that colluders want to come to.
const WANTED: u64 = 0;

/// What colluders do to come to the cluster that they want. Where they try more than one way, they take the first that would
/// lead there if the beacons of the last epochs came again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// Nothing: walks begin anywhere.
    None,
    /// They ask the very cluster.
    Near,
    /// They try several keys and contacts, and moments to ask.
    Choose,
    /// They are members of the contact cluster and withhold the order, so that the walk is asked for again in the next epoch.
    Withhold,
    /// As `Choose`, with beacons that are known beforehand: as it would be if beacons were not secret.
    Foresee,
}

/// What captured clusters do with the walks that come to them while there are steps left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// They let them end there.
    Keep,
    /// They let them end in the cluster that colluders want where it is next to them; else they send them to a
    /// captured neighbour, or let them take the step that is due.
    Shove,
}

/// Where walks ended.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Per cluster, how many.
    pub counts: Vec<u64>,
    /// How many were at a captured cluster before their last step.
    pub crossed: u64,
}

impl Ends {
    /// How many walks there were.
    pub fn walks(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of walks that ended in the cluster that colluders want.
    pub fn wanted_ratio(&self) -> f64 {
        self.counts[WANTED as usize] as f64 / self.walks() as f64
    }

    /// Pearson's chi-square against even ends; it has one degree of freedom less than there are clusters.
    pub fn chi_square(&self) -> f64 {
        let expected = self.walks() as f64 / self.counts.len() as f64;
        let off = |count: &u64| (*count as f64 - expected).powi(2) / expected;
        self.counts.iter().map(off).sum()
    }

    /// Half the sum of the differences from even ends. Chance alone makes it about [`chance`](Ends::chance).
    pub fn total_variation(&self) -> f64 {
        let even = 1.0 / self.counts.len() as f64;
        let off = |count: &u64| (*count as f64 / self.walks() as f64 - even).abs();
        self.counts.iter().map(off).sum::<f64>() / 2.0
    }

    /// The total variation that so many walks to so many clusters show in the mean though they end evenly.
    pub fn chance(&self) -> f64 {
        let (clusters, walks) = (self.counts.len() as f64, self.walks() as f64);
        ((clusters - 1.0) / (std::f64::consts::TAU * walks)).sqrt()
    }
}

/// Clusters on cycles.
pub struct Field {
    seed: u64,
    network: Hash,
    places: Vec<Vec<Place>>,
    length: u8,
    captured: Vec<bool>,
}

impl Field {
    /// So many clusters on `h` cycles, as a founding places them; of them a share is captured, though not the one that
    /// colluders want.
    ///
    /// # Errors
    /// If no network can be founded with so many clusters or cycles.
    pub fn new(clusters: usize, h: u8, captured: f64, seed: u64) -> Result<Field, GenesisError> {
        let keys = Randomness::new(seed, Purpose::Key);
        let mut founders: Vec<Founder> = (0..clusters as u64)
            .map(|peer| Founder {
                id: PeerId(keys.bytes(peer)),
                addresses: Vec::new(),
            })
            .collect();
        founders.sort_by_key(|founder| founder.id);
        let parameters = Parameters {
            g_min: 1,
            g_max: 1,
            h,
            n: 2,
            k: 1,
            ..Parameters::for_peers(clusters)
        };
        let genesis = Genesis {
            name: "walks".to_owned(),
            parameters,
            seed: Hash(Randomness::new(seed, Purpose::Network).bytes(0)),
            founders,
            publishers: Vec::new(),
            admission: Default::default(),
        };
        let network = genesis.found()?;
        // Even numbers of steps and odd ones are a matter of the founding: any clusters but the one wanted will do.
        let mut order: Vec<usize> = (1..clusters).collect();
        let draw = Randomness::new(seed, Purpose::Targets);
        order.sort_by_key(|cluster| draw.at([*cluster as u64]));
        let count = (captured * clusters as f64).round() as usize;
        let mut is_captured = vec![false; clusters];
        (order.into_iter().take(count)).for_each(|cluster| is_captured[cluster] = true);
        Ok(Field {
            seed,
            network: network.id(),
            places: (0..clusters)
                .map(|cluster| network.places(cluster))
                .collect(),
            length: walk::length(clusters, h),
            captured: is_captured,
        })
    }

    /// How many steps a walk takes.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// How many clusters are captured.
    pub fn captured(&self) -> usize {
        self.captured.iter().filter(|captured| **captured).count()
    }

    /// The share of `ends` in captured clusters.
    pub fn captured_ratio(&self, ends: &Ends) -> f64 {
        let within = ends.counts.iter().zip(&self.captured);
        let within: u64 = within
            .map(|(count, captured)| count * u64::from(*captured))
            .sum();
        within as f64 / ends.walks() as f64
    }

    /// The total variation from even ends that a walk begun at the worst cluster has in theory, where nobody is captured.
    pub fn worst_spread(&self) -> f64 {
        (0..self.places.len())
            .map(|start| self.spread(start))
            .fold(0.0, f64::max)
    }

    fn spread(&self, start: usize) -> f64 {
        let clusters = self.places.len();
        let mut share = vec![0.0; clusters];
        share[start] = 1.0;
        for _ in 0..self.length {
            // As many ways lead in as out, and all are equally likely.
            let into = |(places, own): (&Vec<Place>, &f64)| {
                let around = places.iter().flat_map(|place| [place.before, place.after]);
                let from: f64 = around.map(|cluster| share[cluster as usize]).sum();
                (own + from) / (2 * places.len() + 1) as f64
            };
            share = self.places.iter().zip(&share).map(into).collect();
        }
        let off = |share: &f64| (share - 1.0 / clusters as f64).abs();
        share.iter().map(off).sum::<f64>() / 2.0
    }

    /// Has a walk with this number made, and counts where it ends.
    pub fn walk(&self, number: u64, steering: Steering, capture: Capture, ends: &mut Ends) {
        let ask = self.ask(number, steering, capture);
        let beacon = |cluster, epoch| self.beacon(cluster, epoch);
        let (end, crossed) = self.follow(ask, beacon, capture);
        ends.counts[end as usize] += 1;
        ends.crossed += u64::from(crossed);
    }

    /// No ends yet.
    pub fn ends(&self) -> Ends {
        Ends {
            counts: vec![0; self.places.len()],
            crossed: 0,
        }
    }

    fn ask(&self, number: u64, steering: Steering, capture: Capture) -> Ask {
        let clusters = self.places.len() as u64;
        let draw = Randomness::new(self.seed, Purpose::Walks);
        let keys = Randomness::new(self.seed, Purpose::Peer);
        let way = |trial: u64| {
            let key = match steering {
                Steering::Withhold => 0,
                _ => trial,
            };
            let cluster = match (steering, trial) {
                (Steering::Near, _) | (Steering::Choose | Steering::Foresee, 0) => WANTED,
                _ => draw.within([number, key], &(0..=clusters - 1)),
            };
            Ask {
                peer: PeerId(keys.bytes(number * TRIALS + key)),
                cluster,
                epoch: FIRST_EPOCH + number / (EACH * clusters) + trial,
            }
        };
        let length = u64::from(self.length);
        let known = |cluster, epoch: u64| match steering {
            Steering::Foresee => self.beacon(cluster, epoch),
            // All that the walk will meet are yet to come; by as many epochs earlier, none is.
            _ => self.beacon(cluster, epoch - length),
        };
        let suits = |ask: &Ask| self.follow(*ask, known, capture).0 == WANTED;
        let trials = match steering {
            Steering::None | Steering::Near => 0,
            Steering::Choose | Steering::Withhold | Steering::Foresee => TRIALS,
        };
        let best = (0..trials).map(way).find(suits);
        best.unwrap_or_else(|| way(0))
    }

    /// The beacon that ends an epoch of a cluster.
    fn beacon(&self, cluster: u64, epoch: u64) -> Hash {
        let beacons = Randomness::new(self.seed, Purpose::Beacons);
        Hash(beacons.bytes(beacons.at([cluster, epoch])))
    }

    /// Where a walk ends, and whether it came to a captured cluster with steps left.
    fn follow(&self, ask: Ask, beacon: impl Fn(u64, u64) -> Hash, capture: Capture) -> (u64, bool) {
        let id = Walk::name(self.network, ask.cluster, ask.epoch, ask.peer);
        let mut at = ask.cluster;
        let mut crossed = false;
        for (epoch, left) in (ask.epoch + 1..).zip((1..=self.length).rev()) {
            let places = &self.places[at as usize];
            let drawn = walk::step(beacon(at, epoch), id, left, places).unwrap_or(at);
            if !self.captured[at as usize] {
                at = drawn;
                continue;
            }
            crossed = true;
            let mut around = places.iter().flat_map(|place| [place.before, place.after]);
            match capture {
                Capture::Keep => break,
                Capture::Shove if around.clone().any(|next| next == WANTED) => {
                    at = WANTED;
                    break;
                }
                Capture::Shove => {
                    let fellow = around.find(|next| self.captured[*next as usize]);
                    at = fellow.unwrap_or(drawn);
                }
            }
        }
        (at, crossed)
    }
}

/// Which walk is asked for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    peer: PeerId,
    cluster: u64,
    epoch: u64,
}

/// The epoch in which the first walk is asked for: late enough that there are beacons of earlier ones to learn from.
const FIRST_EPOCH: u64 = 1_000;
/// How many walks a cluster begins in an epoch, on average.
const EACH: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const WALKS: u64 = 6_000;

    fn field(clusters: usize, captured: f64) -> Field {
        Field::new(clusters, 3, captured, 1).unwrap_or_else(|error| panic!("{error}"))
    }

    fn ends(field: &Field, steering: Steering, capture: Capture) -> Ends {
        let mut ends = field.ends();
        (0..WALKS).for_each(|number| field.walk(number, steering, capture, &mut ends));
        ends
    }

    #[test]
    fn walks_end_evenly_whatever_colluders_try() {
        for steering in [
            Steering::None,
            Steering::Near,
            Steering::Choose,
            Steering::Withhold,
        ] {
            for clusters in [8, 64] {
                let ends = ends(&field(clusters, 0.0), steering, Capture::Keep);
                // Five standard deviations.
                let degrees = clusters as f64 - 1.0;
                let most = degrees + 5.0 * (2.0 * degrees).sqrt();
                assert!(
                    ends.chi_square() < most,
                    "{steering:?}, {clusters} clusters: {} where {degrees} are expected",
                    ends.chi_square()
                );
                assert_eq!((ends.walks(), ends.crossed), (WALKS, 0));
            }
        }
    }

    #[test]
    fn who_knew_the_beacons_would_come_where_it_likes() {
        let ends = ends(&field(8, 0.0), Steering::Foresee, Capture::Keep);
        // One of eight ways to ask that lead to one of eight clusters each.
        let expected = 1.0 - (7.0f64 / 8.0).powi(8);
        assert!((ends.wanted_ratio() - expected).abs() < 0.05);
    }

    #[test]
    fn captured_clusters_move_no_more_walks_than_cross_them() {
        for (capture, clusters) in [(Capture::Keep, 64), (Capture::Shove, 8)] {
            let mut worst: f64 = 0.0;
            for seed in 1..=4 {
                let field = Field::new(clusters, 3, 0.1, seed).unwrap();
                let ends = ends(&field, Steering::None, capture);
                let crossed = ends.crossed as f64 / WALKS as f64;
                assert!((0.1..0.9).contains(&crossed), "{crossed}");
                assert!(ends.total_variation() < crossed + 0.01 + ends.chance());
                worst = worst.max(ends.total_variation() / ends.chance());
                if capture == Capture::Keep {
                    assert!(field.captured_ratio(&ends) >= crossed);
                }
            }
            // They do try. One that shoves all to a neighbour where as many go anyway changes nothing.
            assert!(worst > 3.0, "{capture:?}");
        }
    }

    #[test]
    fn the_table_of_lengths_keeps_its_word() {
        for (clusters, h) in [(8, 2), (64, 2), (64, 3), (256, 3), (64, 4)] {
            for seed in 1..=3 {
                let field = Field::new(clusters, h, 0.0, seed).map(|field| field.worst_spread());
                assert!(field.is_ok_and(|spread| spread < 0.01), "{clusters}, {h}");
            }
        }
    }
}
