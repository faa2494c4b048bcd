//! `hamlet watch`

mod player;
mod recording;

use super::{folder::FolderArguments, logs, output, signals};
use crate::{
    config::LogSettings,
    control::{
        client::Client,
        segments::{Decoder, Head, Part},
    },
    data::FolderError,
    failure::{Failure, Kind},
    service::Node,
    uri::{self, StreamUri},
};
use bytes::Bytes;
use clap::Args;
use futures::StreamExt;
use recording::Recording;
use serde::Serialize;
use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt},
    process::Child,
};
use tracing::{info, warn};

/// Write a stream to standard output or to a file, or play it
///
/// Goes through the node that runs in the data folder; if none runs there, this command runs it itself. What
/// is written is what the source published, to the byte, from a point where a decoder can start. Where
/// something is missing, the log says which segments.
///
///     hamlet watch --play
///     hamlet watch --record evening.ts | ffplay -
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// The stream; may be left out where the network has only one
    #[arg(value_name = "URI")]
    uri: Option<StreamUri>,
    /// Write to this file, replacing it; - is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Play it in mpv, or in VLC if there is no mpv
    #[arg(long, conflicts_with = "output")]
    play: bool,
    /// Keep what is played in this file too, replacing it; a full disk ends the recording, not the playing
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// At the end, write what was received as JSON to this file; - is standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArguments,
}

/// What was received.
#[derive(Debug, Default, Serialize)]
struct Watched {
    first_segment: Option<u64>,
    last_segment: Option<u64>,
    segments: u64,
    bytes: u64,
    /// The segments before which something is missing.
    gaps: Vec<u64>,
    /// What was recorded, in bytes; none if nothing was to be.
    recorded_bytes: Option<u64>,
}

/// Where a stream is written to.
struct Output {
    to: Box<dyn AsyncWrite + Send + Unpin>,
    /// The player that reads it; ended when dropped.
    _player: Option<Child>,
    recording: Option<Recording>,
    watched: Watched,
}

/// Why no more is written.
enum End {
    /// Nobody reads it any more.
    Closed,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for End {
    fn from(error: E) -> End {
        End::Failed(error.into())
    }
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.folder.config()?;
    logs::begin(log, &file);
    if arguments.output.as_os_str() == "-"
        && arguments
            .json
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-")
    {
        let error =
            "stream and result cannot both go to standard output; name a file for one of them";
        return Err(Failure::new(Kind::Failed, error));
    }
    let folder = arguments.folder.folder();
    let settings = arguments.folder.passing_settings(file);
    let mut output = Output::open(arguments).await?;
    let ended = match Node::start(&folder, &settings).await {
        Ok(node) => {
            node.log_start();
            let ended = arguments
                .until_end(through_own(&node, arguments.uri, &mut output))
                .await;
            node.stop(&folder).await;
            ended
        }
        Err(failure) if failure == FolderError::InUse(folder.path().to_owned()).into() => {
            if let Some(uri) = arguments.uri {
                uri.find(&folder.network()?)?;
            }
            let client = Client::of_starting(&folder).await?;
            info!(
                "watching through the node that runs in {}",
                folder.path().display()
            );
            arguments
                .until_end(through_running(&client, arguments.uri, &mut output))
                .await
        }
        Err(failure) => return Err(failure),
    };
    let (watched, recorded) = output.finish().await;
    if let Some(path) = &arguments.json {
        output::json(path, &watched)?;
    }
    ended.and(recorded)
}

impl Arguments {
    /// Watches until the stream, the time or the user's patience is at an end.
    async fn until_end(
        &self,
        watching: impl Future<Output = Result<(), End>>,
    ) -> Result<(), Failure> {
        let time = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = watching => match ended {
                Ok(()) => {
                    info!("the stream ended: its node stopped");
                    Ok(())
                }
                Err(End::Closed) => Ok(()),
                Err(End::Failed(failure)) => Err(failure),
            },
            () = time => Ok(()),
            interrupted = signals::interrupted() => {
                interrupted.map_err(|error| Failure::new(Kind::Failed, error))
            }
        }
    }
}

