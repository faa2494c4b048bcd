//! H.264: from the byte stream of a transport stream (annex B) to the access units that MP4 holds.
//!
//! A PES payload with a timestamp holds one access unit, as broadcasting asks for and every common muxer does
//! it (ETSI TS 101 154, 4.1.5). Delimiters and filler data are left out, and so are parameter sets: they are
//! what the decoder is configured with.

use super::{boxes::Format, units::Unit};
use crate::ts::packet::Timestamps;
use h264_reader::{
    nal::{Nal, RefNal, UnitType, sps::SeqParameterSet},
    rbsp::BitRead as _,
};

/// What a decoder has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The sequence parameter set, without start code.
    pub sps: Vec<u8>,
    /// The picture parameter sets, in the order of their first appearance.
    pub pps: Vec<Vec<u8>>,
    /// The picture's width in pixels.
    pub width: u16,
    /// The picture's height in pixels.
    pub height: u16,
    /// Pictures per 1000 seconds, if the stream says so.
    pub frames_per_1000_s: Option<u32>,
    /// The codec's name as browsers know it (RFC 6381).
    pub codec: String,
    /// How the picture's samples are coded.
    pub format: Format,
}

/// One picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// When to show and decode it, in 90 kHz ticks of its source.
    pub at: Timestamps,
    /// Its slices and supplemental information, each after its length in four bytes.
    pub payload: Vec<u8>,
    /// Whether a decoder can start with it.
    pub sync: bool,
}

/// More picture parameter sets than streams have; there could be 256 (H.264, 7.4.2.2).
const PPS_MAX: usize = 32;
/// A longer parameter set has no room in MP4.
const PARAMETERS_BYTES_MAX: usize = u16::MAX as usize;

/// Makes pictures of PES payloads, and keeps the parameter sets.
#[derive(Debug, Default)]
pub struct Pictures {
    sps: Option<(Vec<u8>, SeqParameterSet)>,
    pps: Vec<Vec<u8>>,
}

impl Pictures {
    /// The picture of this unit, if there is one in it.
    pub fn push(&mut self, unit: &Unit) -> Option<Picture> {
        let mut picture = Picture {
            at: unit.at,
            payload: Vec::with_capacity(unit.payload.len() + 16),
            sync: false,
        };
        let mut has_slice = false;
        for nal in nal_units(&unit.payload) {
            let Ok(header) = RefNal::new(nal, &[], true).header() else {
                continue;
            };
            match header.nal_unit_type() {
                UnitType::SeqParameterSet => self.take_sps(nal),
                UnitType::PicParameterSet => self.take_pps(nal),
                UnitType::AccessUnitDelimiter
                | UnitType::FillerData
                | UnitType::EndOfSeq
                | UnitType::EndOfStream => {}
                kind => {
                    has_slice |= matches!(kind.id(), 1..=5);
                    picture.sync |= kind == UnitType::SliceLayerWithoutPartitioningIdr;
                    let length = nal.len() as u32;
                    picture.payload.extend_from_slice(&length.to_be_bytes());
                    picture.payload.extend_from_slice(nal);
                }
            }
        }
        has_slice.then_some(picture)
    }

    /// What a decoder has to know, once it is known.
    pub fn config(&self) -> Option<Config> {
        let (bytes, sps) = self.sps.as_ref()?;
        if self.pps.is_empty() {
            return None;
        }
        let (width, height) = sps.pixel_dimensions().ok()?;
        let fps = sps.fps().filter(|fps| (0.1..=1000.0).contains(fps));
        Some(Config {
            sps: bytes.clone(),
            pps: self.pps.clone(),
            width: width.try_into().ok()?,
            height: height.try_into().ok()?,
            frames_per_1000_s: fps.map(|fps| (fps * 1000.0).round() as u32),
            codec: sps.rfc6381().to_string(),
            format: Format {
                chroma_format: u8::try_from(sps.chroma_info.chroma_format.to_u32()).ok()?,
                bit_depth_luma: sps.chroma_info.bit_depth_luma_minus8 + 8,
                bit_depth_chroma: sps.chroma_info.bit_depth_chroma_minus8 + 8,
                sequence_parameter_sets_ext: Vec::new(),
            },
        })
    }

