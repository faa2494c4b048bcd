//! Segments in, fragments out.

mod tracks;

use super::{
    Audio, Fragment, Init, Video, aac,
    boxes::{self, Reference, Sample},
    codec,
    timeline::{self, Timeline},
};
use crate::ts::{
    packet::{PACKET_BYTES, PTS_HZ, Packet},
    tables::Tables,
};
use hamlet_overlay::io::Segment;
use std::sync::Arc;
use tracing::debug;
use tracks::{DURATION_MAX, PictureTrack, SoundTrack};

/// How long the first frame of sound is waited for, in 90 kHz ticks of the pictures; after as long without
/// sound in mid-stream the pictures go on alone.
const SOUND_WAIT: i64 = 3 * PTS_HZ as i64;
/// The most that waits for its [`Init`], in bytes.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Makes fragments of a stream's segments.
#[derive(Debug, Default)]
pub struct Remuxer {
    tables: Tables,
    pictures: Option<PictureTrack>,
    sound: Option<SoundTrack>,
    unsupported: Vec<String>,
    timeline: Timeline,
    init: Option<Arc<Init>>,
    reference: Option<Reference>,
    number: u64,
}

impl Remuxer {
    /// What a player needs before the next fragment, once it is known.
    pub fn init(&self) -> Option<&Arc<Init>> {
        self.init.as_ref()
    }

    /// The names of streams that cannot be played in a browser, and whether nothing is left without them.
    pub fn unsupported(&self) -> (&[String], bool) {
        let nothing = self.pictures.is_none() && self.sound.is_none();
        (&self.unsupported, nothing && !self.unsupported.is_empty())
    }

    /// Pictures per second, as they have come of late.
    pub fn fps(&self) -> Option<f64> {
        let track = self.pictures.as_ref()?;
        let config = track.config.as_ref()?;
        Some(match config.frames_per_1000_s {
            Some(frames) => f64::from(frames) / 1000.0,
            None => PTS_HZ as f64 / track.duration as f64,
        })
    }

