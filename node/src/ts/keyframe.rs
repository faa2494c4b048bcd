//! Whether a decoder can start with a frame, read from the frame itself, for muxers that do not set the
//! random access indicator.

use mpeg2ts_reader::StreamType;

/// Whether the elementary stream of this type begins with what a decoder needs to start.
///
/// Looks for parameter sets or intra pictures: H.264 NAL units 5 and 7 (H.264, table 7-1), H.265 NAL units
/// 16 to 23 and 32 to 34 (H.265, table 7-1), and the sequence header of MPEG-1 and MPEG-2 video.
pub fn starts_with_one(stream_type: StreamType, payload: &[u8]) -> bool {
    let starts = |wanted: fn(u8) -> bool| {
        payload
            .windows(4)
            .any(|bytes| bytes[..3] == [0, 0, 1] && wanted(bytes[3]))
    };
    match stream_type {
        StreamType::H264 => starts(|unit| matches!(unit & 0x1f, 5 | 7)),
        StreamType::H265 => starts(|unit| matches!(unit >> 1 & 0x3f, 16..=23 | 32..=34)),
        StreamType::ISO_11172_VIDEO | StreamType::H262 => starts(|code| code == 0xb3),
        _ => false,
    }
}

/// Whether streams of this type are pictures.
pub fn is_video(stream_type: StreamType) -> bool {
    // 0x10 MPEG-4 part 2, 0x33 H.266, 0xd1 Dirac, 0xea VC-1
    matches!(
        stream_type,
        StreamType::ISO_11172_VIDEO | StreamType::H262 | StreamType::H264 | StreamType::H265
    ) || matches!(u8::from(stream_type), 0x10 | 0x33 | 0xd1 | 0xea)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_and_intra_pictures_start_a_decoder() {
        let h264 =
            |unit| starts_with_one(StreamType::H264, &[0, 0, 0, 1, 9, 0xf0, 0, 0, 1, unit, 1]);
        assert!(h264(0x67) && h264(0x65));
        assert!(!h264(0x41) && !h264(0x06));
        let h265 = |unit: u8| starts_with_one(StreamType::H265, &[0, 0, 1, unit << 1, 1]);
        assert!(h265(19) && h265(33) && !h265(1));
        assert!(starts_with_one(StreamType::H262, &[0, 0, 1, 0xb3]));
        assert!(!starts_with_one(StreamType::H262, &[0, 0, 1, 0x00]));
    }
}
