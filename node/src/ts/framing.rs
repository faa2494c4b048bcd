//! Finding packets in bytes.
//!
//! The sync byte may also occur inside a packet, so bytes count as packets when five sync bytes follow
//! each other at the right distance. The search goes on for [`SEARCH_BYTES`] and then gives up.

use super::packet::{PACKET_BYTES, Packet};
use bytes::{Buf, BytesMut};

/// So many packets in a row are believed.
const RUN: usize = 5;
/// So far the first packet, or the next one after damage, is searched for.
pub const SEARCH_BYTES: usize = 64 * 1024;
/// Other packet lengths in use: with a time code before each packet (Blu-ray, AVCHD) and with parity after it.
const FOREIGN: [usize; 2] = [192, 204];

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A packet.
    Packet(Packet),
    /// Bytes that belong to no packet; they are left out.
    Skipped {
        /// Where they begin in the input.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// The input ended inside a packet, which is left out.
    Truncated {
        /// Where the packet begins in the input.
        offset: u64,
        /// How many of its bytes there are.
        bytes: u64,
    },
}

/// There are no packets where they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Nothing like packets.
    #[error("no MPEG-TS packets in the {searched} bytes from offset {offset}")]
    NotTs {
        /// Where the search began.
        offset: u64,
        /// How far it went.
        searched: usize,
    },
    /// Packets, but longer ones.
    #[error("packets of {length} bytes from offset {offset}, where MPEG-TS has 188 bytes")]
    Foreign {
        /// Where they begin.
        offset: u64,
        /// How long they are.
        length: usize,
    },
    /// The input is empty.
    #[error("the input is empty")]
    Empty,
}

/// Cuts bytes into packets.
#[derive(Default)]
pub struct Framer {
    buffer: BytesMut,
    /// Where the buffer begins in the input.
    offset: u64,
    synced: bool,
    ended: bool,
}

impl Framer {
    /// Takes the next bytes of the input.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that nothing follows.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next thing found; `None` when more bytes are needed, or at the end.
    pub fn next_item(&mut self) -> Result<Option<Item>, FramingError> {
        if self.ended && self.offset == 0 && self.buffer.is_empty() {
            return Err(FramingError::Empty);
        }
        let foreign = match self.buffer.first_chunk::<PACKET_BYTES>() {
            Some(bytes) if self.synced => match Packet::new(*bytes) {
                Some(packet) => {
                    self.skip(PACKET_BYTES);
                    return Ok(Some(Item::Packet(packet)));
                }
                None => {
                    self.synced = false;
                    true
                }
            },
            _ => !self.synced,
        };
        match foreign {
            true => self.search(),
            false => Ok(self.rest()),
        }
    }

    fn search(&mut self) -> Result<Option<Item>, FramingError> {
        let wanted = SEARCH_BYTES + RUN * FOREIGN[1];
        if !self.ended && self.buffer.len() < RUN * PACKET_BYTES {
            return Ok(None);
        }
        let limit = self.buffer.len().min(SEARCH_BYTES);
        if let Some(start) = (0..limit).find(|&start| self.run(start, PACKET_BYTES)) {
            self.synced = true;
            return match start {
                0 => self.next_item(),
                _ => Ok(Some(self.skipped(start))),
            };
        }
        if !self.ended && self.buffer.len() < wanted {
            return Ok(None);
        }
        let offset = self.offset;
        for length in FOREIGN {
            if let Some(start) = (0..length).find(|&start| self.run(start, length)) {
                let offset = offset + start as u64;
                return Err(FramingError::Foreign { offset, length });
            }
        }
        if self.ended && self.offset > 0 {
            return Ok(self.rest());
        }
        Err(FramingError::NotTs {
            offset,
            searched: limit,
        })
    }

    /// Whether packets of this length seem to begin at `start`: [`RUN`] of them, or, near the end of the
    /// input, all that there are.
    fn run(&self, start: usize, length: usize) -> bool {
        let there = self.buffer.len().saturating_sub(start) / length;
        let wanted = match self.ended && start < length {
            true => there.min(RUN),
            false => RUN,
        };
        wanted > 0
            && (0..wanted).all(|packet| self.buffer.get(start + packet * length) == Some(&0x47))
            && self.buffer.len() >= start + wanted * length
    }

