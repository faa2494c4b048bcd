//! Boxes of fragmented MP4 (ISO/IEC 14496-12), as Media Source Extensions take them.

use super::{
    aac::{self, FRAME_SAMPLES},
    h264,
};
use crate::ts::packet::PTS_HZ;
use bytes::Bytes;
use mp4_atom::{
    Atom, Audio, Avc1, Avcc, AvccExt, Codec, Dinf, Dref, DrefEntry, Encode, Ftyp, Hdlr, Mdhd, Mdia,
    Mfhd, Minf, Moof, Moov, Mp4a, Mvex, Mvhd, Prft, ReferenceTime, Smhd, Stbl, Stco, Stsd, Tfdt,
    Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Url, Visual, Vmhd,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig},
};

/// The number of the track with the pictures.
const VIDEO: u32 = 1;
/// The number of the track with the sound.
const AUDIO: u32 = 2;
/// The sample depends on no other (ISO/IEC 14496-12, 8.6.4).
const SYNC: u32 = 0x0200_0000;
/// The sample depends on others, and nothing can start with it.
const NOT_SYNC: u32 = 0x0101_0000;
/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_EPOCH_S: u64 = 2_208_988_800;

/// What the boxes could not hold.
#[derive(Debug, thiserror::Error)]
#[error("the stream does not fit into MP4: {0}")]
pub struct BoxError(#[from] mp4_atom::Error);

/// A sample of a track, ready to be written.
#[derive(Debug)]
pub struct Sample {
    /// When to decode it, in the track's own ticks.
    pub time: u64,
    /// How long it lasts, in the track's own ticks.
    pub duration: u32,
    /// By how much later than decoded it is shown, in the track's own ticks.
    pub offset: i32,
    /// Whether a decoder can start with it.
    pub sync: bool,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// When, by the source's clock, what is decoded at a time came in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The time by the source's clock, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The time of the leading track, in its own ticks.
    pub media_time: u64,
}

/// What a player needs before the first fragment.
///
/// # Errors
/// If a parameter set is too long for its box.
pub fn init(video: Option<&h264::Config>, audio: Option<&aac::Config>) -> Result<Bytes, BoxError> {
    let mut bytes = Vec::new();
    Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"mp41".into()],
    }
    .encode(&mut bytes)?;
    let tracks = [video.map(video_track), audio.map(audio_track)];
    let trex = |track_id| Trex {
        track_id,
        default_sample_description_index: 1,
        ..Trex::default()
    };
    let present = [video.map(|_| trex(VIDEO)), audio.map(|_| trex(AUDIO))];
    Moov {
        mvhd: Mvhd {
            timescale: 1000,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: AUDIO + 1,
            ..Mvhd::default()
        },
        mvex: Some(Mvex {
            mehd: None,
            trex: present.into_iter().flatten().collect(),
        }),
        trak: tracks.into_iter().flatten().collect(),
        ..Moov::default()
    }
    .encode(&mut bytes)?;
    Ok(bytes.into())
}

fn video_track(config: &h264::Config) -> Trak {
    let sps = |at: usize| config.sps.get(at).copied().unwrap_or_default();
    let profile = sps(1);
    let avcc = Avcc {
        configuration_version: 1,
        avc_profile_indication: profile,
        profile_compatibility: sps(2),
        avc_level_indication: sps(3),
        length_size: 4,
        sequence_parameter_sets: vec![config.sps.clone()],
        picture_parameter_sets: config.pps.clone(),
        // The high profiles tell it outside their parameter sets too (ISO/IEC 14496-15, 5.3.3.1.2).
        ext: matches!(profile, 100 | 110 | 122 | 144).then(|| config.format.clone()),
    };
    let entry = Avc1 {
        visual: Visual {
            data_reference_index: 1,
            width: config.width,
            height: config.height,
            ..Visual::default()
        },
        avcc,
        ..Avc1::default()
    };
    let mut track = track(VIDEO, PTS_HZ as u32, b"vide", Codec::Avc1(entry));
    track.tkhd.width = config.width.into();
    track.tkhd.height = config.height.into();
    track.mdia.minf.vmhd = Some(Vmhd::default());
    track
}

fn audio_track(config: &aac::Config) -> Trak {
    let entry = Mp4a {
        audio: Audio {
            data_reference_index: 1,
            channel_count: config.channels.into(),
            sample_size: 16,
            // The field has no room for more; decoders go by their own configuration.
            sample_rate: u16::try_from(config.sample_rate).unwrap_or_default().into(),
        },
        esds: mp4_atom::Esds {
            es_desc: EsDescriptor {
                es_id: 1,
                dec_config: DecoderConfig {
                    // Audio of ISO/IEC 14496-3, in an audio stream.
                    object_type_indication: 0x40,
                    stream_type: 5,
                    dec_specific: Some(DecoderSpecific {
                        profile: config.object_type,
                        freq_index: config.frequency_index,
                        chan_conf: config.channels,
                        raw: Vec::new(),
                    }),
                    ..DecoderConfig::default()
                },
                sl_config: SLConfig::default(),
                ..EsDescriptor::default()
            },
        },
        btrt: None,
        taic: None,
    };
    let mut track = track(AUDIO, config.sample_rate, b"soun", Codec::Mp4a(entry));
    track.tkhd.volume = 1.into();
    track.mdia.minf.smhd = Some(Smhd::default());
    track
}

