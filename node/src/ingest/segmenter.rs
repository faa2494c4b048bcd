//! Cutting a transport stream into segments.
//!
//! 1. A segment is a run of whole packets. It is cut when [`Limits`] say so, by the stream's own clock.
//! 2. Where a decoder can start, a segment that is nearly due is cut early, and in any case once every
//!    second or so, so that newcomers need not wait long for their first picture.
//! 3. A segment that starts there begins with both tables. When they are the packets just before, the cut
//!    goes before them and the stream stays as it is, to the byte; otherwise the last ones seen are
//!    repeated, and the continuity counters of the tables move up accordingly.
//! 4. Between two such points (long groups of pictures) segments are cut all the same, only unflagged.

use super::limits::Limits;
use crate::ts::{
    packet::{PACKET_BYTES, Packet},
    tables::{PAT_PID, Tables},
};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// So long after the last one, a point where a decoder can start is not passed over.
const RANDOM_ACCESS_WAIT: Duration = Duration::from_secs(1);

/// One segment's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whole packets.
    pub payload: Bytes,
    /// Whether it begins with the tables and a point where a decoder can start.
    pub random_access: bool,
}

/// Cuts packets into segments.
pub struct Segmenter {
    limits: Limits,
    pending: BytesMut,
    random_access: bool,
    /// The stream's time at which the pending segment began.
    began: Duration,
    /// The stream's time at which a decoder could last start.
    accessible: Option<Duration>,
    /// The packets of the two tables at the end of what is pending.
    run: Run,
    pat: Counter,
    pmt: Counter,
}

/// How many packets of each table stand at the end.
#[derive(Clone, Copy, Default)]
struct Run {
    pat: usize,
    pmt: usize,
}

impl Run {
    fn bytes(self) -> usize {
        (self.pat + self.pmt) * PACKET_BYTES
    }
}

/// The continuity counter of a table, moved up by the repetitions put in.
#[derive(Clone, Copy, Default)]
struct Counter {
    moved: u8,
    last: u8,
}

impl Counter {
    fn pass(&mut self, packet: &mut Packet) {
        self.last = packet.continuity().wrapping_add(self.moved) & 0x0f;
        packet.set_continuity(self.last);
    }

    fn repeat(&mut self, packet: &mut Packet) {
        self.last = self.last.wrapping_add(1) & 0x0f;
        self.moved = self.moved.wrapping_add(1) & 0x0f;
        packet.set_continuity(self.last);
    }
}

impl Segmenter {
    /// A segmenter with nothing pending.
    pub fn new(limits: Limits) -> Segmenter {
        Segmenter {
            limits,
            pending: BytesMut::new(),
            random_access: false,
            began: Duration::ZERO,
            accessible: None,
            run: Run::default(),
            pat: Counter::default(),
            pmt: Counter::default(),
        }
    }

    /// How many bytes wait for the next cut.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Takes the stream's next packet at this time of the stream; a segment, if one ends before it.
    pub fn push(&mut self, mut packet: Packet, now: Duration, tables: &Tables) -> Option<Piece> {
        let elapsed = now.saturating_sub(self.began);
        let table = tables.contains(packet.pid());
        let access = tables.random_access(&packet);
        let piece = if access && self.cuts_for_access(now, elapsed) {
            self.cut_for_access(now, tables)
        } else if self.pending.len() + PACKET_BYTES > self.limits.bytes_max
            || (!table && !access && self.limits.due(elapsed, self.pending.len()))
        {
            self.cut(now)
        } else {
            None
        };
        if self.pending.is_empty() {
            self.began = now;
        }
        self.append(&mut packet, table);
        piece
    }

    /// Ends the pending segment, if there is anything in it; the next one begins at this time.
    pub fn cut(&mut self, now: Duration) -> Option<Piece> {
        self.cut_at(self.pending.len(), now)
    }

    fn cuts_for_access(&self, now: Duration, elapsed: Duration) -> bool {
        self.pending.len() == self.run.bytes()
            || self.limits.nearly_due(elapsed, self.pending.len())
            || self
                .accessible
                .is_none_or(|last| now.saturating_sub(last) >= RANDOM_ACCESS_WAIT)
    }

    fn cut_for_access(&mut self, now: Duration, tables: &Tables) -> Option<Piece> {
        let repeated = match self.run {
            Run { pat: 1.., pmt: 1.. } => Vec::new(),
            // Before its tables no decoder can start.
            _ => tables.packets()?.cloned().collect(),
        };
        let end = match repeated.is_empty() {
            true => self.pending.len() - self.run.bytes(),
            false => self.pending.len(),
        };
        let piece = self.cut_at(end, now);
        for mut packet in repeated {
            match packet.pid() {
                PAT_PID => self.pat.repeat(&mut packet),
                _ => self.pmt.repeat(&mut packet),
            }
            self.pending.extend_from_slice(packet.bytes());
        }
        self.random_access = true;
        self.accessible = Some(now);
        piece
    }

    fn cut_at(&mut self, end: usize, now: Duration) -> Option<Piece> {
        let payload = self.pending.split_to(end).freeze();
        self.run = Run::default();
        self.began = now;
        let random_access = std::mem::take(&mut self.random_access);
        (!payload.is_empty()).then_some(Piece {
            payload,
            random_access,
        })
    }

