//! A stream as bytes for an ordinary player: segments one after the other, gaps announced.

use super::{Played, Player};
use crate::ts::packet::{NULL_PID, PACKET_BYTES, Packet};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use hamlet_overlay::io::Segment;
use std::{collections::BTreeMap, convert::Infallible};

/// The bytes of a stream from a point where a decoder can start.
pub fn bytes(player: Player) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(
        (player, std::collections::VecDeque::new()),
        |(mut player, mut pieces)| async move {
            while pieces.is_empty() {
                pieces = self::pieces(&player.next().await?).into();
            }
            let piece = pieces.pop_front()?;
            Some((Ok(piece), (player, pieces)))
        },
    )
}

/// The bytes of a segment; after a gap in a transport stream, packets before it that announce the gap.
pub(super) fn pieces(played: &Played) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(played.piece.payload.len() + 1);
    if played.gap {
        pieces.push(announcement(&played.piece));
    }
    pieces.extend(played.piece.payload.iter().cloned());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// For each PID of the segment, a packet that says that something is missing; nothing if the segment is
/// not MPEG-TS.
fn announcement(segment: &Segment) -> Bytes {
    let mut first = BTreeMap::new();
    let mut bytes = BytesMut::with_capacity(segment.len());
    segment
        .payload
        .iter()
        .for_each(|piece| bytes.extend_from_slice(piece));
    let (packets, rest) = bytes.as_chunks::<PACKET_BYTES>();
    if !rest.is_empty() {
        return Bytes::new();
    }
    for bytes in packets {
        let Some(packet) = Packet::new(*bytes) else {
            return Bytes::new();
        };
        // The counter that goes before the first packet that counts.
        first
            .entry(packet.pid())
            .or_insert_with(|| packet.continuity().wrapping_add((!packet.counts()).into()) & 0x0f);
    }
    first.remove(&NULL_PID);
    let mut announced = BytesMut::with_capacity(first.len() * PACKET_BYTES);
    for (pid, continuity) in first {
        announced.extend_from_slice(Packet::discontinuity(pid, continuity).bytes());
    }
    announced.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ingest::CLIP, ts::fixtures};
    use std::sync::Arc;

    fn played(payload: Vec<Bytes>, gap: bool) -> Played {
        let segment = Arc::new(Segment {
            stream: 0,
            number: 9,
            payload,
            random_access: true,
            discontinuity: gap,
            cut_unix_ms: 0,
        });
        Played {
            piece: segment,
            gap,
            came: std::time::Instant::now(),
        }
    }

    #[test]
    fn a_gap_in_a_transport_stream_is_announced_on_every_pid() {
        // Pieces need not end where packets do.
        let content = CLIP[..188 * 200]
            .chunks(1000)
            .map(Bytes::copy_from_slice)
            .collect();
        let bytes = pieces(&played(content, true)).concat();
        assert_eq!(bytes[bytes.len() - 188 * 200..], CLIP[..188 * 200]);
        let announced: Vec<Packet> = bytes[..bytes.len() - 188 * 200]
            .chunks(PACKET_BYTES)
            .map(|packet| Packet::new(packet.try_into().unwrap()).unwrap())
            .collect();
        let pids: Vec<u16> = announced.iter().map(Packet::pid).collect();
        assert_eq!(
            pids,
            [
                0,
                0x11,
                fixtures::VIDEO_PID,
                fixtures::AUDIO_PID,
                fixtures::PMT_PID
            ]
        );
        assert!(announced.iter().all(Packet::is_discontinuity));
    }

    #[test]
    fn other_content_and_streams_without_gap_pass_unchanged() {
        let text = || vec![Bytes::from_static(b"any bytes")];
        assert_eq!(pieces(&played(text(), true)), text());
        let packet = || vec![Bytes::copy_from_slice(&CLIP[..188])];
        assert_eq!(pieces(&played(packet(), false)), packet());
    }
}
