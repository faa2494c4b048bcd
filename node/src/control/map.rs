//! The network as it was founded: who is in which cluster, and how the cycles lead over the clusters.

use crate::uri::StreamUri;
use hamlet_overlay::{
    genesis::{Network, Parameters},
    hash::hex,
    identity::PeerId,
};
use serde::Serialize;

/// A peer's number: its place in the genesis.
pub type PeerNumber = usize;

/// The network as it was founded. Peers are numbers: their places in the genesis.
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

/// The number of a peer, if it is a founder.
pub fn number_of(network: &Network, peer: PeerId) -> Option<PeerNumber> {
    let founders = &network.genesis().founders;
    founders
        .binary_search_by_key(&peer, |founder| founder.id)
        .ok()
}

impl NetworkMap {
    /// The map of a network, as `me` tells it.
    pub fn of(network: &Network, me: Option<PeerId>) -> NetworkMap {
        let genesis = network.genesis();
        let number = |peer| number_of(network, peer).unwrap_or_default();
        let clusters = network.clusters().iter().map(|cluster| ClusterMap {
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
            peers: genesis
                .founders
                .iter()
                .map(|founder| hex(&founder.id.0[..4]))
                .collect(),
            clusters: clusters.collect(),
            cycles: network.cycles().to_vec(),
            streams: streams.collect(),
            me: me.and_then(|me| number_of(network, me)),
        }
    }
}