    /// Takes the stream's next segment, `gap` saying that something is missing before it; the fragments that
    /// it completes.
    pub fn push(&mut self, segment: &Segment, gap: bool) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        if gap {
            self.skip();
        }
        let payload: Vec<u8> = segment.payload.concat();
        // The source cut between packets, and what is not MPEG-TS has none.
        let (packets, _) = payload.as_chunks::<PACKET_BYTES>();
        for bytes in packets {
            if let Some(packet) = Packet::new(*bytes) {
                self.packet(&packet, &mut fragments);
            }
        }
        self.refer(segment.cut_unix_ms);
        self.cut(&mut fragments);
        fragments
    }

    /// Goes on after a hole.
    fn skip(&mut self) {
        if let Some(track) = &mut self.pictures {
            track.assembler.discard();
            track.wants_sync = true;
        }
        if let Some(track) = &mut self.sound {
            track.frames.discard();
        }
    }

    fn packet(&mut self, packet: &Packet, fragments: &mut Vec<Fragment>) {
        self.tables.observe(packet);
        if self.tables.contains(packet.pid()) {
            self.select(fragments);
        } else if self
            .pictures
            .as_ref()
            .is_some_and(|track| track.pid == packet.pid())
        {
            self.picture_packet(packet, fragments);
        } else if self
            .sound
            .as_ref()
            .is_some_and(|track| track.pid == packet.pid())
        {
            self.sound_packet(packet, fragments);
        }
    }

    /// Chooses the streams that are played, once the tables change.
    fn select(&mut self, fragments: &mut Vec<Fragment>) {
        let streams = self.tables.streams();
        let pictures = streams.iter().find(|stream| stream.is_video());
        let played = pictures
            .filter(|stream| codec::is_h264(stream))
            .map(|stream| stream.pid);
        let unseen = pictures.filter(|_| played.is_none());
        let sounds = || streams.iter().filter(|stream| codec::is_sound(stream));
        let heard = sounds().find(|stream| codec::is_aac(stream));
        let unheard = sounds().next().filter(|_| heard.is_none());
        // Nobody wants to hear what he cannot see.
        let heard = heard.filter(|_| unseen.is_none()).map(|stream| stream.pid);
        let other = [unseen, unheard];
        let unsupported: Vec<String> = other.into_iter().flatten().map(codec::name).collect();
        let same = self.pictures.as_ref().map(|track| track.pid) == played
            && self.sound.as_ref().map(|track| track.pid) == heard;
        if same && self.unsupported == unsupported {
            return;
        }
        self.cut(fragments);
        self.unsupported = unsupported;
        self.pictures = played.map(PictureTrack::new);
        self.sound = heard.map(SoundTrack::new);
        self.init = None;
    }

    fn picture_packet(&mut self, packet: &Packet, fragments: &mut Vec<Fragment>) {
        let Some(track) = &mut self.pictures else {
            return;
        };
        let Some(unit) = track.assembler.push(packet) else {
            return;
        };
        let Some(picture) = track.take(&unit) else {
            return;
        };
        if picture.sync {
            // Before it, so that a fragment begins where a decoder can start.
            self.cut(fragments);
            self.renew(fragments);
        }
        let Some(track) = &mut self.pictures else {
            return;
        };
        let time = self.timeline.lead(unit.at, track.duration);
        track.ready.push(Sample {
            time: time as u64,
            duration: track.duration as u32,
            offset: timeline::difference(unit.at.pts, unit.at.dts).clamp(0, DURATION_MAX) as i32,
            sync: picture.sync,
            payload: picture.payload,
        });
        if let Some(sound) = &mut self.sound {
            sound.silence += track.duration;
        }
        if self.init.is_none() {
            self.renew(fragments);
        }
    }

    fn sound_packet(&mut self, packet: &Packet, fragments: &mut Vec<Fragment>) {
        let Some(track) = &mut self.sound else { return };
        for frame in track.frames.push(packet) {
            if self.pictures.is_none() {
                let at = crate::ts::packet::Timestamps {
                    pts: frame.at,
                    dts: frame.at,
                };
                self.timeline.lead(at, 0);
            }
            let Some(time) = self.timeline.follow(frame.at) else {
                continue;
            };
            let Some(track) = &mut self.sound else { return };
            if track.config != Some(frame.config) {
                track.config = Some(frame.config);
                track.end = None;
                if self.init.is_some() {
                    self.cut(fragments);
                }
                self.renew(fragments);
            }
            if let Some(track) = &mut self.sound {
                track.add(time, frame);
            }
        }
    }

    /// Notes when the newest of the leading track came in at its source.
    fn refer(&mut self, unix_ms: u64) {
        let media_time = match (&self.pictures, &self.sound) {
            (Some(track), _) => track
                .assembler
                .coming_at()
                .and_then(|at| self.timeline.follow(at.dts)),
            (None, Some(track)) => track.end,
            (None, None) => None,
        };
        self.reference = media_time.and_then(|time| {
            Some(Reference {
                unix_ms,
                media_time: u64::try_from(time).ok()?,
            })
        });
    }

    /// Makes a fragment of what is ready, if it is known what a player needs before it.
    fn cut(&mut self, fragments: &mut Vec<Fragment>) {
        let waiting = |samples: &[Sample]| samples.iter().map(|s| s.payload.len()).sum::<usize>();
        let pictures = self.pictures.as_mut().map(|track| &mut track.ready);
        let sound = self.sound.as_mut().map(|track| &mut track.ready);
        let Some(init) = &self.init else {
            let bytes = pictures.as_ref().map_or(0, |ready| waiting(ready))
                + sound.as_ref().map_or(0, |ready| waiting(ready));
            if bytes > WAITING_BYTES_MAX {
                self.drop_waiting();
            }
            return;
        };
        let pictures = pictures.map(std::mem::take).unwrap_or_default();
        let mut sound = sound.map(std::mem::take).unwrap_or_default();
        if init.audio.is_none() {
            sound.clear();
        }
        if pictures.is_empty() && sound.is_empty() {
            return;
        }
        let random_access = match init.video {
            Some(_) => pictures.first().is_some_and(|first| first.sync),
            None => true,
        };
        // Players count modulo 2^32 if at all.
        let sequence = self.number as u32;
        match boxes::fragment(sequence, self.reference, &pictures, &sound) {
            Ok(bytes) => {
                fragments.push(Fragment {
                    number: self.number,
                    init: init.clone(),
                    bytes,
                    random_access,
                });
                self.number += 1;
            }
            Err(error) => debug!("a fragment is left out: {error}"),
        }
    }

    fn drop_waiting(&mut self) {
        if let Some(track) = &mut self.pictures {
            track.ready.clear();
            track.wants_sync = true;
        }
        if let Some(track) = &mut self.sound {
            track.ready.clear();
        }
    }

    /// Says anew what a player needs, if that has changed.
    fn renew(&mut self, fragments: &mut Vec<Fragment>) {
        let video = self.pictures.as_ref().map(|track| track.config.as_ref());
        let Some(video) = video.map_or(Some(None), |config| config.map(Some)) else {
            return;
        };
        let audio = match self.audio_config() {
            Ok(audio) => audio,
            Err(Undecided) => return,
        };
        if video.is_none() && audio.is_none() {
            return;
        }
        let Ok(bytes) = boxes::init(video, audio.as_ref()) else {
            return;
        };
        if self.init.as_ref().is_some_and(|init| init.bytes == bytes) {
            return;
        }
        let init = Init {
            codecs: boxes::codecs(video, audio.as_ref()),
            video: video.map(|config| Video {
                width: config.width,
                height: config.height,
            }),
            audio: audio.map(|config| Audio {
                sample_rate: config.sample_rate,
                channels: config.channels,
            }),
            bytes,
        };
        let before = self.init.replace(Arc::new(init));
        if before.is_none() {
            // What waited for it.
            self.cut(fragments);
        }
    }

    /// What decodes the sound; nothing if there is none or none comes.
    fn audio_config(&self) -> Result<Option<aac::Config>, Undecided> {
        let Some(sound) = &self.sound else {
            return Ok(None);
        };
        match sound.config {
            _ if sound.silence > SOUND_WAIT => Ok(None),
            Some(config) => Ok(Some(config)),
            None => Err(Undecided),
        }
    }
}

/// The first frame of sound may still come.
struct Undecided;

#[cfg(test)]
mod tests;
