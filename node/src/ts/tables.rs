//! The tables of a transport stream: which packets are a program's pictures, sound and clock, and the
//! packets of the tables themselves, to be repeated where a decoder may start.

use super::{keyframe, packet::Packet};
use mpeg2ts_reader::{
    StreamType,
    descriptor::CoreDescriptors,
    mpegts_crc::sum32,
    psi::{
        pat::{PatSection, ProgramDescriptor},
        pmt::{PmtSection, StreamInfo},
    },
};

/// The PID of the program association table.
pub const PAT_PID: u16 = 0;
/// The longest section, in bytes, with the three before its length counts (ISO/IEC 13818-1, 2.4.4).
const SECTION_MAX: usize = 1024;
/// Bytes of a section before its body, and of the checksum after it.
const HEADER: usize = 8;
const CHECKSUM: usize = 4;

/// What the tables of the first program say.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pat: Table,
    pmt: Table,
    program: Option<(u16, u16)>,
    clock_pid: Option<u16>,
    main: Option<(u16, StreamType)>,
    streams: Vec<Elementary>,
}

/// One of a program's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elementary {
    /// The PID of its packets.
    pub pid: u16,
    /// What it is.
    pub stream_type: StreamType,
    /// What a private stream is registered as (ISO/IEC 13818-1, 2.6.8).
    pub registration: Option<[u8; 4]>,
}

impl Tables {
    /// Reads a packet, if it belongs to a table.
    pub fn observe(&mut self, packet: &Packet) {
        let pid = packet.pid();
        if pid == PAT_PID {
            if let Some(section) = self.pat.observe(packet) {
                self.read_pat(&section);
            }
        } else if self.pmt_pid() == Some(pid)
            && let Some(section) = self.pmt.observe(packet)
        {
            self.read_pmt(&section);
        }
    }

    fn read_pat(&mut self, section: &Section) {
        let program =
            PatSection::new(section.body())
                .programs()
                .find_map(|program| match program {
                    ProgramDescriptor::Program {
                        program_number,
                        pid,
                    } => Some((program_number, pid.into())),
                    ProgramDescriptor::Network { .. } => None,
                });
        if section.id() != 0x00 || program.is_none() {
            return;
        }
        if self.program != program {
            self.program = program;
            (self.pmt, self.clock_pid, self.main, self.streams) = Default::default();
        }
        self.pat.keep();
    }

    fn read_pmt(&mut self, section: &Section) {
        let ours = self
            .program
            .is_some_and(|(number, _)| number == section.number());
        let Ok(pmt) = PmtSection::from_bytes(section.body()) else {
            return;
        };
        if section.id() != 0x02 || !ours {
            return;
        }
        self.clock_pid = Some(pmt.pcr_pid().into());
        self.streams = pmt
            .streams()
            .map(|stream| Elementary {
                pid: stream.elementary_pid().into(),
                stream_type: stream.stream_type(),
                registration: registration(&stream),
            })
            .collect();
        let main = self.streams.iter().find(|stream| stream.is_video());
        self.main = main
            .or(self.streams.first())
            .map(|stream| (stream.pid, stream.stream_type));
        self.pmt.keep();
    }

    /// The program's streams, in the order of its table; none until it is known.
    pub fn streams(&self) -> &[Elementary] {
        &self.streams
    }

    /// Whether packets of this PID are one of the two tables.
    pub fn contains(&self, pid: u16) -> bool {
        pid == PAT_PID || self.pmt_pid() == Some(pid)
    }

    /// The PID of the program's own table.
    pub fn pmt_pid(&self) -> Option<u16> {
        self.program.map(|(_, pid)| pid)
    }

    /// The PID that carries the program's clock.
    pub fn clock_pid(&self) -> Option<u16> {
        self.clock_pid
    }

    /// The PID of the pictures, or, in a program without any, of its first stream.
    pub fn main_pid(&self) -> Option<u16> {
        self.main.map(|(pid, _)| pid)
    }

    /// The packets of the two tables, the association table first; `None` until both are known.
    pub fn packets(&self) -> Option<impl Iterator<Item = &Packet>> {
        let known = !self.pat.known.is_empty() && !self.pmt.known.is_empty();
        known.then(|| self.pat.known.iter().chain(&self.pmt.known))
    }

    /// Whether a decoder can start with this packet, once it has the tables: a key frame begins, or, in a
    /// program without pictures, anything does.
    pub fn random_access(&self, packet: &Packet) -> bool {
        let Some((pid, stream_type)) = self.main else {
            return false;
        };
        packet.pid() == pid
            && packet.starts_unit()
            && (!keyframe::is_video(stream_type)
                || packet.random_access()
                || packet
                    .pes_payload()
                    .is_some_and(|payload| keyframe::starts_with_one(stream_type, payload)))
    }
}

