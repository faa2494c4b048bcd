//! What is counted while a world runs.

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
    /// One bit per peer: whether it has restored the segment.
    restored: Vec<u64>,
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
        self.segments.push(Arrivals {
            restored: vec![0; self.sent.len().div_ceil(64)],
            ..Arrivals::default()
        });
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
            let (word, bit) = (&mut arrivals.restored[peer / 64], 1 << (peer % 64));
            if *word & bit != 0 {
                return;
            }
            *word |= bit;
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
