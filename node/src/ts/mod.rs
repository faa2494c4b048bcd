//! MPEG transport streams (ISO/IEC 13818-1): just enough to cut them, pace them and join them again.
//!
//! Headers, tables and PES headers are read with `mpeg2ts-reader`; what it does not do is here: finding
//! packets in bytes, time over wraps and jumps, points where a decoder can start, and changing packets.

pub mod clock;
pub mod framing;
mod keyframe;
pub mod packet;
pub mod tables;

#[cfg(test)]
pub(crate) mod fixtures;
