//! Who is in which cluster, and how that changes from epoch to epoch.

use crate::{
    directory::Directory,
    random::{Purpose, Randomness},
    settings::SettingsError,
};
use hamlet_gossip_learning::random;
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters},
    hash::Hash,
    identity::PeerId,
    view::{Cluster, Epoch},
};
use std::collections::BTreeMap;

/// The clusters of all peers, as an agreement would have settled them.
pub(super) struct Membership {
    network: Network,
    seed: u64,
    epoch: u64,
    clusters: Vec<Cluster>,
    /// Per peer, the number of its cluster.
    home: Vec<usize>,
}

impl Membership {
    pub(super) fn new(network: Network, seed: u64) -> Membership {
        let clusters = network.clusters().to_vec();
        let mut members: Vec<(PeerId, usize)> = (0..)
            .zip(&clusters)
            .flat_map(|(number, cluster)| cluster.members().iter().map(move |id| (*id, number)))
            .collect();
        members.sort_unstable();
        Membership {
            home: members.into_iter().map(|(_, number)| number).collect(),
            clusters,
            network,
            seed,
            epoch: 0,
        }
    }

    /// Whether two peers are in one cluster.
    pub(super) fn are_fellows(&self, one: usize, other: usize) -> bool {
        self.home[one] == self.home[other]
    }

    /// Begins the next epoch: a share of the peers, drawn at random, exchange their places. Returns how
    /// many came to another cluster.
    pub(super) fn change(&mut self, moving: f64, directory: &Directory) -> usize {
        self.epoch += 1;
        let mut rng = random::stream(self.seed, self.epoch);
        let mut movers: Vec<usize> = (0..self.home.len()).collect();
        random::shuffle(&mut rng, &mut movers);
        movers.truncate((moving * self.home.len() as f64).round() as usize);
        let before = self.home.clone();
        let homes = movers.iter().map(|peer| before[*peer]);
        // Everybody takes the place of the next: cluster sizes stay as they are.
        for (peer, home) in movers.iter().cycle().skip(1).zip(homes) {
            self.home[*peer] = home;
        }
        let beacons = Randomness::new(self.seed, Purpose::Network);
        let parameters = self.network.parameters();
        for (number, cluster) in self.clusters.iter_mut().enumerate() {
            let members = (0..self.home.len()).filter(|peer| self.home[*peer] == number);
            let members = members.map(|peer| directory.id(peer)).collect();
            let beacon = Hash(beacons.bytes(self.epoch));
            *cluster = Cluster::deal(cluster.id, self.epoch, members, beacon, parameters.n);
        }
        let moved = self.home.iter().zip(&before);
        moved.filter(|(now, before)| now != before).count()
    }

    /// The neighbourhood of a peer in the epoch that lasts.
    pub(super) fn epoch_of(&self, peer: usize) -> Epoch {
        let own = self.home[peer];
        let neighbours = self.network.neighbours(own);
        let current = neighbours
            .into_iter()
            .filter_map(|old| self.clusters.iter().find(|cluster| cluster.id == old.id));
        Epoch {
            first: BTreeMap::new(),
            own: self.clusters[own].clone(),
            neighbours: current.cloned().collect(),
        }
    }
}

/// A network of these founders without a publisher.
pub(super) fn found(
    seed: u64,
    parameters: Parameters,
    ids: &[PeerId],
) -> Result<Network, SettingsError> {
    let founder = |&id| Founder {
        id,
        addresses: Vec::new(),
    };
    let genesis = Genesis {
        name: "learning".to_owned(),
        parameters,
        seed: Hash(Randomness::new(seed, Purpose::Network).bytes(0)),
        founders: ids.iter().map(founder).collect(),
        publishers: Vec::new(),
    };
    Ok(genesis.found()?)
}
