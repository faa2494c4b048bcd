//! What streams are called, so that a page can name what it cannot play.

use crate::ts::tables::Elementary;
use mpeg2ts_reader::StreamType;

/// Whether it is pictures that can be played here.
pub fn is_h264(stream: &Elementary) -> bool {
    stream.stream_type == StreamType::H264
}

/// Whether it is sound that can be played here.
pub fn is_aac(stream: &Elementary) -> bool {
    stream.stream_type == StreamType::ADTS
}

/// Whether it is sound, as far as its type tells.
pub fn is_sound(stream: &Elementary) -> bool {
    !stream.is_video() && sound_name(stream).is_some()
}

/// The name of what it is.
pub fn name(stream: &Elementary) -> String {
    let known = match u8::from(stream.stream_type) {
        0x01 => Some("MPEG-1 video"),
        0x02 => Some("MPEG-2 video"),
        0x10 => Some("MPEG-4 part 2 video"),
        0x1b => Some("H.264"),
        0x24 => Some("H.265 (HEVC)"),
        0x33 => Some("H.266 (VVC)"),
        0xd1 => Some("Dirac"),
        0xea => Some("VC-1"),
        _ => sound_name(stream),
    };
    known.map_or_else(
        || format!("stream type {:#04x}", u8::from(stream.stream_type)),
        str::to_owned,
    )
}

fn sound_name(stream: &Elementary) -> Option<&'static str> {
    match (u8::from(stream.stream_type), stream.registration.as_ref()) {
        (0x03 | 0x04, _) => Some("MPEG audio (MP2 or MP3)"),
        (0x0f, _) => Some("AAC"),
        (0x11, _) => Some("AAC in LATM"),
        (0x81, _) | (_, Some(b"AC-3")) => Some("AC-3 (Dolby Digital)"),
        (0x87, _) | (_, Some(b"EAC3")) => Some("E-AC-3 (Dolby Digital Plus)"),
        (_, Some(b"Opus")) => Some("Opus"),
        (_, Some(b"BSSD")) => Some("SMPTE 302M"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_have_names() {
        let stream = |stream_type, registration| Elementary {
            pid: 0x100,
            stream_type: StreamType::from(stream_type),
            registration,
        };
        assert_eq!(name(&stream(0x24, None)), "H.265 (HEVC)");
        assert_eq!(name(&stream(0x06, Some(*b"Opus"))), "Opus");
        assert_eq!(name(&stream(0x99, None)), "stream type 0x99");
        assert!(is_sound(&stream(0x06, Some(*b"AC-3"))));
        // Subtitles and the like need not be played.
        assert!(!is_sound(&stream(0x06, None)));
    }
}
