//! What is counted while a world runs.

use crate::settings::Settings;
use hamlet_overlay::{io::Class, time::Duration, view::SegmentNumber};

/// What one peer handed to the transport, in bytes, by class.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent([u64; Class::ALL.len()]);

impl Sent {
    /// Bytes of one class.
    pub fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// Bytes of all classes.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What became of one segment at the honest receivers.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// For each receiver that restored it, how long after the cut, in microseconds.
    pub latencies_micros: Vec<u32>,
    /// How many receivers handed it out.
    pub delivered: u64,
    /// How many of those handed out something else than the source cut.
    pub altered: u64,
    /// How many had to ask for shards.
    pub repaired: u64,
    /// Who restored the segment, and who did so within the deadline.
    restored: PeerSet,
    on_time: PeerSet,
}

impl Arrivals {
    fn add(&mut self, other: &Arrivals) {
        self.latencies_micros.extend(&other.latencies_micros);
        self.delivered += other.delivered;
        self.altered += other.altered;
        self.repaired += other.repaired;
        self.restored.add(&other.restored);
        self.on_time.add(&other.on_time);
    }

    /// Whether a peer restored the segment within the deadline.
    pub fn was_on_time(&self, peer: usize) -> bool {
        self.on_time.contains(peer)
    }
}

/// A set of peers: one bit each.
#[derive(Clone, Debug, Default)]
struct PeerSet(Vec<u64>);

impl PeerSet {
    /// Adds a peer; whether it was new.
    fn insert(&mut self, peer: usize) -> bool {
        let (word, bit) = (peer / 64, 1 << (peer % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    fn add(&mut self, other: &PeerSet) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    fn contains(&self, peer: usize) -> bool {
        let bits = self.0.get(peer / 64).copied().unwrap_or_default();
        bits & (1 << (peer % 64)) != 0
    }
}

/// Everything that is counted while a world runs.
pub struct Ledger {
    sent: Vec<Sent>,
    segments: Vec<Arrivals>,
}

impl Ledger {
    /// Nothing has happened yet among this many peers.
    pub fn new(peers: usize) -> Ledger {
        Ledger {
            sent: vec![Sent::default(); peers],
            segments: Vec::new(),
        }
    }

    /// A peer handed bytes to the transport.
    pub fn sent(&mut self, peer: usize, class: Class, bytes: u64) {
        self.sent[peer].0[class as usize] += bytes;
    }

    /// The source published the next segment.
    pub fn published(&mut self) {
        self.segments.push(Arrivals::default());
    }

    /// An honest receiver restored a segment so long after it was cut. Only the first time counts.
    pub fn restored(
        &mut self,
        peer: usize,
        number: SegmentNumber,
        after: Duration,
        repaired: bool,
    ) {
        if let Some(arrivals) = self.arrivals(number) {
            if !arrivals.restored.insert(peer) {
                return;
            }
            if after <= Settings::DEADLINE {
                arrivals.on_time.insert(peer);
            }
            let micros = after.as_micros().min(u32::MAX.into());
            arrivals.latencies_micros.push(micros as u32);
            arrivals.repaired += u64::from(repaired);
        }
    }

    /// An honest receiver handed out a segment.
    pub fn delivered(&mut self, number: SegmentNumber, identical: bool) {
        if let Some(arrivals) = self.arrivals(number) {
            arrivals.delivered += 1;
            arrivals.altered += u64::from(!identical);
        }
    }

    /// Adds what was counted of other peers.
    pub fn add(&mut self, other: &Ledger) {
        for (sent, other) in self.sent.iter_mut().zip(&other.sent) {
            for (bytes, more) in sent.0.iter_mut().zip(other.0) {
                *bytes += more;
            }
        }
        for (number, other) in other.segments.iter().enumerate() {
            match self.segments.get_mut(number) {
                Some(arrivals) => arrivals.add(other),
                None => self.segments.push(other.clone()),
            }
        }
    }

    /// What each peer sent.
    pub fn by_peer(&self) -> &[Sent] {
        &self.sent
    }

    /// What became of each segment, by number.
    pub fn by_segment(&self) -> &[Arrivals] {
        &self.segments
    }

    fn arrivals(&mut self, number: SegmentNumber) -> Option<&mut Arrivals> {
        self.segments.get_mut(usize::try_from(number).ok()?)
    }
}
