//! The two tracks of a stream, each from the packets of its PID to samples.

use super::super::{
    aac,
    boxes::{self, Sample},
    h264, timeline,
    units::{Assembler, Unit},
};
use crate::ts::packet::PTS_HZ;

/// How far a frame of sound may be from where the one before ended and still follow it without a hole, in
/// 90 kHz ticks: timestamps are rounded, to milliseconds by some sources.
const SOUND_JITTER: i64 = 20 * PTS_HZ as i64 / 1000;
/// How long a picture lasts until another one has shown it, in 90 kHz ticks.
const USUAL_DURATION: i64 = PTS_HZ as i64 / 25;
/// A longer step between two pictures is a hole, not a picture that stays.
pub const DURATION_MAX: i64 = 2 * PTS_HZ as i64;

#[derive(Debug)]
pub struct PictureTrack {
    pub pid: u16,
    pub assembler: Assembler,
    pub pictures: h264::Pictures,
    pub config: Option<h264::Config>,
    /// Whether pictures are left out until one with which a decoder can start.
    pub wants_sync: bool,
    /// How long the last picture lasted, in 90 kHz ticks.
    pub duration: i64,
    pub ready: Vec<Sample>,
}

#[derive(Debug)]
pub struct SoundTrack {
    pub pid: u16,
    pub frames: aac::Frames,
    pub config: Option<aac::Config>,
    /// Where the last frame ended, in samples of the stream's own time.
    pub end: Option<i64>,
    /// How long the pictures have been that came since the last frame, in 90 kHz ticks.
    pub silence: i64,
    pub ready: Vec<Sample>,
}

impl PictureTrack {
    pub fn new(pid: u16) -> PictureTrack {
        PictureTrack {
            pid,
            assembler: Assembler::default(),
            pictures: h264::Pictures::default(),
            config: None,
            wants_sync: true,
            duration: USUAL_DURATION,
            ready: Vec::new(),
        }
    }

    /// The picture of a unit, unless it is one that cannot be decoded.
    pub fn take(&mut self, unit: &Unit) -> Option<h264::Picture> {
        let picture = self.pictures.push(unit)?;
        if picture.sync {
            self.config = self.pictures.config();
            self.wants_sync = false;
        }
        if self.wants_sync || self.config.is_none() {
            return None;
        }
        // It lasts until the next one is decoded.
        let next = self.assembler.coming_at();
        let step = next.map(|next| timeline::difference(next.dts, unit.at.dts));
        if let Some(step @ 1..=DURATION_MAX) = step {
            self.duration = step;
        }
        Some(picture)
    }
}

impl SoundTrack {
    pub fn new(pid: u16) -> SoundTrack {
        SoundTrack {
            pid,
            frames: aac::Frames::default(),
            config: None,
            end: None,
            silence: 0,
            ready: Vec::new(),
        }
    }

    /// Adds a frame that is played at this time of the stream, in 90 kHz ticks.
    pub fn add(&mut self, time: i64, frame: aac::Frame) {
        let (rate, hz) = (i64::from(frame.config.sample_rate), PTS_HZ as i64);
        let start = match self.end {
            Some(end) if (time - end * hz / rate).abs() <= SOUND_JITTER => end,
            // It would lie over what was played already.
            Some(end) if time * rate / hz < end => return,
            _ => time * rate / hz,
        };
        self.end = Some(start + i64::from(boxes::AUDIO_DURATION));
        self.silence = 0;
        self.ready.push(Sample {
            time: start as u64,
            duration: boxes::AUDIO_DURATION,
            offset: 0,
            sync: true,
            payload: frame.payload,
        });
    }
}
