//! A transport stream as fragmented MP4, for browsers.
//!
//! H.264 pictures and AAC sound are taken out of their packets and put into other boxes, never decoded. A
//! fragment holds what one segment completed; where a decoder can start, a new one begins.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`units`] | PES payloads out of packets |
//! | [`h264`], [`aac`] | pictures and frames of sound out of these, and what configures a decoder |
//! | [`timeline`] | one unbroken time, whatever the source's clock does |
//! | [`boxes`] | MP4 |
//! | [`codec`] | the names of what cannot be played |

mod aac;
mod boxes;
mod codec;
mod h264;
mod remuxer;
mod timeline;
mod units;

pub use remuxer::Remuxer;

use super::window::Piece;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// What a player needs before the first fragment.
#[derive(Debug, PartialEq, Eq)]
pub struct Init {
    /// The boxes `ftyp` and `moov`.
    pub bytes: Bytes,
    /// The codecs as browsers know them (RFC 6381).
    pub codecs: String,
    /// The pictures, if there are any.
    pub video: Option<Video>,
    /// The sound, if there is any.
    pub audio: Option<Audio>,
}

/// What the pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Video {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// What the sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Audio {
    /// The sample rate in Hz.
    pub sample_rate: u32,
    /// The channel configuration: 1 is mono, 2 is stereo.
    pub channels: u8,
}

/// A part of a stream that is complete in itself once its [`Init`] is known.
#[derive(Debug)]
pub struct Fragment {
    /// Its place in the stream, counted up by one.
    pub number: u64,
    /// What has to be known before it.
    pub init: Arc<Init>,
    /// The boxes `prft`, `moof` and `mdat`.
    pub bytes: Bytes,
    /// Whether a decoder can start with it.
    pub random_access: bool,
}

impl Piece for Fragment {
    fn number(&self) -> u64 {
        self.number
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn random_access(&self) -> bool {
        self.random_access
    }

    fn discontinuity(&self) -> bool {
        false
    }
}
