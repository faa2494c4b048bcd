//! Who is in which cluster, and how that changes from epoch to epoch.

use crate::{
    directory::Directory,
    random::{Purpose, Randomness},
};
use hamlet_gossip_learning::random;
use hamlet_overlay::{
    genesis::Network,
    hash::Hash,
    identity::PeerId,
    view::{Change, Cluster, Epoch, First, Next},
};
use std::sync::Arc;

/// The clusters of all peers, as an agreement would have settled them.
#[derive(Clone)]
pub(crate) struct Membership {
    /// Per cluster, the numbers of those next to it.
    neighbours: Arc<Vec<Vec<u64>>>,
    seed: u64,
    /// The slots of a cluster.
    n: u8,
    epoch: u64,
    clusters: Vec<Arc<Cluster>>,
    /// Per peer, the number of its cluster.
    home: Vec<usize>,
}

impl Membership {
    /// The clusters of the founding.
    pub fn new(network: &Network, seed: u64) -> Membership {
        let clusters: Vec<Arc<Cluster>> = (network.clusters().iter())
            .map(|cluster| Arc::new(cluster.clone()))
            .collect();
        let around = |number| {
            let around = network.neighbours(number).into_iter();
            around.map(|cluster| cluster.id).collect()
        };
        let mut members: Vec<(PeerId, usize)> = (0..)
            .zip(&clusters)
            .flat_map(|(number, cluster)| cluster.members().iter().map(move |id| (*id, number)))
            .collect();
        members.sort_unstable();
        Membership {
            home: members.into_iter().map(|(_, number)| number).collect(),
            neighbours: Arc::new((0..clusters.len()).map(around).collect()),
            clusters,
            n: network.parameters().n,
            seed,
            epoch: 0,
        }
    }

    /// Whether two peers are in one cluster.
    pub fn are_fellows(&self, one: usize, other: usize) -> bool {
        self.home[one] == self.home[other]
    }

    /// All clusters, in the order of their numbers.
    pub fn clusters(&self) -> &[Arc<Cluster>] {
        &self.clusters
    }

    /// The cluster of a peer.
    pub fn cluster(&self, peer: usize) -> &Cluster {
        &self.clusters[self.home[peer]]
    }

    /// Whether two clusters follow one another on a cycle.
    pub fn are_neighbours(&self, one: u64, other: u64) -> bool {
        self.neighbours[one as usize].binary_search(&other).is_ok()
    }

    /// Begins the next epoch: a share of the peers, drawn at random, exchange their places. Returns how
    /// many came to another cluster.
    pub fn change(&mut self, moving: f64, directory: &Directory) -> usize {
        let mut rng = random::stream(self.seed, self.epoch + 1);
        let mut movers: Vec<usize> = (0..self.home.len()).collect();
        random::shuffle(&mut rng, &mut movers);
        movers.truncate((moving * self.home.len() as f64).round() as usize);
        let before = self.home.clone();
        let homes = movers.iter().map(|peer| before[*peer]);
        // Everybody takes the place of the next: cluster sizes stay as they are.
        for (peer, home) in movers.iter().cycle().skip(1).zip(homes) {
            self.home[*peer] = home;
        }
        self.deal(directory);
        let moved = self.home.iter().zip(&before);
        moved.filter(|(now, before)| now != before).count()
    }

    /// Begins the next epoch: each of some peers, in this order, changes places with a peer of another cluster
    /// that `draw` chooses below a number.
    pub fn exchange(
        &mut self,
        movers: &[usize],
        mut draw: impl FnMut(usize, usize) -> usize,
        directory: &Directory,
    ) {
        for &mover in movers {
            let elsewhere = (0..self.home.len()).filter(|&peer| !self.are_fellows(peer, mover));
            let elsewhere: Vec<usize> = elsewhere.collect();
            if !elsewhere.is_empty() {
                self.home
                    .swap(mover, elsewhere[draw(mover, elsewhere.len())]);
            }
        }
        self.deal(directory);
    }

    /// Deals all slots anew, in the next epoch.
    fn deal(&mut self, directory: &Directory) {
        self.epoch += 1;
        let beacons = Randomness::new(self.seed, Purpose::Network);
        for (number, cluster) in self.clusters.iter_mut().enumerate() {
            let members = (0..self.home.len()).filter(|peer| self.home[*peer] == number);
            let members = members.map(|peer| directory.id(peer)).collect();
            let beacon = Hash(beacons.bytes(self.epoch));
            let dealt = Cluster::deal(cluster.id, self.epoch, members, beacon, self.n);
            *cluster = Arc::new(dealt);
        }
    }

    /// The neighbourhood of a peer in the epoch that lasts, which governs each stream from a segment on.
    pub fn epoch_of(&self, peer: usize, first: First) -> Change {
        let own = self.home[peer];
        let around = self.neighbours[own].iter();
        let neighbours = around.map(|&id| self.clusters[id as usize].clone());
        Change {
            first,
            next: Next::Neighbourhood(Epoch {
                own: self.clusters[own].clone(),
                neighbours: neighbours.collect(),
            }),
        }
    }
}
