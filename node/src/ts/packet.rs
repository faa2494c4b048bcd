//! One packet of a transport stream, to be read and changed in place.

use mpeg2ts_reader::{
    packet as reader,
    pes::{PesContents, PesHeader, PtsDts, Timestamp},
};

/// The length of a packet, in bytes.
pub const PACKET_BYTES: usize = 188;
/// The PID of packets that carry nothing.
pub const NULL_PID: u16 = 0x1fff;
/// Ticks per second of the 27 MHz clock that a PCR counts.
pub const PCR_HZ: u64 = 27_000_000;
/// Ticks per second of the 90 kHz clock that a PTS and a DTS count.
pub const PTS_HZ: u64 = 90_000;
/// PTS, DTS and the base of a PCR wrap here: 33 bits.
pub const PTS_WRAP: u64 = 1 << 33;
/// A PCR in 27 MHz ticks wraps here.
pub const PCR_WRAP: u64 = PTS_WRAP * 300;

const SYNC_BYTE: u8 = 0x47;
/// Where the flags of an adaptation field are.
const FLAGS: usize = 5;
/// Where a PCR is, if there is one.
const PCR: usize = 6;

/// A packet: 188 bytes that begin with the sync byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet([u8; PACKET_BYTES]);

/// A PES header that goes on in the next packet, so that its timestamps cannot be changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PES header is split over two packets")]
pub struct SplitHeader;

/// The timestamps of a PES packet, in 90 kHz ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// When to show it.
    pub pts: u64,
    /// When to decode it; the same as `pts` unless frames are reordered.
    pub dts: u64,
}

impl Packet {
    /// The packet in these bytes, if they begin with the sync byte.
    pub fn new(bytes: [u8; PACKET_BYTES]) -> Option<Packet> {
        (bytes[0] == SYNC_BYTE).then_some(Packet(bytes))
    }

    /// A packet that carries nothing.
    pub fn null() -> Packet {
        let mut bytes = [0xff; PACKET_BYTES];
        bytes[..4].copy_from_slice(&[SYNC_BYTE, (NULL_PID >> 8) as u8, NULL_PID as u8, 0x10]);
        Packet(bytes)
    }

    /// A packet without payload that tells a decoder that something is missing from this PID; `continuity`
    /// is the counter of the packet that follows.
    pub fn discontinuity(pid: u16, continuity: u8) -> Packet {
        let mut bytes = [0xff; PACKET_BYTES];
        bytes[..6].copy_from_slice(&[
            SYNC_BYTE,
            (pid >> 8) as u8 & 0x1f,
            pid as u8,
            // An adaptation field only: such a packet repeats the counter before it.
            0x20 | (continuity.wrapping_sub(1) & 0x0f),
            (PACKET_BYTES - FLAGS) as u8,
            0x80,
        ]);
        Packet(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; PACKET_BYTES] {
        &self.0
    }

    fn reader(&self) -> reader::Packet<'_> {
        reader::Packet::new(&self.0)
    }

    /// What it belongs to.
    pub fn pid(&self) -> u16 {
        self.reader().pid().into()
    }

    /// Whether a PES packet or a section starts in it.
    pub fn starts_unit(&self) -> bool {
        self.reader().payload_unit_start_indicator()
    }

    /// What it carries.
    pub fn payload(&self) -> Option<&[u8]> {
        self.reader().payload()
    }

    /// Whether it carries something, so that its continuity counter is one up from the one before.
    pub fn counts(&self) -> bool {
        self.reader().adaptation_control().has_payload()
    }

    /// Whether its muxer says that a decoder can start here.
    pub fn random_access(&self) -> bool {
        self.reader()
            .adaptation_field()
            .is_some_and(|field| field.random_access_indicator())
    }

    /// Whether its muxer says that clock or counters jump here.
    pub fn is_discontinuity(&self) -> bool {
        self.reader()
            .adaptation_field()
            .is_some_and(|field| field.discontinuity_indicator())
    }

    /// The four bits that count the packets of a PID.
    pub fn continuity(&self) -> u8 {
        self.0[3] & 0x0f
    }

    /// Sets the continuity counter.
    pub fn set_continuity(&mut self, counter: u8) {
        self.0[3] = (self.0[3] & 0xf0) | (counter & 0x0f);
    }

    /// The program's clock, in 27 MHz ticks below [`PCR_WRAP`].
    pub fn pcr(&self) -> Option<u64> {
        let pcr = self.reader().adaptation_field()?.pcr().ok()?;
        // Nine bits can say up to 511, but count to 300.
        Some((pcr.base() * 300 + u64::from(pcr.extension())) % PCR_WRAP)
    }

    /// The timestamps of the PES packet that starts here, if one with timestamps does.
    pub fn timestamps(&self) -> Option<Timestamps> {
        let (pts, dts) = match self.pes_timestamps()? {
            PtsDts::PtsOnly(pts) => (pts.ok()?, None),
            PtsDts::Both { pts, dts } => (pts.ok()?, Some(dts.ok()?)),
            PtsDts::None | PtsDts::Invalid => return None,
        };
        Some(Timestamps {
            pts: pts.value(),
            dts: dts.unwrap_or(pts).value(),
        })
    }

    fn pes_timestamps(&self) -> Option<PtsDts> {
        if !self.starts_unit() {
            return None;
        }
        match PesHeader::from_bytes(self.payload()?)?.contents() {
            PesContents::Parsed(Some(header)) => header.pts_dts().ok(),
            _ => None,
        }
    }

    /// The elementary stream's bytes in a packet in which a PES packet starts.
    pub fn pes_payload(&self) -> Option<&[u8]> {
        if !self.starts_unit() {
            return None;
        }
        match PesHeader::from_bytes(self.payload()?)?.contents() {
            PesContents::Parsed(header) => Some(header?.payload()),
            PesContents::Payload(payload) => Some(payload),
        }
    }

