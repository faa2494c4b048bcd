//! What a peer knows of the network around it: its own cluster, those next to it, and who may publish.
//!
//! The push never asks "who is in my cluster" but "who governs this segment of this stream": each of the clusters
//! around goes from epoch to epoch by itself, and what a segment is governed by is put together from the epochs that
//! they were in by then ([`timeline`]). So both ends of a link deal alike while membership changes.

mod cluster;
mod timeline;

pub use cluster::{Cluster, EpochName};
pub use timeline::{Change, First, Next};

use crate::{
    coding::Coder,
    genesis::{Network, Parameters, Publisher},
    hash::{Domain, Hash},
    identity::PeerId,
    push::WINDOW,
    time::{Duration, Time},
};
use std::sync::Arc;
use timeline::Timeline;

/// A segment's number within its stream.
pub type SegmentNumber = u64;

/// A stream's number: the place of its publisher's certificate among those of the network.
pub type StreamNumber = u16;

/// The neighbourhood of one peer while no membership in it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The peer's own cluster. A peer that waits to become its member is not among its members yet.
    pub own: Arc<Cluster>,
    /// The clusters next to it on the cycles, in ascending order of their numbers.
    pub neighbours: Vec<Arc<Cluster>>,
}

impl Epoch {
    /// The own cluster and its neighbours.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        std::iter::once(&self.own).chain(&self.neighbours)
    }

    /// The cluster of `peer`, if it is the own one or a neighbour.
    pub fn cluster_of(&self, peer: PeerId) -> Option<&Arc<Cluster>> {
        self.clusters()
            .find(|cluster| cluster.place(peer).is_some())
    }
}

/// What a peer knows of the network around it.
#[derive(Clone, Debug)]
pub struct View {
    /// The network's identity.
    pub network: Hash,
    /// The network's parameters.
    pub parameters: Parameters,
    /// The code of the network's `k` and `n`.
    pub coder: Coder,
    /// The certificates of the publishers; a stream's number is its place.
    pub publishers: Vec<Publisher>,
    /// The network as it was founded.
    pub founding: Network,
    /// The randomness that rotates shards over slots; one for the network, since equal slots of all
    /// clusters carry the same shard.
    pub rotation_beacon: Hash,
    /// The cluster in which the peer had or looked for its place when it was started.
    pub home: u64,
    timeline: Timeline,
}

impl View {
    /// The view of the founder `peer` at the founding, if it is one.
    pub fn founding(network: &Network, peer: PeerId) -> Option<View> {
        let own = network.cluster_of(peer)?;
        let neighbours = network.neighbours(own.id as usize);
        Some(View::at(network, own.id, own, &neighbours))
    }

    /// The view of a peer that is not where it founded the network, or no founder: it has or looks for its place in this cluster, and knows
    /// the members of the one of the founding from which that comes.
    pub fn outside(network: &Network, cluster: u64) -> Option<View> {
        let root = network.root_of(cluster)?;
        Some(View::at(network, cluster, root, &[]))
    }

    fn at(network: &Network, home: u64, own: &Cluster, neighbours: &[&Cluster]) -> View {
        let genesis = network.genesis();
        let arc = |cluster: &&Cluster| Arc::new((*cluster).clone());
        View {
            network: network.id(),
            parameters: genesis.parameters,
            coder: network.coder().clone(),
            publishers: genesis.publishers.clone(),
            founding: network.clone(),
            rotation_beacon: Domain::Beacon.hash(&[&network.id().0, &genesis.seed.0]),
            home,
            timeline: Timeline::new(Epoch {
                own: Arc::new(own.clone()),
                neighbours: neighbours.iter().map(arc).collect(),
            }),
        }
    }

    /// The epoch that governs a segment.
    pub fn governing(&self, stream: StreamNumber, segment: SegmentNumber) -> &Arc<Epoch> {
        self.timeline.governing(stream, segment)
    }

    /// From the segments on that it names, a change governs; what was there before goes on to govern those before them.
    pub fn begin(&mut self, now: Time, change: Change) {
        self.timeline.begin(now, change);
    }

    /// How long what a change replaces is held: as long as segments that it governs can be asked for.
    pub fn kept(&self) -> Duration {
        self.parameters.segment() * (2 * WINDOW as u32)
    }

    /// Lets go of what changes replaced long enough ago. Whether there was any.
    pub fn settle(&mut self, now: Time) -> bool {
        self.timeline.settle(now, self.kept())
    }

    /// When there will be something to let go of.
    pub fn settles_at(&self) -> Time {
        self.timeline.settles_at(self.kept())
    }

    /// The epoch in which all changes govern.
    pub fn newest(&self) -> &Arc<Epoch> {
        self.timeline.newest()
    }

    /// The epochs held, the newest last.
    pub fn epochs(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.timeline.epochs()
    }

    /// The stream published under this key.
    pub fn stream(&self, key: PeerId) -> Option<StreamNumber> {
        self.publishers
            .iter()
            .position(|publisher| publisher.stream == key)
            .map(|place| place as StreamNumber)
    }

    /// Everybody with whom `me` exchanges messages: fellow members, the holders of its slots in
    /// neighbouring clusters, and, around a source, the source itself.
    pub fn links(&self, me: PeerId) -> Vec<PeerId> {
        let mut links = Vec::new();
        for epoch in self.epochs() {
            let mine = epoch.own.slots_of(me);
            links.extend_from_slice(epoch.own.members());
            for neighbour in &epoch.neighbours {
                links.extend(mine.iter().map(|slot| neighbour.holder(slot)));
                for publisher in &self.publishers {
                    if publisher.stream == me {
                        links.extend_from_slice(neighbour.members());
                    } else if neighbour.place(publisher.stream).is_some() {
                        links.push(publisher.stream);
                    }
                }
            }
        }
        links.sort_unstable();
        links.dedup();
        links.retain(|&peer| peer != me);
        links
    }
}
