//! Packets made for tests.

use super::packet::{PACKET_BYTES, Packet, Timestamps};
use mpeg2ts_reader::mpegts_crc::sum32;

pub(crate) const PMT_PID: u16 = 0x1000;
pub(crate) const VIDEO_PID: u16 = 0x100;
pub(crate) const AUDIO_PID: u16 = 0x101;

/// A packet of `pid` with this adaptation field and payload; the field is stuffed to fill the packet.
fn packet(pid: u16, continuity: u8, start: bool, field: &[u8], payload: &[u8]) -> Packet {
    let room = PACKET_BYTES - 4 - payload.len();
    let mut bytes = vec![
        0x47,
        (pid >> 8) as u8 | u8::from(start) << 6,
        pid as u8,
        0x10 | continuity | if room > 0 { 0x20 } else { 0 },
    ];
    if room > 0 {
        bytes.push((room - 1) as u8);
        bytes.extend_from_slice(if field.is_empty() && room > 1 {
            &[0]
        } else {
            field
        });
    }
    bytes.resize(PACKET_BYTES - payload.len(), 0xff);
    bytes.extend_from_slice(payload);
    Packet::new(bytes.try_into().unwrap()).unwrap()
}

fn timestamp(prefix: u8, ticks: u64) -> [u8; 5] {
    [
        prefix << 4 | (ticks >> 29) as u8 & 0x0e | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ]
}

fn pcr_field(pcr: Option<u64>, random_access: bool) -> Vec<u8> {
    let mut field = vec![u8::from(random_access) << 6];
    if let Some(pcr) = pcr {
        let (base, extension) = (pcr / 300, pcr % 300);
        field[0] |= 0x10;
        field.extend_from_slice(&(base << 15 | 0x7e00 | extension).to_be_bytes()[2..]);
    }
    field
}

/// The first packet of a video frame.
pub(crate) fn video(
    continuity: u8,
    pcr: Option<u64>,
    at: Timestamps,
    random_access: bool,
) -> Packet {
    let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10];
    pes.extend_from_slice(&timestamp(0b0011, at.pts));
    pes.extend_from_slice(&timestamp(0b0001, at.dts));
    pes.resize(150, 0xaa);
    packet(
        VIDEO_PID,
        continuity,
        true,
        &pcr_field(pcr, random_access),
        &pes,
    )
}

/// A packet in the middle of something.
pub(crate) fn middle(pid: u16, continuity: u8) -> Packet {
    packet(pid, continuity, false, &[], &[0x55; 184])
}

fn section(pid: u16, continuity: u8, table: u8, body: &[u8]) -> Packet {
    let length = body.len() + 9;
    let mut section = vec![
        table,
        0xb0 | (length >> 8) as u8,
        length as u8,
        0,
        1,
        0xc1,
        0,
        0,
    ];
    section.extend_from_slice(body);
    section.extend_from_slice(&sum32(&section).to_be_bytes());
    let mut payload = vec![0];
    payload.extend_from_slice(&section);
    payload.resize(184, 0xff);
    packet(pid, continuity, true, &[], &payload)
}

/// A table of one program.
pub(crate) fn pat(continuity: u8) -> Packet {
    let pid = PMT_PID | 0xe000;
    section(0, continuity, 0, &[0, 1, (pid >> 8) as u8, pid as u8])
}

/// The program's table: H.264 and AAC.
pub(crate) fn pmt(continuity: u8) -> Packet {
    pmt_of(continuity, 0x1b, 0x0f)
}

/// A program's table with streams of these types.
pub(crate) fn pmt_of(continuity: u8, video: u8, audio: u8) -> Packet {
    let mut body = vec![0xe1, 0x00, 0xf0, 0];
    for (stream_type, pid) in [(video, VIDEO_PID), (audio, AUDIO_PID)] {
        body.extend_from_slice(&[stream_type, 0xe0 | (pid >> 8) as u8, pid as u8, 0xf0, 0]);
    }
    section(PMT_PID, continuity, 2, &body)
}
