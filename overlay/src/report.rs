//! Counters that a peer keeps, for status pages and for tests.

use crate::{
    identity::PeerId,
    io::{Class, Refusal},
    view::{SegmentNumber, StreamNumber},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a peer counted since it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Per stream.
    pub streams: BTreeMap<StreamNumber, StreamReport>,
    /// Bytes of frames handed out to be sent, once per receiver, by class.
    pub sent_bytes: BTreeMap<Class, u64>,
    /// Bytes of frames that came.
    pub received_bytes: u64,
    /// What was not accepted, by kind, over all senders.
    pub refused: BTreeMap<Refusal, u64>,
    /// What was not accepted, by sender, without duplicates, for which nobody is to blame.
    #[serde(serialize_with = "by_text")]
    pub refused_from: BTreeMap<PeerId, BTreeMap<Refusal, u64>>,
    /// Links that are wanted, and those connected.
    pub links_wanted: usize,
    /// Links that are connected.
    pub links_connected: usize,
}

/// What a peer counted of one stream since it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// The newest segment whose digest was verified.
    pub newest: Option<SegmentNumber>,
    /// Bytes published, at the source.
    pub published_bytes: u64,
    /// Segments published, at the source.
    pub published: u64,
    /// Segments handed out in order.
    pub delivered: u64,
    /// Bytes handed out in order.
    pub delivered_bytes: u64,
    /// Segments restored, in order or not.
    pub restored: u64,
    /// Segments restored after shards had to be asked for.
    pub repaired: u64,
    /// Segments left out.
    pub skipped: u64,
    /// Segments restored and waiting for an earlier one.
    pub buffered: usize,
    /// Slots of the own cluster that do not give what they owe, as this peer sees it.
    pub silent_slots: Vec<u8>,
    /// Why the stream ended, if it did.
    pub stopped: Option<String>,
}

/// Writes keys of peers as text, since formats like JSON take no other keys.
fn by_text<S: serde::Serializer, T: Serialize>(
    map: &BTreeMap<PeerId, T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(peer, value)| (peer.to_string(), value)))
}
