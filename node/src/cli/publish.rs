//! `hamlet publish`

use super::{folder::FolderArguments, logs, output, signals};
use crate::{
    config::{LogSettings, Rate},
    control::client::Client,
    data::FolderError,
    failure::{Failure, Kind},
    ingest::{Format, Input, publish::Published, source},
    service::Node,
};
use clap::Args;
use futures::StreamExt;
use std::{
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(10);

/// Publish a source as the stream of a data folder's peer
///
/// Goes through the node that runs in the data folder; if none runs there, this command runs it itself for
/// as long as the source lasts. The genesis must list the peer under its publishers.
///
/// MPEG-TS is published at the pace of its own clock and cut where decoders can start. A live source sends it to
/// this command by UDP, or by SRT or RTMP (so does OBS: Settings, Stream, Custom), which takes an ffmpeg:
///
///     hamlet publish rtmp://127.0.0.1/live/stream
///     hamlet publish 'srt://0.0.0.0:9000?passphrase=SECRET-OF-TEN-CHARACTERS'
///     hamlet publish udp://127.0.0.1:5004
///
/// It may leave and return; the stream goes on. Whoever reaches the address can publish there. To publish
/// something else, let ffmpeg make it:
///
///     ffmpeg -re -i INPUT -c:v libx264 -g 30 -keyint_min 30 -sc_threshold 0 -c:a aac -f mpegts - | hamlet publish -
///
/// With --format bytes any bytes are published as they come, up to the rate.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// The file to publish, - for standard input, or udp://, srt:// or rtmp:// and where to listen
    #[arg(required_unless_present = "clip")]
    input: Option<PathBuf>,
    /// Publish the bundled test clip, again and again
    #[arg(long, conflicts_with_all = ["input", "repeat", "format"])]
    clip: bool,
    /// What the input is [default: ts, or live-ts for an address]
    #[arg(long)]
    format: Option<Format>,
    /// The ffmpeg that takes SRT and RTMP
    #[arg(long, env = "HAMLET_FFMPEG", value_name = "PROGRAM", default_value = source::FFMPEG)]
    ffmpeg: PathBuf,
    /// Play an MPEG-TS file again and again, without a seam
    #[arg(long = "loop")]
    repeat: bool,
    /// Pad MPEG-TS with null packets up to this rate, or read bytes no faster than this, e.g. 1Mbit
    #[arg(long, env = "HAMLET_RATE", value_name = "RATE")]
    rate: Option<Rate>,
    /// Write what came of it as JSON to this file; - is standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArguments,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.folder.config()?;
    logs::begin(log, &file);
    let (input, format) = arguments.open().await?;
    let input = with_progress(input);
    let folder = arguments.folder.folder();
    let settings = arguments.folder.passing_settings(file);
    let published = match Node::start(&folder, &settings).await {
        Ok(node) => {
            node.log_start();
            let publisher = node.publisher();
            let published = tokio::select! {
                published = publisher.publish(input, format, arguments.rate) => {
                    published.map(Some).map_err(Failure::from)
                }
                interrupted = signals::interrupted() => interrupted
                    .map(|()| None)
                    .map_err(|error| Failure::new(Kind::Failed, error)),
            };
            node.stop(&folder).await;
            published?
        }
        Err(failure) if failure == FolderError::InUse(folder.path().to_owned()).into() => {
            let client = Client::of_starting(&folder).await?;
            info!(
                "publishing through the node that runs in {}",
                folder.path().display()
            );
            tokio::select! {
                published = client.publish(input, format, arguments.rate) => Some(published?),
                interrupted = signals::interrupted() => {
                    interrupted.map_err(|error| Failure::new(Kind::Failed, error))?;
                    None
                }
            }
        }
        Err(failure) => return Err(failure),
    };
    match published {
        Some(published) => finish(arguments, &published),
        None => {
            info!("interrupted; publishing ends");
            Ok(())
        }
    }
}

impl Arguments {
    async fn open(&self) -> Result<(Input, Format), Failure> {
        let Some(path) = &self.input else {
            return Ok((source::clip(), Format::Ts));
        };
        let wrong = |error: &str| Err(Failure::new(Kind::Input, error));
        if self.repeat {
            if self.format == Some(Format::Bytes) {
                return wrong(
                    "--loop joins MPEG-TS by its timestamps, and bytes have none; leave one of the two out",
                );
            }
            if path.as_os_str() == "-" || path.to_str().is_some_and(|path| path.contains("://")) {
                return wrong(
                    "what is not a file cannot be played again; name a file, or leave --loop out",
                );
            }
            let opened = source::looped_file(path).await;
            let opened = opened.map_err(|error| source::SourceError::File {
                path: path.clone(),
                error,
            })?;
            return Ok((opened, Format::Ts));
        }
        if path.as_os_str() == "-" && std::io::stdin().is_terminal() {
            return wrong("standard input is a terminal; pipe a stream into it, or name a file");
        }
        let (input, format) = source::open(path, &self.ffmpeg).await?;
        Ok((input, self.format.unwrap_or(format)))
    }
}

/// Logs now and then how much was read.
fn with_progress(input: Input) -> Input {
    let (mut bytes, mut told) = (0u64, Instant::now());
    Box::pin(input.inspect(move |piece| {
        bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            info!(read_bytes = bytes, "publishing");
        }
    }))
}

fn finish(arguments: &Arguments, published: &Published) -> Result<(), Failure> {
    if let Some(path) = &arguments.json {
        output::json(path, published)?;
    }
    if published.source.skipped_bytes > 0 || published.source.truncated {
        warn!(
            skipped_bytes = published.source.skipped_bytes,
            truncated = published.source.truncated,
            "parts of the input were left out"
        );
    }
    let (dropped, taken) = (published.over_rate_segments, published.segments);
    if dropped == 0 {
        return Ok(());
    }
    let rate = Rate {
        bits_per_s: published.max_bits_per_s,
    };
    let error = format!(
        "{dropped} of {} segments were dropped: the stream is over the {rate} of its certificate; encode it at a lower rate, or found the network anew with a higher one",
        dropped + taken
    );
    Err(Failure::new(Kind::Refused, error))
}
