//! The network: who is in which cluster, and how the cycles lead over the clusters. Of the clusters around a peer it shows the
//! newest epochs that the peer knows, of others the founding.

use super::roll::{PeerNumber, Roll};
use crate::uri::StreamUri;
use hamlet_overlay::{genesis::Parameters, hash::hex, identity::PeerId, view::Cluster};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

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
    pub cycles: Vec<Vec<usize>>,
    /// The streams.
    pub streams: Vec<StreamMap>,
    /// The peer that tells this; none where the whole network is shown.
    pub me: Option<PeerNumber>,
}

/// A cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterMap {
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
    /// The map of a network, as `me` tells it, with these clusters in newer epochs than the founding.
    pub fn of<'a>(
        roll: &Roll,
        me: Option<PeerId>,
        around: impl IntoIterator<Item = &'a Arc<Cluster>>,
    ) -> NetworkMap {
        let mut known: BTreeMap<u64, &Cluster> = BTreeMap::new();
        for cluster in around {
            let newest = known.entry(cluster.id).or_insert(cluster);
            if newest.epoch < cluster.epoch {
                *newest = cluster;
            }
        }
        let network = roll.network();
        let genesis = network.genesis();
        let number = |peer| roll.number(peer).unwrap_or_default();
        let clusters = network.clusters().iter();
        let clusters =
            clusters.map(|founding| known.get(&founding.id).copied().unwrap_or(founding));
        let clusters = clusters.map(|cluster| ClusterMap {
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
            cycles: network.cycles().to_vec(),
            streams: streams.collect(),
            me: me.and_then(|me| roll.number(me)),
        }
    }
}
