//! From bytes to segments: reading a source, keeping its pace, cutting it.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`source`] | where bytes come from: standard input, a file, the bundled clip, once or in a loop |
//! | [`live`] | sources that are sent here while they happen: UDP, and SRT and RTMP through ffmpeg |
//! | [`transport_stream`] | MPEG-TS at the pace of its own clock |
//! | [`raw`] | any bytes, at the pace at which they come |
//! | [`publish`] | segments under numbers that were never used |
//! | [`segmenter`] | where a transport stream is cut |
//! | [`looping`] | how its end is joined to its beginning |
//! | [`padding`] | how it is filled up to a rate |

pub mod limits;
pub mod live;
pub mod looping;
mod pace;
pub mod padding;
pub mod publish;
pub mod raw;
pub mod segmenter;
pub mod source;
pub mod transport_stream;

use crate::{config::Rate, ts::framing::FramingError};
use bytes::Bytes;
use futures::Stream;
use hamlet_overlay::{genesis::Parameters, io::Cut};
use serde::{Deserialize, Serialize};
use std::{io, pin::Pin, time::SystemTime};
use tokio::sync::mpsc;

/// The bundled clip: a test picture with a running clock and a pip every second, 8 s of MPEG-TS. How it
/// was made is in `assets/README.md`.
pub const CLIP: &[u8] = include_bytes!("../../assets/clip.ts");

/// The bytes of a source, as they come.
pub type Input = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a source's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// MPEG-TS: paced by its own clock and cut where decoders can start
    #[default]
    Ts,
    /// MPEG-TS that comes at its own pace, from an encoder: passed on as it comes
    LiveTs,
    /// Any bytes: read as fast as they come, up to the rate
    Bytes,
}

/// How a source is to be cut and paced.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What its bytes are.
    pub format: Format,
    /// The rate that a transport stream is filled up to, or that bytes are read at, in bits per second.
    pub bits_per_s: Option<u64>,
    /// When a segment is cut.
    pub limits: limits::Limits,
}

impl Options {
    /// The options for a stream in a network with these parameters, whose certificate allows this
    /// rate. Bytes are read a little below what is allowed, so that no burst exceeds it.
    pub fn new(
        format: Format,
        rate: Option<Rate>,
        parameters: &Parameters,
        allowed: Rate,
    ) -> Options {
        let bits_per_s = match format {
            Format::Ts | Format::LiveTs => rate.map(|rate| rate.bits_per_s),
            Format::Bytes => {
                let below = (allowed.bits_per_s / 10 * 9).max(8);
                Some(rate.map_or(below, |rate| rate.bits_per_s))
            }
        };
        let bytes_max = parameters.max_segment_bytes(allowed.bits_per_s);
        Options {
            format,
            bits_per_s,
            limits: limits::Limits::new(parameters.segment(), parameters.k, bytes_max),
        }
    }
}

/// What a source held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Segments cut.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the input that belonged to no packet and were left out.
    pub skipped_bytes: u64,
    /// Whether the input ended inside a packet.
    pub truncated: bool,
}

/// Why a source could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It is not what it was said to be.
    #[error(
        "the input is not MPEG-TS: {0}; convert it with `ffmpeg -i INPUT -c copy -f mpegts OUTPUT`, or publish it as it is with `--format bytes`"
    )]
    Framing(#[from] FramingError),
    /// There is no time in it.
    #[error(
        "the input has no clock (PCR) in its first {packets} packets, so its pace is unknown; write it anew with `ffmpeg -i INPUT -c copy -f mpegts OUTPUT`"
    )]
    NoClock {
        /// How many packets were looked at.
        packets: u64,
    },
    /// It broke off.
    #[error("the input cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Nobody takes its segments any more.
    #[error("the publishing peer has stopped")]
    Closed,
}

/// Reads a source to its end and sends its segments, waiting whenever `cuts` is full.
///
/// # Errors
/// If the input cannot be read, is not what it was said to be, or the receiver is gone.
pub async fn run(
    input: Input,
    options: Options,
    cuts: mpsc::Sender<Cut>,
) -> Result<Summary, IngestError> {
    let outlet = Outlet {
        cuts,
        summary: Summary::default(),
    };
    match options.format {
        Format::Ts | Format::LiveTs => transport_stream::run(input, options, outlet).await,
        Format::Bytes => raw::run(input, options, outlet).await,
    }
}

/// Where segments go out, and what was sent so far.
struct Outlet {
    cuts: mpsc::Sender<Cut>,
    summary: Summary,
}

impl Outlet {
    async fn send(&mut self, payload: Bytes, random_access: bool) -> Result<(), IngestError> {
        self.summary.segments += 1;
        self.summary.bytes += payload.len() as u64;
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let cut = Cut {
            payload,
            random_access,
            cut_unix_ms: since_1970.map_or(0, |since| since.as_millis() as u64),
        };
        self.cuts.send(cut).await.map_err(|_| IngestError::Closed)
    }
}
