//! What is true in a world, as nobody in it can know it: the oracle of invariants and figures.

use crate::directory::Directory;
use bytes::Bytes;
use hamlet_overlay::{
    genesis::Network,
    hash::Hash,
    io::Segment,
    time::Time,
    view::{Cluster, SegmentNumber},
};
use std::sync::OnceLock;

/// What is true in a world.
pub struct Scene {
    /// The network.
    pub network: Network,
    /// The peers.
    pub directory: Directory,
    /// Per peer, whether it is Byzantine.
    pub byzantine: Vec<bool>,
    /// The peer that publishes.
    pub source: usize,
    /// What rotates shards over slots.
    pub rotation_beacon: Hash,
    /// Per peer, the number of its cluster.
    clusters: Vec<usize>,
    /// Per cluster, the numbers of those next to it.
    neighbours: Vec<Vec<u64>>,
    /// By number.
    published: Vec<Published>,
}

/// A segment that the source cut.
pub struct Published {
    /// When it was cut.
    pub at: Time,
    /// What is in it.
    pub payload: Bytes,
    /// Whether a decoder can start with it.
    pub random_access: bool,
    /// The pieces in which it was handed out first: most peers share their buffers.
    seen: OnceLock<Vec<Bytes>>,
}

impl Published {
    /// A segment that the source has just cut.
    pub fn new(at: Time, payload: Bytes, random_access: bool) -> Published {
        Published {
            at,
            payload,
            random_access,
            seen: OnceLock::new(),
        }
    }

    /// Whether a segment that was handed out holds the same bytes.
    pub fn has_content(&self, segment: &Segment) -> bool {
        let buffer = |piece: &Bytes| (piece.as_ptr(), piece.len());
        let pieces = segment.payload.iter().map(buffer);
        if self
            .seen
            .get()
            .is_some_and(|seen| seen.iter().map(buffer).eq(pieces))
        {
            return true;
        }
        let mut rest = &self.payload[..];
        let same = segment.payload.iter().all(|piece| {
            let equal = rest.starts_with(piece);
            rest = rest.get(piece.len()..).unwrap_or_default();
            equal
        });
        let same = same && rest.is_empty();
        if same {
            self.seen.get_or_init(|| segment.payload.clone());
        }
        same
    }
}

impl Scene {
    /// The scene of a network in which nothing was published yet.
    pub fn new(
        network: Network,
        directory: Directory,
        byzantine: Vec<bool>,
        source: usize,
        rotation_beacon: Hash,
    ) -> Scene {
        let mut clusters = vec![0; directory.len()];
        for (number, cluster) in network.clusters().iter().enumerate() {
            for &member in cluster.members() {
                if let Some(index) = directory.index(member) {
                    clusters[index] = number;
                }
            }
        }
        let neighbours = (0..network.clusters().len())
            .map(|number| {
                let around = network.neighbours(number);
                around.into_iter().map(|cluster| cluster.id).collect()
            })
            .collect();
        Scene {
            network,
            directory,
            byzantine,
            source,
            rotation_beacon,
            clusters,
            neighbours,
            published: Vec::new(),
        }
    }

    /// The cluster of a peer.
    pub fn cluster(&self, peer: usize) -> &Cluster {
        &self.network.clusters()[self.clusters[peer]]
    }

    /// Whether two clusters follow one another on a cycle.
    pub fn are_neighbours(&self, one: u64, other: u64) -> bool {
        self.neighbours[one as usize].binary_search(&other).is_ok()
    }

    /// Whether a peer follows the protocol and watches the stream of another.
    pub fn is_honest_receiver(&self, peer: usize) -> bool {
        !self.byzantine[peer] && peer != self.source
    }

    /// How many honest peers there are.
    pub fn honest(&self) -> usize {
        self.byzantine
            .iter()
            .filter(|&&byzantine| !byzantine)
            .count()
    }

    /// Notes the next segment that the source published.
    pub fn publish(&mut self, segment: Published) {
        self.published.push(segment);
    }

    /// A segment that was published.
    pub fn published(&self, number: SegmentNumber) -> Option<&Published> {
        self.published.get(usize::try_from(number).ok()?)
    }

    /// All segments published, by number.
    pub fn all_published(&self) -> &[Published] {
        &self.published
    }
}
