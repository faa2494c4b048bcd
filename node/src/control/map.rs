//! The network: who is in which cluster, and how the cycles lead over the clusters. Of the clusters around a peer it shows the
//! newest epochs that the peer knows, of others the founding; and of the cycles what has changed beside these.

use super::roll::{PeerNumber, Roll};
use crate::{driver::PeerStatus, uri::StreamUri};
use hamlet_overlay::{
    genesis::Parameters, hash::hex, identity::PeerId, membership::cycle::Place, view::Cluster,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The network. Peers are numbers.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkMap {
    /// Its identity, in hexadecimal.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its parameters.
    pub parameters: Parameters,
    /// The first eight digits of every peer's key.
    pub peers: Vec<String>,
    /// Its clusters.
    pub clusters: Vec<ClusterMap>,
    /// The cycles, each a list of clusters in their order around it.
    pub cycles: Vec<Vec<u64>>,
    /// The streams.
    pub streams: Vec<StreamMap>,
    /// The peer that tells this; none where the whole network is shown.
    pub me: Option<PeerNumber>,
}

/// A cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterMap {
    /// Its number.
    pub number: u64,
    /// The number of the epoch that is shown.
    pub epoch: u64,
    /// Its members.
    pub members: Vec<PeerNumber>,
    /// Per slot, the member that holds it.
    pub slots: Vec<PeerNumber>,
}

/// A stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamMap {
    /// Its name.
    pub uri: String,
    /// The key of its source, in hexadecimal.
    pub key: String,
    /// Its source.
    pub source: PeerNumber,
}

impl NetworkMap {
    /// The map of a network, as `me` tells it, with what these peers know of it beyond the founding.
    pub fn of<'a>(
        roll: &Roll,
        me: Option<PeerId>,
        knowing: impl IntoIterator<Item = &'a PeerStatus>,
    ) -> NetworkMap {
        let network = roll.network();
        let founding = network.clusters().iter();
        let mut known: BTreeMap<u64, &Cluster> =
            founding.map(|cluster| (cluster.id, cluster)).collect();
        let mut after = Successors::of(network.cycles());
        for PeerStatus { around, places, .. } in knowing {
            for cluster in around.clusters() {
                let newest = known.entry(cluster.id).or_insert(cluster);
                if newest.epoch < cluster.epoch {
                    *newest = cluster;
                }
            }
            after.learn(around.own.id, places.as_deref().unwrap_or_default());
        }
        let genesis = network.genesis();
        let number = |peer| roll.number(peer).unwrap_or_default();
        let cycles = after.cycles(&known.keys().copied().collect());
        let clusters = known.into_values().map(|cluster| ClusterMap {
            number: cluster.id,
            epoch: cluster.epoch,
            members: cluster.members().iter().copied().map(number).collect(),
            slots: (0..genesis.parameters.n)
                .map(|slot| number(cluster.holder(slot)))
                .collect(),
        });
        let streams = genesis.publishers.iter().map(|publisher| StreamMap {
            uri: StreamUri {
                network: network.id(),
                stream: publisher.stream,
            }
            .to_string(),
            key: publisher.stream.to_string(),
            source: number(publisher.stream),
        });
        NetworkMap {
            id: network.id().to_string(),
            name: genesis.name.clone(),
            parameters: genesis.parameters,
            peers: roll.peers().iter().map(|peer| hex(&peer.0[..4])).collect(),
            clusters: clusters.collect(),
            cycles,
            streams: streams.collect(),
            me: me.and_then(|me| roll.number(me)),
        }
    }
}

/// Which cluster comes after which, on each cycle.
struct Successors(Vec<BTreeMap<u64, u64>>);

impl Successors {
    /// As the network was founded.
    fn of(cycles: &[Vec<usize>]) -> Successors {
        let cycles = cycles.iter().map(|cycle| {
            let after = cycle.iter().cycle().skip(1);
            let steps = cycle.iter().zip(after);
            steps.map(|(from, to)| (*from as u64, *to as u64)).collect()
        });
        Successors(cycles.collect())
    }

    /// A cluster lies here.
    fn learn(&mut self, cluster: u64, places: &[Place]) {
        for (after, place) in self.0.iter_mut().zip(places) {
            after.insert(cluster, place.after);
            after.insert(place.before, cluster);
        }
    }

    /// The cycles over the clusters that are known, as far as it is known how they go on.
    fn cycles(&self, known: &BTreeSet<u64>) -> Vec<Vec<u64>> {
        let cycle = |after: &BTreeMap<u64, u64>| {
            let mut seen = BTreeSet::new();
            let next = |at: &u64| after.get(at).copied();
            let first = known.first().copied();
            std::iter::successors(first, next)
                .take_while(|at| known.contains(at) && seen.insert(*at))
                .collect()
        };
        self.0.iter().map(cycle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_lead_over_clusters_that_split_off() {
        let mut after = Successors::of(&[vec![0, 2, 1], vec![0]]);
        assert_eq!(after.cycles(&(0..3).collect()), [vec![0, 2, 1], vec![0]]);
        let beside = |before, after| Place { before, after };
        after.learn(5, &[beside(2, 1)]);
        assert_eq!(after.cycles(&[0, 1, 2, 5].into())[0], [0, 2, 5, 1]);
        after.learn(2, &[beside(0, 5)]);
        assert_eq!(after.cycles(&[0, 1, 2, 5].into())[0], [0, 2, 5, 1]);
        // One that is not known ends what can be drawn.
        after.learn(1, &[beside(5, 9)]);
        assert_eq!(after.cycles(&[0, 1, 2, 5].into())[0], [0, 2, 5, 1]);
    }
}
