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
    let codec = |moov: &Moov, track: usize| moov.trak[track].mdia.minf.stbl.stsd.codecs[0].clone();
    let moov = moov.unwrap();
    assert!(matches!(codec(&moov, 0), Codec::Avc1(_)) && matches!(codec(&moov, 1), Codec::Mp4a(_)));
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