    fn rest(&mut self) -> Option<Item> {
        if !self.ended || self.buffer.is_empty() {
            return None;
        }
        let (offset, bytes) = (self.offset, self.buffer.len() as u64);
        let cut = self.synced && self.buffer.len() < PACKET_BYTES && self.buffer[0] == 0x47;
        self.skip(self.buffer.len());
        Some(match cut {
            true => Item::Truncated { offset, bytes },
            false => Item::Skipped { offset, bytes },
        })
    }

    fn skipped(&mut self, bytes: usize) -> Item {
        let offset = self.offset;
        self.skip(bytes);
        Item::Skipped {
            offset,
            bytes: bytes as u64,
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.offset += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::fixtures;
    use proptest::prelude::*;

    fn frame(pieces: &[&[u8]]) -> Result<Vec<Item>, FramingError> {
        let mut framer = Framer::default();
        let mut items = Vec::new();
        for piece in pieces {
            framer.push(piece);
            while let Some(item) = framer.next_item()? {
                items.push(item);
            }
        }
        framer.end();
        while let Some(item) = framer.next_item()? {
            items.push(item);
        }
        Ok(items)
    }

    fn stream(packets: u8) -> Vec<u8> {
        (0..packets)
            .flat_map(|place| *fixtures::middle(0x100, place & 15).bytes())
            .collect()
    }

    #[test]
    fn what_comes_before_the_first_packet_is_skipped() {
        let bytes = stream(8);
        let items = frame(&[&bytes[100..]]).unwrap();
        let first = Item::Skipped {
            offset: 0,
            bytes: 88,
        };
        assert_eq!(items[0], first);
        assert_eq!(items.len(), 8);
    }

    #[test]
    fn damage_is_left_out_and_named() {
        let mut bytes = stream(20);
        bytes.drain(5 * 188 + 50..5 * 188 + 60);
        let items = frame(&[&bytes]).unwrap();
        let packets = items.iter().filter(|item| matches!(item, Item::Packet(_)));
        // The damaged packet goes out with the head of the next one, whose rest is left out.
        assert_eq!(packets.count(), 19);
        assert!(items.contains(&Item::Skipped {
            offset: 6 * 188,
            bytes: 178,
        }));
    }

    #[test]
    fn an_end_in_mid_packet_is_named() {
        let bytes = stream(3);
        let items = frame(&[&bytes[..3 * 188 - 10]]).unwrap();
        assert_eq!(items.len(), 3);
        let last = Item::Truncated {
            offset: 2 * 188,
            bytes: 178,
        };
        assert_eq!(items[2], last);
    }

    #[test]
    fn other_inputs_are_refused() {
        assert_eq!(frame(&[]), Err(FramingError::Empty));
        let text = b"#EXTM3U and what follows ".repeat(10_000);
        assert!(matches!(
            frame(&[&text]),
            Err(FramingError::NotTs { offset: 0, .. })
        ));
        let blu_ray: Vec<u8> = stream(250)
            .chunks(188)
            .flat_map(|packet| [&[0, 1, 2, 3], packet].concat())
            .collect();
        let foreign = FramingError::Foreign {
            offset: 4,
            length: 192,
        };
        assert_eq!(frame(&[&blu_ray]), Err(foreign));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in prop::collection::vec(0usize..1880, 0..20)) {
            let bytes = stream(10);
            let mut cuts = cuts;
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|at| &bytes[at[0]..at[1]]).collect();
            let items = frame(&pieces).unwrap();
            let out: Vec<u8> = items.iter().flat_map(|item| match item {
                Item::Packet(packet) => packet.bytes().to_vec(),
                _ => Vec::new(),
            }).collect();
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn every_byte_is_accounted_for(bytes in prop::collection::vec(prop_oneof![Just(0x47u8), any::<u8>()], 1..4000)) {
            if let Ok(items) = frame(&[&bytes]) {
                let sum: u64 = items.iter().map(|item| match item {
                    Item::Packet(_) => PACKET_BYTES as u64,
                    Item::Skipped { bytes, .. } | Item::Truncated { bytes, .. } => *bytes,
                }).sum();
                prop_assert_eq!(sum, bytes.len() as u64);
            }
        }
    }
}