async fn through_own(node: &Node, uri: Option<StreamUri>, output: &mut Output) -> Result<(), End> {
    let service = node.service();
    let stream = uri::choose(uri, service.network())?;
    let mut player = service.playback().play(stream).await?;
    while let Some(played) = player.next().await {
        output.begin(&Head::of(&played));
        for piece in &played.piece.payload {
            output.write(piece).await?;
        }
        output.flush().await?;
    }
    Ok(())
}

async fn through_running(
    client: &Client,
    uri: Option<StreamUri>,
    output: &mut Output,
) -> Result<(), End> {
    let mut bytes = pin!(client.segments(uri).await?);
    let mut decoder = Decoder::default();
    while let Some(bytes) = bytes.next().await {
        decoder.push(&bytes?);
        while let Some(part) = decoder
            .part()
            .map_err(|error| Failure::new(Kind::Failed, error))?
        {
            match part {
                Part::Head(head) => output.begin(&head),
                Part::Payload(bytes) => output.write(&bytes).await?,
            }
        }
        output.flush().await?;
    }
    match decoder.is_between_segments() {
        true => Ok(()),
        false => {
            let error = "the node went away in the middle of a segment; start it again";
            Err(Failure::new(Kind::Unreachable, error).into())
        }
    }
}

impl Output {
    async fn open(arguments: &Arguments) -> Result<Output, Failure> {
        let mut player = None;
        let to: Box<dyn AsyncWrite + Send + Unpin> = if arguments.play {
            let (child, stdin) = player::start()?;
            player = Some(child);
            Box::new(stdin)
        } else if arguments.output.as_os_str() == "-" {
            Box::new(tokio::io::stdout())
        } else {
            let file = File::create(&arguments.output).await;
            Box::new(file.map_err(|error| not_created(&arguments.output, &error))?)
        };
        let recording = match &arguments.record {
            Some(path) => Some(Recording::begin(path).await?),
            None => None,
        };
        Ok(Output {
            to,
            _player: player,
            recording,
            watched: Watched::default(),
        })
    }

    fn begin(&mut self, head: &Head) {
        let watched = &mut self.watched;
        match watched.last_segment {
            None => info!(segment = head.segment, "the stream begins"),
            Some(last) if head.gap => {
                warn!(after = last, before = head.segment, "segments are missing");
                watched.gaps.push(head.segment);
            }
            Some(_) => {}
        }
        watched.first_segment.get_or_insert(head.segment);
        watched.last_segment = Some(head.segment);
        watched.segments += 1;
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<(), End> {
        self.watched.bytes += bytes.len() as u64;
        if let Some(recording) = &mut self.recording {
            recording.write(bytes).await;
        }
        self.to.write_all(bytes).await.map_err(not_written)
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.to.flush().await.map_err(not_written)
    }

    /// What was watched, and how the recording ended.
    async fn finish(mut self) -> (Watched, Result<(), Failure>) {
        // Whoever read it may be gone, and then nothing is lost.
        let _ = self.to.flush().await;
        let mut recorded = Ok(());
        if let Some(recording) = self.recording {
            let (bytes, ended) = recording.finish().await;
            (self.watched.recorded_bytes, recorded) = (Some(bytes), ended);
        }
        info!(
            segments = self.watched.segments,
            bytes = self.watched.bytes,
            gaps = self.watched.gaps.len(),
            "watching ends"
        );
        (self.watched, recorded)
    }
}

fn not_created(path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot write to {}: {error}", path.display());
    Failure::new(Kind::Failed, text)
}

fn not_written(error: io::Error) -> End {
    match error.kind() {
        io::ErrorKind::BrokenPipe => End::Closed,
        _ => End::Failed(Failure::new(
            Kind::Failed,
            format!("the stream cannot be written: {error}"),
        )),
    }
}