    fn take_sps(&mut self, nal: &[u8]) {
        let known = self.sps.as_ref().is_some_and(|(known, _)| known == nal);
        if known || nal.len() > PARAMETERS_BYTES_MAX {
            return;
        }
        let read = RefNal::new(nal, &[], true).rbsp_bits();
        if let Ok(sps) = SeqParameterSet::from_bits(read) {
            self.sps = Some((nal.to_vec(), sps));
            // Picture parameter sets refer to it, so they come again.
            self.pps.clear();
        }
    }

    fn take_pps(&mut self, nal: &[u8]) {
        let Some(id) = pps_id(nal).filter(|_| nal.len() <= PARAMETERS_BYTES_MAX) else {
            return;
        };
        match self.pps.iter().position(|pps| pps_id(pps) == Some(id)) {
            Some(at) => self.pps[at] = nal.to_vec(),
            None if self.pps.len() < PPS_MAX => self.pps.push(nal.to_vec()),
            None => {}
        }
    }
}

fn pps_id(nal: &[u8]) -> Option<u32> {
    let mut bits = RefNal::new(nal, &[], true).rbsp_bits();
    bits.read_ue("pic_parameter_set_id").ok()
}

/// The NAL units of a byte stream (H.264, annex B), none of them empty.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = bytes
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == [0, 0, 1])
        .map(|(at, _)| at);
    let mut starts = starts.peekable();
    std::iter::from_fn(move || {
        let begin = starts.next()? + 3;
        let end = starts.peek().copied().unwrap_or(bytes.len());
        let unit = bytes.get(begin..end).unwrap_or_default();
        // Zeros before the next start code belong to neither; a unit never ends with one.
        let length = unit
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        Some(&unit[..length])
    })
    .filter(|unit| !unit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 64 × 64, from the tests of x264's output: high profile, level 1.0.
    const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x0a, 0xac, 0x72, 0x84, 0x44, 0x26, 0x84, 0x00, 0x00, 0x03, 0x00, 0x04,
        0x00, 0x00, 0x03, 0x00, 0xca, 0x3c, 0x48, 0x96, 0x11, 0x80,
    ];
    const PPS: &[u8] = &[0x68, 0xe8, 0x43, 0x8f, 0x13, 0x21, 0x30];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        let coded = units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat());
        coded.collect()
    }

    fn unit(payload: Vec<u8>, pts: u64) -> Unit {
        let at = Timestamps { pts, dts: pts };
        Unit { at, payload }
    }

    #[test]
    fn parameter_sets_configure_and_slices_make_pictures() {
        let mut pictures = Pictures::default();
        let idr: &[u8] = &[0x65, 0x88, 1, 2];
        let second: &[u8] = &[0x65, 0x40, 3, 4];
        let bytes = stream(&[&[9, 0xf0], SPS, PPS, &[6, 5, 1, 0, 0x80], idr, second]);
        let found = pictures.push(&unit(bytes, 3000)).unwrap();
        assert!(found.sync);
        // The information and both slices, each with its length.
        assert_eq!(found.payload.len(), 3 * 4 + 5 + 4 + 4);
        let config = pictures.config().unwrap();
        assert_eq!((config.width, config.height), (64, 64));
        assert_eq!(config.codec.to_lowercase(), "avc1.64000a");
        assert_eq!(config.pps, [PPS.to_vec()]);
        let bytes = stream(&[&[9, 0xf0], &[0x41, 0x9a, 7]]);
        let next = pictures.push(&unit(bytes, 6000)).unwrap();
        assert!(!next.sync && next.at.pts == 6000);
        assert_eq!(pictures.push(&unit(stream(&[&[9, 0xf0]]), 9000)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(
            bytes in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(0x67), 1 => Just(0x68), 3 => any::<u8>()], 0..600),
        ) {
            let mut pictures = Pictures::default();
            pictures.push(&unit(bytes, 0));
            let _ = pictures.config();
        }

        #[test]
        fn units_come_apart_as_they_were_put_together(
            units in prop::collection::vec(prop::collection::vec(1u8.., 1..20), 1..10),
        ) {
            let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
            let bytes = stream(&slices);
            prop_assert_eq!(nal_units(&bytes).collect::<Vec<_>>(), slices);
        }
    }
}
