//! What comes from sources of video.

use bytes::Bytes;
use hamlet_node::{
    ingest::{CLIP, limits::Limits, looping::Joiner, segmenter::Segmenter},
    playback::mp4::Remuxer,
    ts::{
        clock::Clock,
        framing::{Framer, Item},
        packet::{PACKET_BYTES, Packet},
        tables::Tables,
    },
};
use hamlet_overlay::io::Segment;
use std::time::Duration;

/// Pieces of the bundled clip: with and without its tables, cut within a packet, with bytes in front; and
/// headers that end with their packet.
pub fn streams() -> Vec<Vec<u8>> {
    let tables = &CLIP[..20 * PACKET_BYTES];
    let middle = &CLIP[300 * PACKET_BYTES..330 * PACKET_BYTES + 50];
    vec![
        tables.to_vec(),
        CLIP[..60 * PACKET_BYTES].to_vec(),
        [&[0x47, 1, 2], middle].concat(),
        [tables, &short_headers()].concat(),
    ]
}

/// Packets of pictures that hold the first byte of a PES header with PTS and DTS, the first two, and so on.
fn short_headers() -> Vec<u8> {
    let header = [
        0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 1, 0, 1, 0x11, 0, 1, 0, 1,
    ];
    let packets = (1..=header.len()).map(|there| {
        let stuffing = PACKET_BYTES - 5 - there;
        let mut packet = vec![0x47, 0x41, 0, 0x30, stuffing as u8, 0];
        packet.resize(PACKET_BYTES - there, 0xff);
        packet.extend_from_slice(&header[..there]);
        packet
    });
    packets.flatten().collect()
}

/// A transport stream is cut into segments of whole packets within their bound, and every byte of it is
/// accounted for.
pub fn transport_stream(bytes: &[u8]) {
    let limits = Limits {
        segment: Duration::from_millis(20),
        bytes_min: 0,
        bytes_max: 16 * PACKET_BYTES,
    };
    let (mut framer, mut cutter) = (Framer::default(), Cutter::new(limits));
    let mut accounted = 0;
    for piece in bytes.chunks(1000).map(Some).chain([None]) {
        match piece {
            Some(piece) => framer.push(piece),
            None => framer.end(),
        }
        loop {
            match framer.next_item() {
                Ok(None) => break,
                Ok(Some(Item::Packet(packet))) => {
                    accounted += PACKET_BYTES;
                    cutter.take(packet);
                }
                Ok(Some(Item::Skipped { bytes, .. } | Item::Truncated { bytes, .. })) => {
                    accounted += bytes as usize;
                }
                Err(_) => return,
            }
        }
    }
    assert_eq!(accounted, bytes.len());
    cutter.end();
}

/// Whatever a segment holds, its remuxed pictures and sound are not longer than the segments they came from, but
/// for the boxes around them.
pub fn remuxed(bytes: &[u8]) {
    let (mut remuxer, mut segments, mut fragments) = (Remuxer::default(), 0, 0);
    for (number, payload) in (0..).zip(bytes.chunks(10 * PACKET_BYTES)) {
        let segment = Segment {
            stream: 0,
            number,
            payload: vec![Bytes::copy_from_slice(payload)],
            random_access: true,
            discontinuity: false,
            cut_unix_ms: number,
        };
        segments += payload.len();
        for fragment in remuxer.push(&segment, number % 5 == 4) {
            // No picture and no frame of sound is shorter than a byte, and each takes 16 bytes of tables and a
            // length or two.
            fragments += fragment.bytes.len();
            assert!(fragment.bytes.starts_with(&[0, 0]) && !fragment.init.bytes.is_empty());
        }
    }
    assert!(
        fragments <= 32 * segments,
        "{fragments} of {segments} bytes"
    );
}

struct Cutter {
    tables: Tables,
    clock: Clock,
    segmenter: Segmenter,
    joiner: Joiner,
    limits: Limits,
    taken: usize,
    cut: usize,
}

impl Cutter {
    fn new(limits: Limits) -> Cutter {
        Cutter {
            tables: Tables::default(),
            clock: Clock::default(),
            segmenter: Segmenter::new(limits),
            joiner: Joiner::default(),
            limits,
            taken: 0,
            cut: 0,
        }
    }

    fn take(&mut self, packet: Packet) {
        self.taken += PACKET_BYTES;
        self.tables.observe(&packet);
        if let Some(pcr) = packet.pcr() {
            self.clock.observe(pcr, packet.is_discontinuity());
        }
        let (mut later, pid) = (packet.clone(), packet.pid());
        if later.delay(90_000).is_ok() {
            assert_eq!(later.pid(), pid);
        }
        // A loop begins again wherever it can; where it cannot, that is said.
        if self.joiner.pass(packet.clone()).is_ok() && self.tables.random_access(&packet) {
            let _ = self.joiner.rewind();
        }
        let piece = self
            .segmenter
            .push(packet, self.clock.elapsed(), &self.tables);
        self.check(piece.map(|piece| piece.payload.len()));
    }

    fn end(mut self) {
        let last = self.segmenter.cut(self.clock.elapsed());
        self.check(last.map(|piece| piece.payload.len()));
        // Tables may have been put in before key frames.
        assert!(
            self.cut >= self.taken,
            "{} of {} bytes",
            self.cut,
            self.taken
        );
    }

    fn check(&mut self, bytes: Option<usize>) {
        let bytes = bytes.unwrap_or(0);
        assert!(
            bytes.is_multiple_of(PACKET_BYTES) && bytes <= self.limits.bytes_max,
            "{bytes}"
        );
        self.cut += bytes;
    }
}
