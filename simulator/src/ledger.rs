//! What is counted while a world runs.

use crate::{
    control::{Control, Kind},
    settings::Settings,
};
use hamlet_overlay::{
    io::Class,
    time::{Duration, Time},
    view::StreamNumber,
    wire::Frame,
};
use std::collections::BTreeMap;

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
    /// Who restored it, and how long after the cut, in microseconds.
    pub restored: Vec<(u32, u32)>,
    /// How many of those who handed it out handed out something else than the source cut.
    pub altered: u64,
    /// Who restored it, who did so within the deadline, who had to ask for shards, and who handed it out.
    there: PeerSet,
    on_time: PeerSet,
    repaired: PeerSet,
    delivered: PeerSet,
}

impl Arrivals {
    fn add(&mut self, other: &Arrivals) {
        self.restored.extend(&other.restored);
        self.altered += other.altered;
        self.there.add(&other.there);
        self.on_time.add(&other.on_time);
        self.repaired.add(&other.repaired);
        self.delivered.add(&other.delivered);
    }

    /// Whether a peer restored the segment within the deadline.
    pub fn was_on_time(&self, peer: usize) -> bool {
        self.on_time.contains(peer)
    }

    /// Whether a peer had to ask for shards.
    pub fn was_repaired(&self, peer: usize) -> bool {
        self.repaired.contains(peer)
    }

    /// Whether a peer handed it out.
    pub fn was_delivered(&self, peer: usize) -> bool {
        self.delivered.contains(peer)
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

/// How a newcomer got on.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    /// When it came and asked the way.
    pub at: Time,
    /// When it first handed out a segment.
    pub plays: Option<Time>,
    /// When it first took part in a cluster as a member.
    pub placed: Option<Time>,
}

/// Everything that is counted while a world runs.
pub struct Ledger {
    sent: Vec<Sent>,
    control: Control,
    segments: Vec<Arrivals>,
    connected: u64,
    left: u64,
    stopped: BTreeMap<(StreamNumber, u32), Time>,
    comings: BTreeMap<u32, Coming>,
}

impl Ledger {
    /// Nothing has happened yet among this many peers.
    pub fn new(peers: usize) -> Ledger {
        Ledger {
            sent: vec![Sent::default(); peers],
            control: Control::default(),
            segments: Vec::new(),
            connected: 0,
            left: 0,
            stopped: BTreeMap::new(),
            comings: BTreeMap::new(),
        }
    }

    /// A peer handed bytes to the transport.
    pub fn sent(&mut self, peer: usize, class: Class, bytes: u64) {
        self.sent[peer].0[class as usize] += bytes;
    }

    /// An honest peer handed a control frame that takes so many bytes to the transport, for so many receivers.
    pub fn sent_control(&mut self, frame: &Frame, bytes: u64, receivers: u64) {
        self.control.sent(frame, bytes, receivers);
    }

    /// An honest peer sent control bytes that are no frame.
    pub fn spent_on(&mut self, kind: Kind, bytes: u64) {
        self.control.count(kind, bytes);
    }

    /// What honest peers' control consists of.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// An end of a link came up. Those of the founding do not count.
    pub fn connected(&mut self, now: Time) {
        self.connected += u64::from(now >= Time::ZERO + Settings::WARM_UP);
    }

    /// A newcomer came.
    pub fn came(&mut self, peer: usize, at: Time) {
        let coming = Coming {
            at,
            plays: None,
            placed: None,
        };
        self.comings.insert(peer as u32, coming);
    }

    /// A peer handed out a segment.
    pub fn plays(&mut self, peer: usize, now: Time) {
        if let Some(coming) = self.comings.get_mut(&(peer as u32)) {
            coming.plays.get_or_insert(now);
        }
    }

    /// A peer takes part in a cluster as a member.
    pub fn placed(&mut self, peer: usize, now: Time) {
        if let Some(coming) = self.comings.get_mut(&(peer as u32)) {
            coming.placed.get_or_insert(now);
        }
    }

    /// How newcomers got on.
    pub fn by_coming(&self) -> &BTreeMap<u32, Coming> {
        &self.comings
    }

    /// A peer left.
    pub fn left(&mut self) {
        self.left += 1;
    }

    /// A peer ended a stream for good. Only the first time counts.
    pub fn stopped(&mut self, peer: usize, stream: StreamNumber, now: Time) {
        self.stopped.entry((stream, peer as u32)).or_insert(now);
    }

    /// A source published its next segment.
    pub fn published(&mut self) {
        self.segments.push(Arrivals::default());
    }

    /// An honest receiver restored the segment at this place so long after it was cut. Only the first time
    /// counts.
    pub fn restored(&mut self, peer: usize, place: usize, after: Duration, repaired: bool) {
        if let Some(arrivals) = self.segments.get_mut(place) {
            if !arrivals.there.insert(peer) {
                return;
            }
            if after <= Settings::DEADLINE {
                arrivals.on_time.insert(peer);
            }
            if repaired {
                arrivals.repaired.insert(peer);
            }
            let micros = after.as_micros().min(u32::MAX.into());
            arrivals.restored.push((peer as u32, micros as u32));
        }
    }

    /// An honest receiver handed out the segment at this place.
    pub fn delivered(&mut self, peer: usize, place: usize, identical: bool) {
        if let Some(arrivals) = self.segments.get_mut(place) {
            arrivals.delivered.insert(peer);
            arrivals.altered += u64::from(!identical);
        }
    }

    /// Adds what was counted of other peers.
    pub fn add(&mut self, other: &Ledger) {
        self.connected += other.connected;
        self.left += other.left;
        self.stopped.extend(&other.stopped);
        self.comings.extend(&other.comings);
        self.control.add(&other.control);
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

    /// What became of each segment, by its place among those published.
    pub fn by_segment(&self) -> &[Arrivals] {
        &self.segments
    }

    /// Ends of links that came up since the first segment was cut.
    pub fn connections_made(&self) -> u64 {
        self.connected
    }

    /// Who ended which stream for good, and when.
    pub fn by_stopped(&self) -> &BTreeMap<(StreamNumber, u32), Time> {
        &self.stopped
    }

    /// How often a peer left.
    pub fn departures(&self) -> u64 {
        self.left
    }
}
