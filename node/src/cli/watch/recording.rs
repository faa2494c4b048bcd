//! A file that keeps what is played, and never holds up the playing.

use super::not_created;
use crate::failure::{Failure, Kind};
use bytes::Bytes;
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
};
use tracing::{error, info};

/// Pieces of the stream that may wait for the disk; some seconds of it.
const WAITING: usize = 512;

/// A file that is being written.
pub struct Recording {
    path: PathBuf,
    state: State,
}

enum State {
    Writing {
        pieces: mpsc::Sender<Bytes>,
        task: JoinHandle<(u64, io::Result<()>)>,
    },
    Ended {
        bytes: u64,
        failure: Failure,
    },
}

impl Recording {
    /// Begins a file anew.
    ///
    /// # Errors
    /// If it cannot be written at all.
    pub async fn begin(path: &Path) -> Result<Recording, Failure> {
        let file = File::create(path).await;
        let file = file.map_err(|error| not_created(path, &error))?;
        let (pieces, receiver) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep(file, receiver));
        info!("recording to {}", path.display());
        Ok(Recording {
            path: path.to_owned(),
            state: State::Writing { pieces, task },
        })
    }

    /// Keeps a piece of the stream, if the recording has not ended; never waits for the disk.
    pub async fn write(&mut self, piece: &Bytes) {
        let State::Writing { pieces, task } = &mut self.state else {
            return;
        };
        let (bytes, why) = match pieces.try_send(piece.clone()) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => {
                task.abort();
                (0, "the disk is too slow for the stream".to_owned())
            }
            Err(TrySendError::Closed(_)) => match task.await {
                Ok((bytes, Err(error))) => (bytes, error.to_string()),
                Ok((bytes, Ok(()))) => (bytes, "it was closed".to_owned()),
                Err(error) => (0, error.to_string()),
            },
        };
        let failure = self.failure(&why);
        error!("{failure}; playing goes on");
        self.state = State::Ended { bytes, failure };
    }

    /// Writes what is left; how many bytes were kept, and why not all, if not.
    pub async fn finish(self) -> (u64, Result<(), Failure>) {
        let path = self.path.clone();
        match self.state {
            State::Ended { bytes, failure } => (bytes, Err(failure)),
            State::Writing { pieces, task } => {
                drop(pieces);
                match task.await {
                    Ok((bytes, Ok(()))) => (bytes, Ok(())),
                    Ok((bytes, Err(error))) => (bytes, Err(failure(&path, &error.to_string()))),
                    Err(error) => (0, Err(failure(&path, &error.to_string()))),
                }
            }
        }
    }

    fn failure(&self, why: &str) -> Failure {
        failure(&self.path, why)
    }
}

fn failure(path: &Path, why: &str) -> Failure {
    let text = format!("the recording to {} ended early: {why}", path.display());
    Failure::new(Kind::Failed, text)
}

/// Writes pieces to a file until there are no more, or the disk takes none.
async fn keep(file: File, mut pieces: mpsc::Receiver<Bytes>) -> (u64, io::Result<()>) {
    let (mut file, mut bytes) = (BufWriter::new(file), 0);
    while let Some(piece) = pieces.recv().await {
        if let Err(error) = file.write_all(&piece).await {
            return (bytes, Err(error));
        }
        bytes += piece.len() as u64;
        // The end of a segment is a good point to have it on disk.
        if pieces.is_empty()
            && let Err(error) = file.flush().await
        {
            return (bytes, Err(error));
        }
    }
    let flushed = file.flush().await;
    (bytes, flushed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_played_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording.ts");
        let mut recording = Recording::begin(&path).await.unwrap();
        for piece in ["one ", "two ", "three"] {
            recording.write(&Bytes::from(piece)).await;
        }
        assert_eq!(recording.finish().await, (13, Ok(())));
        assert_eq!(std::fs::read(&path).unwrap(), b"one two three");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_ends_the_recording_only() {
        let mut recording = Recording::begin(Path::new("/dev/full")).await.unwrap();
        for _ in 0..1000 {
            // Returns at once, whatever the disk does.
            recording.write(&Bytes::from_static(&[0; 10_000])).await;
            tokio::task::yield_now().await;
        }
        let (_, ended) = recording.finish().await;
        let text = ended.unwrap_err().error;
        assert!(
            text.contains("/dev/full") && text.contains("ended early"),
            "{text}"
        );
    }
}