    /// Moves PCR, PTS and DTS later by `ticks` of the 90 kHz clock, round the wrap.
    pub fn delay(&mut self, ticks: u64) -> Result<(), SplitHeader> {
        let ticks = ticks % PTS_WRAP;
        if let Some(pcr) = self.pcr() {
            self.set_pcr((pcr + ticks * 300) % PCR_WRAP);
        }
        if let Some(at) = self.timestamp_offsets()? {
            for at in at.into_iter().flatten() {
                let Ok(old) = Timestamp::from_bytes(&self.0[at..at + 5]) else {
                    continue;
                };
                self.set_timestamp(at, (old.value() + ticks) % PTS_WRAP);
            }
        }
        Ok(())
    }

    fn set_pcr(&mut self, pcr: u64) {
        let (base, extension) = (pcr / 300, pcr % 300);
        self.0[PCR..PCR + 6].copy_from_slice(&[
            (base >> 25) as u8,
            (base >> 17) as u8,
            (base >> 9) as u8,
            (base >> 1) as u8,
            ((base << 7) as u8 & 0x80) | 0x7e | (extension >> 8) as u8,
            extension as u8,
        ]);
    }

    /// Where PTS and DTS begin in the packet; `None` where there are none.
    fn timestamp_offsets(&self) -> Result<Option<[Option<usize>; 2]>, SplitHeader> {
        let Some(payload) = self.payload().filter(|_| self.starts_unit()) else {
            return Ok(None);
        };
        let start = PACKET_BYTES - payload.len();
        let prefix = payload.len().min(3);
        if payload[..prefix] != [0, 0, 1][..prefix] {
            return Ok(None);
        }
        let Some(&[stream_id, _, _, _, flags]) = payload.get(3..8) else {
            return Err(SplitHeader);
        };
        // Table 2-21: these have no header beyond their length.
        let bare = matches!(stream_id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff);
        let count = match flags >> 6 {
            0b10 => 1,
            0b11 => 2,
            _ => 0,
        };
        if bare || count == 0 {
            return Ok(None);
        }
        if payload.len() < 9 + 5 * count {
            return Err(SplitHeader);
        }
        Ok(Some([Some(start + 9), (count == 2).then_some(start + 14)]))
    }

    fn set_timestamp(&mut self, at: usize, ticks: u64) {
        let bytes = &mut self.0[at..at + 5];
        // The four bits before it and the marker bits between its parts stay.
        bytes[0] = (bytes[0] & 0xf1) | ((ticks >> 29) as u8 & 0x0e);
        bytes[1] = (ticks >> 22) as u8;
        bytes[2] = (bytes[2] & 0x01) | ((ticks >> 14) as u8 & 0xfe);
        bytes[3] = (ticks >> 7) as u8;
        bytes[4] = (bytes[4] & 0x01) | ((ticks << 1) as u8 & 0xfe);
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("pid", &self.pid())
            .field("continuity", &self.continuity())
            .field("starts_unit", &self.starts_unit())
            .field("pcr", &self.pcr())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::fixtures;
    use proptest::prelude::*;

    #[test]
    fn a_discontinuity_packet_says_so_and_nothing_else() {
        let packet = Packet::discontinuity(0x101, 0);
        assert_eq!(packet.pid(), 0x101);
        assert!(packet.is_discontinuity());
        assert!(!packet.random_access() && !packet.counts());
        assert_eq!((packet.pcr(), packet.payload()), (None, None));
        assert_eq!(packet.continuity(), 15);
    }

    #[test]
    fn a_split_pes_header_is_noticed() {
        let mut packet = fixtures::video(0, Some(1), Timestamps { pts: 9, dts: 5 }, true);
        packet.delay(1).unwrap();
        // The adaptation field grows until 12 bytes are left: the PTS is cut through.
        let mut bytes = *packet.bytes();
        bytes[4] = 171;
        bytes[176..].copy_from_slice(&[0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 1]);
        let mut packet = Packet::new(bytes).unwrap();
        assert_eq!(packet.delay(1), Err(SplitHeader));
    }

    proptest! {
        #[test]
        fn delay_moves_all_three_clocks_round_the_wrap(
            pcr in 0..PCR_WRAP, pts in 0..PTS_WRAP, dts in 0..PTS_WRAP, by in 0..PTS_WRAP,
        ) {
            let mut packet = fixtures::video(3, Some(pcr), Timestamps { pts, dts }, true);
            packet.delay(by).unwrap();
            prop_assert_eq!(packet.pcr(), Some((pcr + by * 300) % PCR_WRAP));
            let moved = Timestamps { pts: (pts + by) % PTS_WRAP, dts: (dts + by) % PTS_WRAP };
            prop_assert_eq!(packet.timestamps(), Some(moved));
            packet.delay(PTS_WRAP - by).unwrap();
            prop_assert_eq!(packet, fixtures::video(3, Some(pcr), Timestamps { pts, dts }, true));
        }

        #[test]
        fn any_bytes_can_be_read_and_changed(mut bytes in prop::collection::vec(any::<u8>(), PACKET_BYTES)) {
            bytes[0] = SYNC_BYTE;
            let mut packet = Packet::new(bytes.try_into().unwrap()).unwrap();
            let _ = (packet.timestamps(), packet.pes_payload().map(<[u8]>::len), packet.random_access());
            let pid = packet.pid();
            let _ = packet.delay(90_000);
            packet.set_continuity(7);
            prop_assert_eq!((packet.pid(), packet.continuity()), (pid, 7));
        }
    }
}
