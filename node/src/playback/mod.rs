//! From the network to players: what has been received of late, and readers that never hold anybody up.
//!
//! For each stream that somebody wants, a [`Channel`](channel::Channel) keeps the newest segments. A
//! [`Player`] reads them at its own pace; one that falls behind what is kept goes on at the next point where
//! a decoder can start. So a slow player costs nothing but its own picture.
//!
//! | module | for whom |
//! | --- | --- |
//! | [`ts_body`] | ordinary players: the transport stream as it was published |
//! | [`browser`], [`mp4`] | browsers: the same pictures and sound as fragmented MP4 |
//! | [`hls`] | phones and television sets: a playlist of transport streams |

pub mod browser;
mod channel;
mod heard;
pub mod hls;
pub mod mp4;
mod player;
pub mod ts_body;
mod window;

pub use heard::Heard;
pub use player::{Played, Player};

use crate::driver::{PeerHandle, Stopped};
use browser::Browser;
use channel::{Channel, Viewer};
use hamlet_overlay::{io::Segment, view::StreamNumber};
use heard::Notes;
use hls::Hls;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, broadcast::error::RecvError};
use tracing::debug;

/// The streams that are being received on this peer.
#[derive(Debug)]
pub struct Playback {
    handle: PeerHandle,
    streams: Mutex<BTreeMap<StreamNumber, Arc<Stream>>>,
}

/// One stream that is being received, in all the shapes in which somebody wanted it.
#[derive(Debug, Default)]
struct Stream {
    segments: Arc<Channel<Segment>>,
    notes: Notes,
    viewer: Viewer,
    browser: OnceLock<Arc<Browser>>,
    hls: OnceLock<Arc<Hls>>,
}

impl Playback {
    /// Of the peer with this handle; nothing is received yet.
    pub fn new(handle: PeerHandle) -> Playback {
        Playback {
            handle,
            streams: Mutex::new(BTreeMap::new()),
        }
    }

    /// A player of this stream, which is received from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn play(&self, stream: StreamNumber) -> Result<Player, Stopped> {
        let stream = self.stream(stream).await?;
        let viewer = Some(stream.viewer.clone());
        Ok(Player::new(&stream.segments, Duration::ZERO, viewer))
    }

    /// This stream for browsers, from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn browser(&self, stream: StreamNumber) -> Result<Arc<Browser>, Stopped> {
        let stream = self.stream(stream).await?;
        let begin = || Browser::begin(&stream.segments, &stream.viewer);
        Ok(stream.browser.get_or_init(begin).clone())
    }

    /// This stream as a playlist, from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn hls(&self, stream: StreamNumber) -> Result<Arc<Hls>, Stopped> {
        let stream = self.stream(stream).await?;
        let begin = || Hls::begin(&stream.segments);
        Ok(stream.hls.get_or_init(begin).clone())
    }

    /// Receives this stream from now on.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn receive(&self, stream: StreamNumber) -> Result<(), Stopped> {
        self.stream(stream).await.map(drop)
    }

    /// What each stream that is received has brought; who follows a playlist is not among its players.
    pub async fn heard(&self) -> BTreeMap<StreamNumber, Heard> {
        let streams = self.streams.lock().await;
        streams
            .iter()
            .map(|(&number, stream)| (number, stream.notes.heard(stream.viewer.others())))
            .collect()
    }

    async fn stream(&self, number: StreamNumber) -> Result<Arc<Stream>, Stopped> {
        let mut streams = self.streams.lock().await;
        if let Some(stream) = streams.get(&number) {
            return Ok(stream.clone());
        }
        let mut segments = self.handle.subscribe(number).await?;
        let stream = Arc::new(Stream::default());
        streams.insert(number, stream.clone());
        let filled = stream.clone();
        tokio::spawn(async move {
            loop {
                match segments.recv().await {
                    Ok(segment) => {
                        filled.notes.note(&segment);
                        filled.segments.push(segment, Instant::now());
                    }
                    // The next segment's number shows players what is missing.
                    Err(RecvError::Lagged(missed)) => debug!(number, missed, "playback lags"),
                    Err(RecvError::Closed) => break filled.segments.end(),
                }
            }
        });
        Ok(stream)
    }
}
