//! Whom a peer is connected with, and what it has heard of.

use hamlet_overlay::{
    identity::PeerId,
    io::Input,
    message::Message,
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};
use std::collections::{BTreeMap, BTreeSet};

/// Whom a peer is connected with, and the newest segment of each stream that it has heard of.
#[derive(Default)]
pub struct Heard {
    connected: BTreeSet<PeerId>,
    newest: BTreeMap<StreamNumber, SegmentNumber>,
}

impl Heard {
    /// Takes note of an input. Gives the stream and the segment that it is the first to tell of, if it is.
    pub fn hear(&mut self, input: &Input) -> Option<(StreamNumber, SegmentNumber)> {
        match input {
            Input::Connected(peer) => {
                self.connected.insert(*peer);
            }
            Input::Disconnected(peer) => {
                self.connected.remove(peer);
            }
            Input::Frame { frame, .. } => {
                let (stream, segment) = subject(frame)?;
                let newest = self.newest.get(&stream);
                if newest.is_none_or(|&newest| segment > newest) {
                    self.newest.insert(stream, segment);
                    return Some((stream, segment));
                }
            }
            _ => {}
        }
        None
    }

    /// Everybody that the peer is connected with.
    pub fn connected(&self) -> impl Iterator<Item = PeerId> {
        self.connected.iter().copied()
    }
}

/// The segment that a shard or a digest belongs to.
fn subject(frame: &Frame) -> Option<(StreamNumber, SegmentNumber)> {
    match Message::decode(frame).ok()?.0 {
        Message::Shard {
            stream, segment, ..
        } => Some((stream, segment)),
        Message::ProvenShard { signed, .. } | Message::Digest { signed, .. } => {
            Some((signed.header.stream, signed.header.segment))
        }
        _ => None,
    }
}