impl Elementary {
    /// Whether it is pictures.
    pub fn is_video(&self) -> bool {
        keyframe::is_video(self.stream_type)
    }
}

fn registration(stream: &StreamInfo) -> Option<[u8; 4]> {
    stream
        .descriptors::<CoreDescriptors>()
        .find_map(|descriptor| match descriptor {
            Ok(CoreDescriptors::Registration(found)) => Some(found.format_identifier().0.0),
            _ => None,
        })
}

/// One table: its last whole version as packets, and what is coming in.
#[derive(Clone, Debug, Default)]
struct Table {
    known: Vec<Packet>,
    coming: Vec<Packet>,
    bytes: Vec<u8>,
}

impl Table {
    /// Takes a packet of the table; the section that it completes, if its checksum is right.
    fn observe(&mut self, packet: &Packet) -> Option<Section> {
        let payload = packet.payload()?;
        if packet.starts_unit() {
            let (&pointer, rest) = payload.split_first()?;
            self.coming.clear();
            self.bytes.clear();
            self.bytes
                .extend_from_slice(rest.get(usize::from(pointer)..)?);
        } else if self.coming.is_empty() {
            return None;
        } else {
            self.bytes.extend_from_slice(payload);
        }
        self.coming.push(packet.clone());
        let length =
            usize::from(u16::from_be_bytes([*self.bytes.get(1)?, *self.bytes.get(2)?]) & 0x0fff)
                + 3;
        if !(HEADER + CHECKSUM..=SECTION_MAX).contains(&length) {
            self.coming.clear();
            return None;
        }
        // The checksum of a section with its checksum is zero.
        let section = self
            .bytes
            .get(..length)
            .map(|bytes| Section(bytes.to_vec()))?;
        if sum32(&section.0) != 0 {
            self.coming.clear();
            return None;
        }
        Some(section)
    }

    /// Keeps the packets of the section that was complete last.
    fn keep(&mut self) {
        self.known = std::mem::take(&mut self.coming);
    }
}

/// A whole section whose checksum is right.
struct Section(Vec<u8>);

impl Section {
    /// What kind of table it is of.
    fn id(&self) -> u8 {
        self.0[0]
    }

    /// The stream or program that it is about.
    fn number(&self) -> u16 {
        u16::from_be_bytes([self.0[3], self.0[4]])
    }

    fn body(&self) -> &[u8] {
        &self.0[HEADER..self.0.len() - CHECKSUM]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{fixtures, packet::Timestamps};
    use proptest::prelude::*;

    const AT: Timestamps = Timestamps { pts: 0, dts: 0 };

    fn known() -> Tables {
        let mut tables = Tables::default();
        tables.observe(&fixtures::pat(0));
        tables.observe(&fixtures::pmt(0));
        tables
    }

    #[test]
    fn tables_tell_pictures_and_clock() {
        let tables = known();
        assert_eq!(tables.clock_pid(), Some(fixtures::VIDEO_PID));
        assert_eq!(tables.pmt_pid(), Some(fixtures::PMT_PID));
        assert_eq!(tables.packets().unwrap().count(), 2);
        assert!(tables.random_access(&fixtures::video(0, None, AT, true)));
        assert!(!tables.random_access(&fixtures::video(0, None, AT, false)));
        assert!(!tables.random_access(&fixtures::middle(fixtures::VIDEO_PID, 0)));
    }

    #[test]
    fn a_broken_table_does_not_replace_a_good_one() {
        let mut tables = known();
        let mut bytes = *fixtures::pat(1).bytes();
        bytes[17] ^= 1;
        tables.observe(&Packet::new(bytes).unwrap());
        assert_eq!(tables.pmt_pid(), Some(fixtures::PMT_PID));
        assert_eq!(tables.packets().unwrap().count(), 2);
    }

    proptest! {
        #[test]
        fn any_packets_can_be_observed(
            packets in prop::collection::vec(
                (0u8..3, any::<bool>(), prop::collection::vec(any::<u8>(), 184)), 0..40,
            ),
        ) {
            let mut tables = known();
            for (pid, start, body) in packets {
                let pid = [PAT_PID, fixtures::PMT_PID, fixtures::VIDEO_PID][usize::from(pid)];
                let mut bytes = vec![0x47, (pid >> 8) as u8 | u8::from(start) << 6, pid as u8, 0x10];
                bytes.extend_from_slice(&body);
                let packet = Packet::new(bytes.try_into().unwrap()).unwrap();
                tables.observe(&packet);
                tables.random_access(&packet);
            }
            // The checksum of 2^-32 chance aside, noise changes nothing.
            prop_assert_eq!(tables.packets().unwrap().count(), 2);
        }
    }
}
