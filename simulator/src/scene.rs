//! What is true in a world, as nobody in it can know it: the oracle of invariants and figures.

use crate::{
    directory::Directory, membership::Membership, moves::Epoch, settings::Settings, span::Stretch,
};
use bytes::Bytes;
use hamlet_overlay::{
    genesis::Network,
    hash::Hash,
    io::Segment,
    time::Time,
    view::{SegmentNumber, StreamNumber},
};
use std::{collections::BTreeMap, sync::OnceLock};

/// What is true in a world.
pub struct Scene {
    /// The network.
    pub network: Network,
    /// The peers.
    pub directory: Directory,
    /// Per peer, whether it is Byzantine.
    pub byzantine: Vec<bool>,
    /// The peers that publish, in the order of their streams.
    pub sources: Vec<usize>,
    /// What rotates shards over slots.
    pub rotation_beacon: Hash,
    /// Who is in which cluster, epoch by epoch; never empty.
    pub(crate) epochs: Vec<Epoch>,
    /// Per peer, when it is away.
    pub(crate) absences: Vec<Vec<Stretch>>,
    /// Per stream, whether its source may be proved to contradict itself.
    pub(crate) may_contradict: Vec<bool>,
    /// In the order in which they were published.
    published: Vec<Published>,
    /// Per stream, the places of its segments among these.
    places: Vec<BTreeMap<SegmentNumber, usize>>,
}

/// A segment that the source cut.
pub struct Published {
    /// The stream.
    pub stream: StreamNumber,
    /// When it was cut.
    pub at: Time,
    /// What the source said first.
    pub first: Version,
    /// What else it said under the same number.
    pub others: Vec<Version>,
}

/// One thing that a source said under a number.
pub struct Version {
    /// When.
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
    pub fn new(stream: StreamNumber, at: Time, payload: Bytes, random_access: bool) -> Published {
        Published {
            stream,
            at,
            first: Version::new(at, payload, random_access),
            others: Vec::new(),
        }
    }

    /// The version that was handed out, if it is one.
    pub fn version(&self, segment: &Segment) -> Option<&Version> {
        let all = || std::iter::once(&self.first).chain(&self.others);
        all().find(|version| version.has_content(segment))
    }
}

impl Version {
    /// Something that a source has just said.
    pub fn new(at: Time, payload: Bytes, random_access: bool) -> Version {
        Version {
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
    pub(crate) fn new(
        network: Network,
        directory: Directory,
        byzantine: Vec<bool>,
        sources: Vec<usize>,
        rotation_beacon: Hash,
        epochs: Vec<Epoch>,
    ) -> Scene {
        let peers = directory.len();
        Scene {
            network,
            directory,
            byzantine,
            may_contradict: vec![false; sources.len()],
            places: vec![BTreeMap::new(); sources.len()],
            sources,
            rotation_beacon,
            epochs,
            absences: vec![Vec::new(); peers],
            published: Vec::new(),
        }
    }

    /// Who is in which cluster where a segment is concerned.
    pub(crate) fn governing(&self, stream: StreamNumber, segment: SegmentNumber) -> &Membership {
        let mut epochs = self.epochs.iter().skip(1).rev();
        let later = epochs.find(|epoch| epoch.governs(stream, segment));
        &later.unwrap_or(&self.epochs[0]).membership
    }

    /// Who is in which cluster in the end.
    pub(crate) fn last_membership(&self) -> &Membership {
        &self.epochs[self.epochs.len() - 1].membership
    }

    /// The stream that a peer publishes, if it does.
    pub fn stream_of(&self, peer: usize) -> Option<StreamNumber> {
        let place = self.sources.iter().position(|&source| source == peer)?;
        Some(place as StreamNumber)
    }

    /// Whether a peer follows the protocol, and the stream is that of another.
    pub fn is_honest_receiver(&self, peer: usize, stream: StreamNumber) -> bool {
        !self.byzantine[peer] && self.sources.get(usize::from(stream)) != Some(&peer)
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
        self.was_there(peer, from, to)
    }

    /// Whether a peer was there all the time from one moment to another.
    pub(crate) fn was_there(&self, peer: usize, from: Time, to: Time) -> bool {
        let mut absences = self.absences[peer].iter();
        absences.all(|away| away.to <= from || to < away.from)
    }

    /// Notes a segment that a source published. Gives false if it had published another under this number.
    pub fn publish(&mut self, number: SegmentNumber, segment: Published) -> bool {
        let places = &mut self.places[usize::from(segment.stream)];
        let place = *places.entry(number).or_insert(self.published.len());
        match self.published.get_mut(place) {
            Some(known) => {
                known.others.push(segment.first);
                known.others.extend(segment.others);
                false
            }
            None => {
                self.published.push(segment);
                true
            }
        }
    }

    /// The number of the newest segment of a stream; 0 before there is any.
    pub fn newest(&self, stream: StreamNumber) -> SegmentNumber {
        let places = self.places.get(usize::from(stream));
        let newest = places.and_then(BTreeMap::last_key_value);
        newest.map_or(0, |(&number, _)| number)
    }

    /// A segment that was published, and the how many-eth of all it is, from 0.
    pub fn published(
        &self,
        stream: StreamNumber,
        number: SegmentNumber,
    ) -> Option<(usize, &Published)> {
        let &place = self.places.get(usize::from(stream))?.get(&number)?;
        Some((place, &self.published[place]))
    }

    /// All segments published, in the order in which they were.
    pub fn all_published(&self) -> &[Published] {
        &self.published
    }
}