fn track(track_id: u32, timescale: u32, handler: &[u8; 4], codec: Codec) -> Trak {
    Trak {
        tkhd: Tkhd {
            track_id,
            enabled: true,
            in_movie: true,
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale,
                language: "und".to_owned(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: handler.into(),
                name: "hamlet".to_owned(),
            },
            minf: Minf {
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                stbl: Stbl {
                    stsd: Stsd {
                        codecs: vec![codec],
                    },
                    stco: Some(Stco::default()),
                    ..Stbl::default()
                },
                ..Minf::default()
            },
        },
        ..Trak::default()
    }
}

/// A fragment with samples of one or both tracks.
///
/// # Errors
/// If the samples are too large for their boxes.
pub fn fragment(
    sequence_number: u32,
    reference: Option<Reference>,
    video: &[Sample],
    audio: &[Sample],
) -> Result<Bytes, BoxError> {
    let mut bytes = Vec::new();
    if let Some(reference) = reference {
        prft(reference, if video.is_empty() { AUDIO } else { VIDEO }).encode(&mut bytes)?;
    }
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number },
        traf: [(VIDEO, video), (AUDIO, audio)]
            .into_iter()
            .filter(|(_, samples)| !samples.is_empty())
            .map(|(track, samples)| traf(track, samples))
            .collect(),
    };
    // The offsets count from the box's beginning, and its length does not depend on them.
    let mut measured = Vec::new();
    moof.encode(&mut measured)?;
    let size = |samples: &[Sample]| -> usize { samples.iter().map(|s| s.payload.len()).sum() };
    let mut offset = measured.len() + 8;
    for (traf, samples) in moof.traf.iter_mut().zip(
        [video, audio]
            .into_iter()
            .filter(|samples| !samples.is_empty()),
    ) {
        for run in &mut traf.trun {
            run.data_offset = i32::try_from(offset).ok();
        }
        offset += size(samples);
    }
    moof.encode(&mut bytes)?;
    let length = 8 + size(video) + size(audio);
    let header = u32::try_from(length).map_err(|_| mp4_atom::Error::InvalidSize)?;
    bytes.reserve(length);
    bytes.extend_from_slice(&header.to_be_bytes());
    bytes.extend_from_slice(mp4_atom::Mdat::KIND.as_ref());
    for sample in video.iter().chain(audio) {
        bytes.extend_from_slice(&sample.payload);
    }
    Ok(bytes.into())
}

fn traf(track_id: u32, samples: &[Sample]) -> Traf {
    let entry = |sample: &Sample| TrunEntry {
        duration: Some(sample.duration),
        size: Some(sample.payload.len() as u32),
        flags: Some(if sample.sync { SYNC } else { NOT_SYNC }),
        cts: Some(sample.offset.into()),
    };
    Traf {
        tfhd: Tfhd {
            track_id,
            default_base_is_moof: true,
            ..Tfhd::default()
        },
        tfdt: Some(Tfdt {
            base_media_decode_time: samples.first().map_or(0, |sample| sample.time),
        }),
        trun: vec![Trun {
            data_offset: Some(0),
            samples: samples.iter().map(entry).collect::<Vec<_>>().into(),
        }],
        ..Traf::default()
    }
}

fn prft(reference: Reference, reference_track_id: u32) -> Prft {
    let seconds = (reference.unix_ms / 1000 + NTP_EPOCH_S) & u64::from(u32::MAX);
    let fraction = ((reference.unix_ms % 1000) << 32) / 1000;
    Prft {
        reference_track_id,
        ntp_timestamp: seconds << 32 | fraction,
        media_time: reference.media_time,
        utc_time_semantics: ReferenceTime::Input,
    }
}

/// How long a frame of sound lasts in its track's ticks, which are samples.
pub const AUDIO_DURATION: u32 = FRAME_SAMPLES;

/// The codecs as browsers know them (RFC 6381).
pub fn codecs(video: Option<&h264::Config>, audio: Option<&aac::Config>) -> String {
    let names = [
        video.map(|config| config.codec.to_lowercase()),
        audio.map(aac::Config::codec),
    ];
    names.into_iter().flatten().collect::<Vec<_>>().join(",")
}

/// What the high profiles tell a decoder outside their parameter sets.
pub type Format = AvccExt;
