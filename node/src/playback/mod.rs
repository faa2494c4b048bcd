//! From the network to players: what has been received of late, and readers that never hold anybody up.
//!
//! For each stream that somebody wants, a [`Channel`] keeps the newest segments. A [`Player`] reads them at
//! its own pace; one that falls behind what is kept goes on at the next point where a decoder can start.
//! So a slow player costs nothing but its own picture.

mod player;
pub mod ts_body;
mod window;

pub use player::{Played, Player};

use crate::driver::{PeerHandle, Stopped};
use hamlet_overlay::view::StreamNumber;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Mutex, broadcast::error::RecvError, watch};
use tracing::debug;
use window::Window;

/// One stream's newest segments.
#[derive(Debug, Default)]
pub struct Channel {
    window: std::sync::Mutex<Window>,
    /// Changes with every segment; closed when the stream ends.
    changes: watch::Sender<()>,
}

/// The streams that are being received on this peer.
#[derive(Debug)]
pub struct Playback {
    handle: PeerHandle,
    channels: Mutex<BTreeMap<StreamNumber, Arc<Channel>>>,
}

impl Playback {
    /// Of the peer with this handle; nothing is received yet.
    pub fn new(handle: PeerHandle) -> Playback {
        Playback {
            handle,
            channels: Mutex::new(BTreeMap::new()),
        }
    }

    /// A player of this stream, which is received from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn play(&self, stream: StreamNumber) -> Result<Player, Stopped> {
        Ok(Player::new(&self.channel(stream).await?))
    }

    /// Receives this stream from now on.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn receive(&self, stream: StreamNumber) -> Result<(), Stopped> {
        self.channel(stream).await.map(drop)
    }

    /// How many players each stream that is received has.
    pub async fn players(&self) -> BTreeMap<StreamNumber, usize> {
        let channels = self.channels.lock().await;
        let count = |channel: &Channel| channel.changes.receiver_count();
        channels
            .iter()
            .map(|(&stream, channel)| (stream, count(channel)))
            .collect()
    }

    async fn channel(&self, stream: StreamNumber) -> Result<Arc<Channel>, Stopped> {
        let mut channels = self.channels.lock().await;
        if let Some(channel) = channels.get(&stream) {
            return Ok(channel.clone());
        }
        let mut segments = self.handle.subscribe(stream).await?;
        let channel = Arc::new(Channel::default());
        channels.insert(stream, channel.clone());
        let filled = channel.clone();
        tokio::spawn(async move {
            loop {
                match segments.recv().await {
                    Ok(segment) => filled.push(segment),
                    // The next segment's number shows players what is missing.
                    Err(RecvError::Lagged(missed)) => debug!(stream, missed, "playback lags"),
                    Err(RecvError::Closed) => break filled.end(),
                }
            }
        });
        Ok(channel)
    }
}

impl Channel {
    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        // Nothing that holds the lock can leave the window half changed.
        self.window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn push(&self, segment: Arc<hamlet_overlay::io::Segment>) {
        self.window().push(segment);
        self.changes.send_replace(());
    }

    fn end(&self) {
        self.window().end();
        self.changes.send_replace(());
    }
}
