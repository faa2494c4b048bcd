//! The one place where bytes become messages and messages bytes.
//!
//! A frame is a small head in bincode (varint integers, little-endian) followed by an opaque body, the
//! bytes of a shard; so a relay passes a shard on without copying it. Every decode is bounded by
//! [`MAX_HEAD_BYTES`] and [`MAX_FRAME_BYTES`], and every list by the bound of its own kind.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::Bytes;
use serde::de::DeserializeOwned;

pub use hamlet_consensus::wire::{Malformed, encode, run};

/// The largest head of a frame, in bytes: a digest of 64 leaves takes about 1,200.
pub const MAX_HEAD_BYTES: usize = 4096;
/// The largest frame, head and body, in bytes.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MAX_HEAD_BYTES>> =
    bincode::config::standard().with_limit::<MAX_HEAD_BYTES>();

/// What crosses a link at once. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The message's head.
    pub head: Bytes,
    /// The bytes that follow it.
    pub body: Bytes,
}

impl Frame {
    /// A frame as it came from a link, head and body in one piece.
    pub fn received(bytes: Bytes) -> Frame {
        Frame {
            head: bytes,
            body: Bytes::new(),
        }
    }

    /// Head and body together, in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Decodes the head of a frame; the body is what follows it.
pub fn decode<T: DeserializeOwned>(frame: &Frame) -> Result<(T, Bytes), Malformed> {
    if frame.len() > MAX_FRAME_BYTES {
        return Err(Malformed);
    }
    let (value, used) =
        bincode::serde::decode_from_slice(&frame.head, CONFIG).map_err(|_| Malformed)?;
    match (used == frame.head.len(), frame.body.is_empty()) {
        (true, _) => Ok((value, frame.body.clone())),
        (false, true) => Ok((value, frame.head.slice(used..))),
        (false, false) => Err(Malformed),
    }
}