    fn append(&mut self, packet: &mut Packet, table: bool) {
        match (table, packet.pid()) {
            (false, _) => self.run = Run::default(),
            (true, PAT_PID) => {
                self.pat.pass(packet);
                // The association table comes first, so it begins a run.
                let pat = if self.run.pmt > 0 {
                    1
                } else {
                    self.run.pat + 1
                };
                self.run = Run { pat, pmt: 0 };
            }
            (true, _) => {
                self.pmt.pass(packet);
                self.run.pmt += 1;
            }
        }
        self.pending.extend_from_slice(packet.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{fixtures, packet::Timestamps};
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        segment: Duration::from_millis(250),
        bytes_min: 0,
        bytes_max: 40 * PACKET_BYTES,
    };

    /// Feeds frames of three packets each, 40 ms apart, with a key frame every `group`.
    fn segments(
        frames: u64,
        group: u64,
        tables_every: u64,
        limits: Limits,
    ) -> (Vec<u8>, Vec<Piece>) {
        let (mut tables, mut segmenter) = (Tables::default(), Segmenter::new(limits));
        let (mut input, mut pieces, mut counter, mut shown) = (Vec::new(), Vec::new(), 0u8, 0u8);
        for frame in 0..frames {
            let now = Duration::from_millis(frame * 40);
            let mut packets = Vec::new();
            if frame % tables_every == 0 {
                packets.extend([fixtures::pat(shown & 15), fixtures::pmt(shown & 15)]);
                shown += 1;
            }
            let at = Timestamps {
                pts: frame * 3600,
                dts: frame * 3600,
            };
            packets.push(fixtures::video(
                counter & 15,
                Some(frame * 1_080_000),
                at,
                frame % group == 0,
            ));
            packets.extend(
                (1..3).map(|next| fixtures::middle(fixtures::VIDEO_PID, (counter + next) & 15)),
            );
            counter = (counter + 3) & 15;
            for packet in packets {
                input.extend_from_slice(packet.bytes());
                tables.observe(&packet);
                pieces.extend(segmenter.push(packet, now, &tables));
            }
        }
        pieces.extend(segmenter.cut(Duration::MAX));
        (input, pieces)
    }

    fn joined(pieces: &[Piece]) -> Vec<u8> {
        pieces
            .iter()
            .flat_map(|piece| piece.payload.to_vec())
            .collect()
    }

    fn pids(piece: &Piece) -> Vec<u16> {
        piece
            .payload
            .chunks(PACKET_BYTES)
            .map(|bytes| Packet::new(bytes.try_into().unwrap()).unwrap().pid())
            .collect()
    }

    #[test]
    fn tables_before_a_key_frame_leave_the_stream_as_it_is() {
        let (input, pieces) = segments(100, 25, 25, LIMITS);
        assert_eq!(joined(&pieces), input);
        let flagged: Vec<usize> = (0..pieces.len())
            .filter(|&at| pieces[at].random_access)
            .collect();
        assert_eq!(flagged.len(), 4);
        assert!(pieces.len() >= 14);
        for at in flagged {
            let start = [PAT_PID, fixtures::PMT_PID, fixtures::VIDEO_PID];
            assert_eq!(pids(&pieces[at])[..3], start);
        }
    }

    #[test]
    fn missing_tables_are_repeated_and_counted() {
        let (input, pieces) = segments(100, 25, 30, LIMITS);
        let flagged: Vec<&Piece> = pieces.iter().filter(|piece| piece.random_access).collect();
        assert_eq!(flagged.len(), 4);
        for piece in flagged {
            assert_eq!(pids(piece)[..2], [PAT_PID, fixtures::PMT_PID]);
        }
        let output = joined(&pieces);
        assert_eq!(output.len(), input.len() + 3 * 2 * PACKET_BYTES);
        for pid in [PAT_PID, fixtures::PMT_PID, fixtures::VIDEO_PID] {
            let counters: Vec<u8> = output
                .chunks(PACKET_BYTES)
                .map(|bytes| Packet::new(bytes.try_into().unwrap()).unwrap())
                .filter(|packet| packet.pid() == pid)
                .map(|packet| packet.continuity())
                .collect();
            assert!(
                counters
                    .windows(2)
                    .all(|pair| pair[1] == (pair[0] + 1) & 15),
                "{counters:?}"
            );
        }
    }

    #[test]
    fn a_long_group_of_pictures_is_cut_inside() {
        let (input, pieces) = segments(500, 500, 500, LIMITS);
        assert_eq!(joined(&pieces), input);
        assert!(pieces[0].random_access);
        assert!(pieces[1..].iter().all(|piece| !piece.random_access));
        assert!(pieces.len() > 60, "{}", pieces.len());
    }

    #[test]
    fn pictures_that_all_stand_alone_do_not_make_tiny_segments() {
        let (_, pieces) = segments(100, 1, 1, LIMITS);
        assert!(pieces.len() <= 34, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.random_access));
    }

    proptest! {
        #[test]
        fn segments_hold_whole_packets_within_the_bound(
            frames in 1u64..200, group in 1u64..60, tables in 1u64..60, room in 3usize..50,
        ) {
            let limits = Limits { bytes_max: room * PACKET_BYTES, ..LIMITS };
            let (input, pieces) = segments(frames, group, tables, limits);
            for piece in &pieces {
                prop_assert!(piece.payload.len() <= limits.bytes_max);
                prop_assert_eq!(piece.payload.len() % PACKET_BYTES, 0);
                prop_assert!(!piece.random_access || pids(piece)[0] == PAT_PID);
            }
            // Nothing is lost: without the tables, output and input are the same.
            let strip = |bytes: &[u8]| -> Vec<u8> {
                bytes.chunks(PACKET_BYTES).filter(|packet| packet[1] & 0x1f == 1).flatten().copied().collect()
            };
            prop_assert_eq!(strip(&joined(&pieces)), strip(&input));
        }
    }
}
