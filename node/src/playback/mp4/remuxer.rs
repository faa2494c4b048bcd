//! Segments in, fragments out.

use super::{
    Audio, Fragment, Init, Video, aac,
    boxes::{self, Reference, Sample},
    codec, h264,
    timeline::{self, Timeline},
    units::{Assembler, Unit},
};
use crate::ts::{
    packet::{PACKET_BYTES, PTS_HZ, Packet},
    tables::Tables,
};
use hamlet_overlay::io::Segment;
use std::sync::Arc;
use tracing::debug;

/// How long the first frame of sound is waited for, in 90 kHz ticks of the pictures; after as long without
/// sound in mid-stream the pictures go on alone.
const SOUND_WAIT: i64 = 3 * PTS_HZ as i64;
/// How far a frame of sound may be from where the one before ended and still follow it without a hole, in
/// 90 kHz ticks: timestamps are rounded, to milliseconds by some sources.
const SOUND_JITTER: i64 = 20 * PTS_HZ as i64 / 1000;
/// How long a picture lasts until another one has shown it, in 90 kHz ticks.
const USUAL_DURATION: i64 = PTS_HZ as i64 / 25;
/// A longer step between two pictures is a hole, not a picture that stays.
const DURATION_MAX: i64 = 2 * PTS_HZ as i64;
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

#[derive(Debug)]
struct PictureTrack {
    pid: u16,
    assembler: Assembler,
    pictures: h264::Pictures,
    config: Option<h264::Config>,
    /// Whether pictures are left out until one with which a decoder can start.
    wants_sync: bool,
    /// How long the last picture lasted, in 90 kHz ticks.
    duration: i64,
    ready: Vec<Sample>,
}

