//! What is true in a world, as nobody in it can know it: the oracle of invariants and figures.

use crate::{directory::Directory, settings::Settings, span::Stretch};
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
    /// Per peer, when it is away.
    pub(crate) absences: Vec<Vec<Stretch>>,
    /// In ascending order of their numbers, which are those at the same places.
    published: Vec<Published>,
    numbers: Vec<SegmentNumber>,
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
        let peers = directory.len();
        let mut clusters = vec![0; peers];
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
            absences: vec![Vec::new(); peers],
            published: Vec::new(),
            numbers: Vec::new(),
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

    /// Whether a peer has been there for so long before a segment was cut, and stayed until it was due, that it
    /// must have it.
    pub fn is_settled(&self, peer: usize, cut: Time) -> bool {
        let from = Time::from_micros(
            cut.as_micros()
                .saturating_sub(Settings::SETTLING.as_micros() as u64),
        );
        let to = cut + Settings::DEADLINE;
        let mut absences = self.absences[peer].iter();
        absences.all(|away| away.to <= from || to < away.from)
    }

    /// Notes the next segment that the source published.
    pub fn publish(&mut self, number: SegmentNumber, segment: Published) {
        self.numbers.push(number);
        self.published.push(segment);
    }

    /// The number of the newest segment published; 0 before there is any.
    pub fn newest(&self) -> SegmentNumber {
        self.numbers.last().copied().unwrap_or(0)
    }

    /// A segment that was published, and the how many-eth of all it is, from 0.
    pub fn published(&self, number: SegmentNumber) -> Option<(usize, &Published)> {
        // Numbers are left out only where a source crashed.
        let guess = usize::try_from(number).ok()?;
        let place = match self.numbers.get(guess) {
            Some(&there) if there == number => guess,
            _ => self.numbers.binary_search(&number).ok()?,
        };
        Some((place, &self.published[place]))
    }

    /// All segments published, in the order of their numbers.
    pub fn all_published(&self) -> &[Published] {
        &self.published
    }
}
