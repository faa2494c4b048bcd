//! What a transport counted since it began.
//!
//! *Frame bytes* are what the peer's messages take on the streams, with the length before each. *Wire
//! bytes* are what the sockets sent and received: the payload of UDP datagrams, or what was written to
//! and read from TCP sockets, so encryption, acknowledgements, repetitions (QUIC) and handshakes are in
//! it and the headers of IP, UDP and TCP are not.

use hamlet_overlay::io::Class;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counters that the tasks of a transport share.
#[derive(Debug, Default)]
pub struct Counters {
    sent_bytes: [AtomicU64; Class::ALL.len()],
    dropped_frames: [AtomicU64; Class::ALL.len()],
    /// Frames that link shaping lost on purpose.
    pub lost_frames: AtomicU64,
    /// Frame bytes that came.
    pub received_bytes: AtomicU64,
    /// Bytes that the sockets sent.
    pub wire_sent_bytes: AtomicU64,
    /// Bytes that the sockets received.
    pub wire_received_bytes: AtomicU64,
    /// Connections made, by either side.
    pub connections_made: AtomicU64,
    /// Connections lost or closed.
    pub connections_closed: AtomicU64,
    /// Dials that failed.
    pub dials_failed: AtomicU64,
    /// Connections refused because nobody asked for that peer.
    pub strangers_refused: AtomicU64,
    /// Streams closed because what came on them was not framed as agreed.
    pub broken_streams: AtomicU64,
    /// Connections closed because the peer sent what is no message.
    pub punished: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}

impl Counters {
    /// Counts a frame handed to a stream.
    pub fn sent(&self, class: Class, bytes: u64) {
        add(&self.sent_bytes[class as usize], bytes);
    }

    /// Counts frames that a queue gave up.
    pub fn dropped(&self, class: Class, frames: u64) {
        add(&self.dropped_frames[class as usize], frames);
    }

    /// What the counters say now.
    pub fn report(&self, connections: usize) -> TransportReport {
        let by_class = |counters: &[AtomicU64; Class::ALL.len()]| {
            Class::ALL
                .into_iter()
                .map(|class| (class, counters[class as usize].load(Relaxed)))
                .collect()
        };
        TransportReport {
            connections,
            sent_bytes: by_class(&self.sent_bytes),
            received_bytes: self.received_bytes.load(Relaxed),
            wire_sent_bytes: self.wire_sent_bytes.load(Relaxed),
            wire_received_bytes: self.wire_received_bytes.load(Relaxed),
            dropped_frames: by_class(&self.dropped_frames),
            lost_frames: self.lost_frames.load(Relaxed),
            connections_made: self.connections_made.load(Relaxed),
            connections_closed: self.connections_closed.load(Relaxed),
            dials_failed: self.dials_failed.load(Relaxed),
            strangers_refused: self.strangers_refused.load(Relaxed),
            broken_streams: self.broken_streams.load(Relaxed),
            punished: self.punished.load(Relaxed),
        }
    }
}

/// What a transport counted since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransportReport {
    /// Peers to whom frames pass now.
    pub connections: usize,
    /// Frame bytes handed to the transport, by class.
    pub sent_bytes: BTreeMap<Class, u64>,
    /// Frame bytes that came.
    pub received_bytes: u64,
    /// Bytes that the sockets sent.
    pub wire_sent_bytes: u64,
    /// Bytes that the sockets received.
    pub wire_received_bytes: u64,
    /// Frames given up because a queue was full or they had waited too long, by class.
    pub dropped_frames: BTreeMap<Class, u64>,
    /// Frames that link shaping lost on purpose.
    pub lost_frames: u64,
    /// Connections made, by either side.
    pub connections_made: u64,
    /// Connections lost or closed.
    pub connections_closed: u64,
    /// Dials that failed.
    pub dials_failed: u64,
    /// Connections refused because nobody asked for that peer.
    pub strangers_refused: u64,
    /// Streams closed because what came on them was not framed as agreed.
    pub broken_streams: u64,
    /// Connections closed because the peer sent what is no message.
    pub punished: u64,
}

impl TransportReport {
    /// Frame bytes handed to the transport, over all classes.
    pub fn sent_bytes_total(&self) -> u64 {
        self.sent_bytes.values().sum()
    }
}
