//! AAC: frames with ADTS headers (ISO/IEC 13818-7, 6.2), as transport streams carry it.

use super::units::{Piece, Pieces};
use crate::ts::packet::{PTS_HZ, PTS_WRAP, Packet};
use adts_reader::{AdtsHeader, AdtsHeaderError};

/// Samples of every channel in a frame.
pub const FRAME_SAMPLES: u32 = 1024;

/// What a decoder has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The audio object type (ISO/IEC 14496-3, table 1.17).
    pub object_type: u8,
    /// The index of the sample rate (ISO/IEC 14496-3, table 1.18).
    pub frequency_index: u8,
    /// The sample rate in Hz.
    pub sample_rate: u32,
    /// The channel configuration (ISO/IEC 14496-3, table 1.19).
    pub channels: u8,
}

impl Config {
    /// The codec's name as browsers know it (RFC 6381).
    pub fn codec(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    fn of(header: &AdtsHeader<'_>) -> Option<Config> {
        let frequency = header.sampling_frequency();
        Some(Config {
            object_type: u8::from(header.audio_object_type()),
            frequency_index: u8::from(frequency),
            sample_rate: frequency.freq()?,
            channels: u8::from(header.channel_configuration()),
        })
    }
}

/// A frame of sound.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// What decodes it.
    pub config: Config,
    /// When to play it, in 90 kHz ticks of its source.
    pub at: u64,
    /// It, without header.
    pub payload: Vec<u8>,
}

/// Takes an elementary stream apart into frames.
#[derive(Debug, Default)]
pub struct Frames {
    pieces: Pieces,
    /// The beginning of a frame that is not complete.
    rest: Vec<u8>,
    /// When to play the next frame, in 90 kHz ticks, once it is known.
    next: Option<u64>,
    /// The time of the first frame that begins at this place of the rest or after it.
    stamp: Option<(usize, u64)>,
}

impl Frames {
    /// The frames that are complete with this packet of the sound's PID.
    pub fn push(&mut self, packet: &Packet) -> Vec<Frame> {
        match self.pieces.read(packet) {
            Some(Piece::Begin(at, payload)) => self.read(Some(at.pts), payload),
            Some(Piece::More(payload)) => self.read(None, payload),
            Some(Piece::Broken) => {
                (self.rest, self.next, self.stamp) = Default::default();
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Forgets a frame that is not complete, because something of it is missing.
    pub fn discard(&mut self) {
        *self = Frames::default();
    }

    /// The frames that are complete with these bytes; `at` is the time of the first that begins in them.
    fn read(&mut self, at: Option<u64>, bytes: &[u8]) -> Vec<Frame> {
        if let Some(at) = at {
            self.stamp = Some((self.rest.len(), at));
        }
        self.rest.extend_from_slice(bytes);
        let (mut frames, mut offset) = (Vec::new(), 0);
        while let Some(bytes) = self.rest.get(offset..).filter(|bytes| !bytes.is_empty()) {
            let header = match AdtsHeader::from_bytes(bytes) {
                Ok(header) => header,
                Err(AdtsHeaderError::NotEnoughData { .. }) => break,
                Err(_) => {
                    offset += 1;
                    continue;
                }
            };
            if let Some((_, at)) = self.stamp.take_if(|(from, _)| offset >= *from) {
                self.next = Some(at);
            }
            let Ok(payload) = header.payload() else {
                break;
            };
            if let (Some(config), Some(at)) = (Config::of(&header), self.next) {
                let ticks = u64::from(FRAME_SAMPLES) * PTS_HZ / u64::from(config.sample_rate);
                self.next = Some((at + ticks) % PTS_WRAP);
                let payload = payload.to_vec();
                frames.push(Frame {
                    config,
                    at,
                    payload,
                });
            }
            offset += usize::from(header.frame_length());
        }
        let done = offset.min(self.rest.len());
        self.rest.drain(..done);
        self.stamp = self.stamp.map(|(from, at)| (from.saturating_sub(done), at));
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame of AAC-LC at 48 kHz in stereo.
    fn adts(payload: &[u8]) -> Vec<u8> {
        let length = payload.len() + 7;
        let mut bytes = vec![
            0xff,
            0xf1,
            0x4c,
            0x80 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_come_apart_and_know_their_times() {
        let bytes = [adts(&[1; 50]), adts(&[2; 60]), adts(&[3; 70])].concat();
        let mut frames = Frames::default();
        // The time of the second piece is that of the third frame, the first that begins in it.
        let all: Vec<_> = [
            frames.read(Some(9000), &bytes[..100]),
            frames.read(Some(9000 + 2 * 1920 + 5), &bytes[100..130]),
            frames.read(None, &bytes[130..]),
        ]
        .into_iter()
        .flatten()
        .collect();
        let times: Vec<u64> = all.iter().map(|frame| frame.at).collect();
        assert_eq!(times, [9000, 9000 + 1920, 9000 + 2 * 1920 + 5]);
        assert_eq!(all[2].payload, [3; 70]);
        let config = all[0].config;
        assert_eq!((config.sample_rate, config.channels), (48_000, 2));
        assert_eq!(config.codec(), "mp4a.40.2");
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0xffu8), Just(0xf1), any::<u8>()], 0..400), 1..30),
        ) {
            let mut frames = Frames::default();
            for bytes in pieces {
                frames.read(Some(1), &bytes);
                // No frame is longer than its header can say.
                prop_assert!(frames.rest.len() < 8192);
            }
        }
    }
}
