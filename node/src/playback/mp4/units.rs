//! From packets to what elementary streams consist of: PES payloads with their timestamps.

use crate::ts::packet::{Packet, Timestamps};
use mpeg2ts_reader::pes::{PesContents, PesHeader, PtsDts};

/// A PES payload that grows longer is given up: no picture of a live stream is so large.
const UNIT_BYTES_MAX: usize = 8 << 20;

/// What one packet adds to an elementary stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A PES packet with timestamps begins.
    Begin(Timestamps, &'a [u8]),
    /// More of the same.
    More(&'a [u8]),
    /// Something is missing before it, or it cannot be read.
    Broken,
}

/// Reads the packets of one PID.
#[derive(Debug, Default)]
pub struct Pieces {
    continuity: Option<u8>,
}

impl Pieces {
    /// What a packet of the PID adds; nothing if it carries nothing new.
    pub fn read<'a>(&mut self, packet: &'a Packet) -> Option<Piece<'a>> {
        let payload = packet.payload().filter(|_| packet.counts())?;
        let continuity = packet.continuity();
        let last = self.continuity.replace(continuity);
        if last == Some(continuity) {
            // A packet may be sent twice (ISO/IEC 13818-1, 2.4.3.3).
            return None;
        }
        let whole = last.is_none_or(|last| continuity == (last + 1) & 0x0f);
        if !packet.starts_unit() {
            return Some(match whole {
                true => Piece::More(payload),
                false => Piece::Broken,
            });
        }
        Some(match PesHeader::from_bytes(payload).and_then(contents) {
            Some((Some(at), payload)) => Piece::Begin(at, payload),
            Some((None, payload)) if whole => Piece::More(payload),
            _ => Piece::Broken,
        })
    }
}

/// The timestamps of a PES packet, if it has any, and its payload.
fn contents(header: PesHeader<'_>) -> Option<(Option<Timestamps>, &[u8])> {
    let PesContents::Parsed(Some(contents)) = header.contents() else {
        return None;
    };
    let at = match contents.pts_dts() {
        Ok(PtsDts::PtsOnly(Ok(pts))) => Some(Timestamps {
            pts: pts.value(),
            dts: pts.value(),
        }),
        Ok(PtsDts::Both {
            pts: Ok(pts),
            dts: Ok(dts),
        }) => Some(Timestamps {
            pts: pts.value(),
            dts: dts.value(),
        }),
        _ => None,
    };
    Some((at, contents.payload()))
}

/// A PES payload, with all that followed it without timestamps of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    /// When to show and decode what is in it, in 90 kHz ticks.
    pub at: Timestamps,
    /// The bytes of the elementary stream.
    pub payload: Vec<u8>,
}

/// Puts units together, each of them whole.
#[derive(Debug, Default)]
pub struct Assembler {
    pieces: Pieces,
    coming: Option<Unit>,
}

impl Assembler {
    /// Takes a packet of the PID; the unit that it completes, which is the one before the unit that begins
    /// in it.
    pub fn push(&mut self, packet: &Packet) -> Option<Unit> {
        match self.pieces.read(packet)? {
            Piece::Begin(at, payload) => {
                let payload = payload.to_vec();
                self.coming.replace(Unit { at, payload })
            }
            Piece::More(payload) => {
                let unit = self.coming.as_mut()?;
                unit.payload.extend_from_slice(payload);
                if unit.payload.len() > UNIT_BYTES_MAX {
                    self.coming = None;
                }
                None
            }
            Piece::Broken => {
                self.coming = None;
                None
            }
        }
    }

    /// The timestamps of the unit that is coming in.
    pub fn coming_at(&self) -> Option<Timestamps> {
        self.coming.as_ref().map(|unit| unit.at)
    }

    /// Forgets what is coming in, because something of it is missing.
    pub fn discard(&mut self) {
        *self = Assembler::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::fixtures;

    const AT: Timestamps = Timestamps { pts: 7, dts: 5 };

    #[test]
    fn a_unit_is_complete_when_the_next_one_begins() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(&fixtures::video(15, None, AT, true)), None);
        assert_eq!(assembler.coming_at(), Some(AT));
        assert_eq!(assembler.push(&fixtures::middle(0x100, 0)), None);
        // The same packet twice.
        assert_eq!(assembler.push(&fixtures::middle(0x100, 0)), None);
        let next = fixtures::video(1, None, Timestamps { pts: 9, dts: 9 }, false);
        let unit = assembler.push(&next).unwrap();
        assert_eq!(unit.at, AT);
        assert_eq!(unit.payload.len(), 131 + 184);
    }

    #[test]
    fn a_unit_with_a_hole_is_given_up() {
        let mut assembler = Assembler::default();
        assembler.push(&fixtures::video(3, None, AT, true));
        assembler.push(&fixtures::middle(0x100, 5));
        assert_eq!(assembler.coming_at(), None);
        let next = fixtures::video(7, None, AT, false);
        assert_eq!(assembler.push(&next), None);
        assert_eq!(assembler.coming_at(), Some(AT));
    }
}
