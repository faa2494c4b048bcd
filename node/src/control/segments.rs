//! A stream segment by segment on one connection: a line of JSON, then the payload that it announces.

use crate::playback::{Played, Player};
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, convert::Infallible};

/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024;
/// The longest payload that a node announces, in bytes.
const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// The line before a segment's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The segment's number.
    pub segment: u64,
    /// The length of its payload, in bytes.
    pub bytes: usize,
    /// Whether a decoder can start with it.
    pub random_access: bool,
    /// Whether something is missing between the segment before and this one.
    pub gap: bool,
    /// When its source cut it by its own clock, in milliseconds since 1970.
    pub cut_unix_ms: u64,
}

impl Head {
    /// The line before this segment.
    pub fn of(played: &Played) -> Head {
        Head {
            segment: played.piece.number,
            bytes: played.piece.len(),
            random_access: played.piece.random_access,
            gap: played.gap,
            cut_unix_ms: played.piece.cut_unix_ms,
        }
    }
}

/// The segments of a player as bytes.
pub(super) fn encode(player: Player) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(
        (player, VecDeque::<Bytes>::new()),
        |(mut player, mut pieces)| async move {
            if pieces.is_empty() {
                let played = player.next().await?;
                // A struct of numbers and flags always has a form in JSON.
                let mut line = serde_json::to_vec(&Head::of(&played)).unwrap_or_default();
                line.push(b'\n');
                pieces.push_back(line.into());
                pieces.extend(
                    played
                        .piece
                        .payload
                        .iter()
                        .filter(|piece| !piece.is_empty())
                        .cloned(),
                );
            }
            let piece = pieces.pop_front()?;
            Some((Ok(piece), (player, pieces)))
        },
    )
}

/// What comes next on the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The next segment begins.
    Head(Head),
    /// Bytes of its payload.
    Payload(Bytes),
}

/// The node said something else than segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the node sends something else than segments; use the same version of hamlet on both sides"
)]
pub struct NotSegments;

/// Takes bytes of a connection apart again.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// How much of the payload is still to come.
    left: usize,
}

impl Decoder {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part; `None` when more bytes are needed.
    ///
    /// # Errors
    /// If the bytes are no segments.
    pub fn part(&mut self) -> Result<Option<Part>, NotSegments> {
        if self.left > 0 {
            let there = self.left.min(self.buffer.len());
            self.left -= there;
            let payload = self.buffer.split_to(there).freeze();
            return Ok((there > 0).then_some(Part::Payload(payload)));
        }
        let Some(end) = self
            .buffer
            .iter()
            .take(LINE_BYTES_MAX)
            .position(|&byte| byte == b'\n')
        else {
            return match self.buffer.len() < LINE_BYTES_MAX {
                true => Ok(None),
                false => Err(NotSegments),
            };
        };
        let head: Head = serde_json::from_slice(&self.buffer[..end]).map_err(|_| NotSegments)?;
        if head.bytes > PAYLOAD_BYTES_MAX {
            return Err(NotSegments);
        }
        self.buffer.advance(end + 1);
        self.left = head.bytes;
        Ok(Some(Part::Head(head)))
    }

    /// Whether the connection may end here without anything missing.
    pub fn is_between_segments(&self) -> bool {
        self.left == 0 && self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn segments_come_apart_however_they_were_cut(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..10), step in 1usize..200,
        ) {
            let mut bytes = Vec::new();
            for (number, payload) in payloads.iter().enumerate() {
                let head = Head {
                    segment: number as u64, bytes: payload.len(), random_access: true, gap: false, cut_unix_ms: 5,
                };
                bytes.extend(serde_json::to_vec(&head).unwrap());
                bytes.push(b'\n');
                bytes.extend(payload);
            }
            let (mut decoder, mut read) = (Decoder::default(), Vec::<Vec<u8>>::new());
            for piece in bytes.chunks(step) {
                decoder.push(piece);
                while let Some(part) = decoder.part().unwrap() {
                    match part {
                        Part::Head(_) => read.push(Vec::new()),
                        Part::Payload(bytes) => read.last_mut().unwrap().extend(bytes),
                    }
                }
            }
            prop_assert!(decoder.is_between_segments());
            prop_assert_eq!(read, payloads);
        }

        #[test]
        fn noise_is_refused_or_waited_on(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.part() {}
        }
    }
}