#[derive(Debug)]
struct SoundTrack {
    pid: u16,
    frames: aac::Frames,
    config: Option<aac::Config>,
    /// Where the last frame ended, in samples of the stream's own time.
    end: Option<i64>,
    /// How long the pictures have been that came since the last frame, in 90 kHz ticks.
    silence: i64,
    ready: Vec<Sample>,
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

impl PictureTrack {
    fn new(pid: u16) -> PictureTrack {
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
    fn take(&mut self, unit: &Unit) -> Option<h264::Picture> {
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
    fn new(pid: u16) -> SoundTrack {
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
    fn add(&mut self, time: i64, frame: aac::Frame) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ingest::{CLIP, limits::Limits, segmenter::Segmenter},
        ts::{clock::Clock, fixtures},
    };
    use mp4_atom::{Any, Codec, DecodeMaybe, Moov, Traf};
    use proptest::prelude::*;
    use std::time::Duration;

    /// A transport stream as segments of a quarter second.
    fn segments(bytes: &[u8]) -> Vec<Segment> {
        let limits = Limits::new(Duration::from_millis(250), 4, 1 << 20);
        let (mut segmenter, mut tables, mut clock) =
            (Segmenter::new(limits), Tables::default(), Clock::default());
        let mut pieces = Vec::new();
        for bytes in bytes.as_chunks::<PACKET_BYTES>().0 {
            let packet = Packet::new(*bytes).unwrap();
            tables.observe(&packet);
            if let Some(pcr) = packet.pcr() {
                clock.observe(pcr, false);
            }
            pieces.extend(segmenter.push(packet, clock.elapsed(), &tables));
        }
        pieces.extend(segmenter.cut(clock.elapsed()));
        (0..)
            .zip(pieces)
            .map(|(number, piece)| Segment {
                stream: 0,
                number,
                payload: vec![piece.payload],
                random_access: piece.random_access,
                discontinuity: false,
                cut_unix_ms: 1_700_000_000_000 + number * 250,
            })
            .collect()
    }

    fn boxes(mut bytes: &[u8]) -> Vec<Any> {
        std::iter::from_fn(|| Any::decode_maybe(&mut bytes).unwrap()).collect()
    }

    /// The runs of samples of a track: when each begins, how long it lasts, how many samples it has.
    fn runs(fragments: &[Fragment], track: u32) -> Vec<(u64, u64, usize)> {
        let trafs = fragments.iter().flat_map(|fragment| boxes(&fragment.bytes));
        let trafs = trafs.flat_map(|found| match found {
            Any::Moof(moof) => moof.traf,
            _ => Vec::new(),
        });
        let run = |traf: Traf| {
            let samples: Vec<_> = traf
                .trun
                .iter()
                .flat_map(|run| run.samples.iter())
                .collect();
            let durations = samples.iter().filter_map(|sample| sample.duration);
            let begin = traf.tfdt.unwrap().base_media_decode_time;
            (begin, durations.map(u64::from).sum(), samples.len())
        };
        trafs
            .filter(|traf| traf.tfhd.track_id == track)
            .map(run)
            .collect()
    }

    fn unbroken(runs: &[(u64, u64, usize)]) -> bool {
        runs.windows(2).all(|two| two[0].0 + two[0].1 == two[1].0)
    }

    fn remux(remuxer: &mut Remuxer, segments: &[Segment]) -> Vec<Fragment> {
        let push = |segment| remuxer.push(segment, false);
        segments.iter().flat_map(push).collect()
    }

    #[test]
    fn all_pictures_and_all_sound_of_the_clip_come_out_without_a_break() {
        let mut remuxer = Remuxer::default();
        let fragments = remux(&mut remuxer, &segments(CLIP));
        let init = remuxer.init().unwrap();
        assert_eq!(init.codecs, "avc1.640032,mp4a.40.2");
        let size = init.video.unwrap();
        assert_eq!((size.width, size.height), (1280, 720));
        assert_eq!(init.audio.unwrap().sample_rate, 48_000);
        assert_eq!(remuxer.fps(), Some(30.0));
        let (pictures, sound) = (runs(&fragments, 1), runs(&fragments, 2));
        assert!(unbroken(&pictures) && unbroken(&sound));
        let count = |runs: &[(u64, u64, usize)]| runs.iter().map(|run| run.2).sum::<usize>();
        // The last picture is complete only once another one begins.
        assert_eq!((count(&pictures), count(&sound)), (239, 375));
        assert_eq!(
            fragments
                .iter()
                .filter(|fragment| fragment.random_access)
                .count(),
            8
        );
        let moov = boxes(&init.bytes)
            .into_iter()
            .find_map(|found| match found {
                Any::Moov(moov) => Some(moov),
                _ => None,
            });
        let codec =
            |moov: &Moov, track: usize| moov.trak[track].mdia.minf.stbl.stsd.codecs[0].clone();
        let moov = moov.unwrap();
        assert!(
            matches!(codec(&moov, 0), Codec::Avc1(_)) && matches!(codec(&moov, 1), Codec::Mp4a(_))
        );
    }

    #[test]
    fn fragments_say_when_their_source_had_them() {
        let fragments = remux(&mut Remuxer::default(), &segments(CLIP));
        let references: Vec<_> = fragments
            .iter()
            .flat_map(|fragment| boxes(&fragment.bytes))
            .filter_map(|found| match found {
                Any::Prft(prft) => Some((prft.ntp_timestamp >> 32, prft.media_time)),
                _ => None,
            })
            .collect();
        assert!(references.len() > 20);
        for two in references.windows(2) {
            // Seconds by the source's clock, and ticks of the pictures.
            let apart = (two[1].0 - two[0].0) as i64 * 90_000 - (two[1].1 - two[0].1) as i64;
            assert!(apart.abs() <= 100_000, "{references:?}");
        }
    }

    #[test]
    fn after_a_hole_pictures_wait_for_a_key_frame_and_time_goes_on() {
        let segments = segments(CLIP);
        let mut remuxer = Remuxer::default();
        let before = remux(&mut remuxer, &segments[..10]);
        let starts: Vec<bool> = segments
            .iter()
            .map(|segment| segment.random_access)
            .collect();
        let hole = (12..).find(|&at| !starts[at]).unwrap();
        let mut after = remuxer.push(&segments[hole], true);
        after.extend(remux(&mut remuxer, &segments[hole + 1..]));
        let first = after
            .iter()
            .find(|fragment| !runs(std::slice::from_ref(fragment), 1).is_empty());
        assert!(first.unwrap().random_access);
        let (before, after) = (runs(&before, 1), runs(&after, 1));
        let (end, start) = (before.last().unwrap(), after[0]);
        assert!(start.0 > end.0 + end.1 && start.0 < end.0 + end.1 + 3 * 90_000);
        assert!(unbroken(&before) && unbroken(&after));
    }

    #[test]
    fn a_source_that_begins_again_goes_on_without_a_break() {
        let segments = segments(CLIP);
        let mut remuxer = Remuxer::default();
        let mut fragments = remux(&mut remuxer, &segments);
        let init = remuxer.init().unwrap().clone();
        fragments.extend(remuxer.push(&segments[0], true));
        fragments.extend(remux(&mut remuxer, &segments[1..]));
        assert!(Arc::ptr_eq(remuxer.init().unwrap(), &init));
        let pictures = runs(&fragments, 1);
        assert!(unbroken(&pictures), "{pictures:?}");
        // Only a little sound is lost where the two meet.
        let frames: usize = runs(&fragments, 2).iter().map(|run| run.2).sum();
        assert!(frames > 2 * 375 - 50, "{frames}");
    }

    /// The clip with other types in its table of streams.
    fn relabelled(video: u8, audio: u8) -> Vec<u8> {
        let mut bytes = CLIP.to_vec();
        for packet in bytes.as_chunks_mut::<PACKET_BYTES>().0 {
            let read = Packet::new(*packet).unwrap();
            if read.pid() == fixtures::PMT_PID {
                *packet = *fixtures::pmt_of(read.continuity(), video, audio).bytes();
            }
        }
        bytes
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let mut remuxer = Remuxer::default();
        assert!(remux(&mut remuxer, &segments(&relabelled(0x24, 0x0f))).is_empty());
        assert_eq!(
            remuxer.unsupported(),
            (&["H.265 (HEVC)".to_owned()][..], true)
        );
        let mut remuxer = Remuxer::default();
        let fragments = remux(&mut remuxer, &segments(&relabelled(0x1b, 0x03)));
        assert!(!fragments.is_empty());
        assert_eq!(
            remuxer.unsupported(),
            (&["MPEG audio (MP2 or MP3)".to_owned()][..], false)
        );
        assert_eq!(remuxer.init().unwrap().codecs, "avc1.640032");
    }

    #[test]
    fn pictures_do_not_wait_for_sound_that_never_comes() {
        let mut bytes = CLIP.to_vec();
        for packet in bytes.as_chunks_mut::<PACKET_BYTES>().0 {
            if Packet::new(*packet).unwrap().pid() == fixtures::AUDIO_PID {
                *packet = *Packet::null().bytes();
            }
        }
        let mut remuxer = Remuxer::default();
        let fragments = remux(&mut remuxer, &segments(&bytes));
        assert_eq!(remuxer.init().unwrap().codecs, "avc1.640032");
        let pictures: usize = runs(&fragments, 1).iter().map(|run| run.2).sum();
        assert_eq!(pictures, 239);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn damage_breaks_nothing(
            damage in prop::collection::vec((0..CLIP.len(), any::<u8>()), 1..400), from in 0usize..20,
        ) {
            let mut bytes = CLIP.to_vec();
            for (at, with) in damage {
                // Sync bytes stay: what has none is not cut into packets at all.
                if at % PACKET_BYTES != 0 {
                    bytes[at] = with;
                }
            }
            let segments = segments(&bytes);
            let mut remuxer = Remuxer::default();
            for (at, segment) in segments.iter().enumerate().skip(from.min(segments.len())) {
                for fragment in remuxer.push(segment, at % 7 == 0) {
                    prop_assert!(fragment.bytes.len() < 4 * CLIP.len());
                }
            }
        }

        #[test]
        fn any_bytes_can_be_remuxed(
            packets in prop::collection::vec((0usize..4, any::<bool>(), prop::collection::vec(any::<u8>(), 184)), 0..60),
        ) {
            let mut remuxer = Remuxer::default();
            let mut payload = [*fixtures::pat(0).bytes(), *fixtures::pmt(0).bytes()].concat();
            for (counter, (pid, start, body)) in packets.into_iter().enumerate() {
                let pid = [0, fixtures::PMT_PID, fixtures::VIDEO_PID, fixtures::AUDIO_PID][pid];
                payload.extend([0x47, (pid >> 8) as u8 | u8::from(start) << 6, pid as u8, 0x10 | (counter & 15) as u8]);
                payload.extend(body);
            }
            let segment = Segment {
                stream: 0, number: 0, payload: vec![payload.into()], random_access: true, discontinuity: false, cut_unix_ms: u64::MAX,
            };
            remuxer.push(&segment, false);
            remuxer.push(&segment, true);
        }
    }
}
