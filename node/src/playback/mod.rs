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
mod wanted;
mod window;

pub use heard::Heard;
pub use player::{Played, Player};

use crate::driver::{PeerHandle, Stopped};
use browser::Browser;
use channel::Channel;
use hamlet_overlay::{io::Segment, view::StreamNumber};
use heard::Notes;
use hls::Hls;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::{
    sync::{
        Mutex,
        broadcast::{self, error::RecvError},
    },
    time::{MissedTickBehavior, interval},
};
use tracing::debug;
use wanted::Wanted;

/// How long a stream that nobody plays any more is received.
pub const UNWATCHED: Duration = Duration::from_secs(30);

/// The streams that are being received on this peer.
#[derive(Debug)]
pub struct Playback {
    handle: PeerHandle,
    unwatched: Duration,
    streams: Arc<Streams>,
}

type Streams = Mutex<BTreeMap<StreamNumber, Arc<Stream>>>;

/// One stream that is being received, in all the shapes in which somebody wanted it.
#[derive(Debug)]
struct Stream {
    segments: Arc<Channel<Segment>>,
    notes: Notes,
    wanted: Wanted,
    browser: OnceLock<Arc<Browser>>,
    hls: OnceLock<Arc<Hls>>,
}

impl Playback {
    /// Of the peer with this handle; nothing is received yet. What nobody has played for as long as
    /// `unwatched` ([`UNWATCHED`] for people) is received no more.
    pub fn new(handle: PeerHandle, unwatched: Duration) -> Playback {
        Playback {
            handle,
            unwatched,
            streams: Arc::default(),
        }
    }

    /// A player of this stream, which is received from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn play(&self, stream: StreamNumber) -> Result<Player, Stopped> {
        let stream = self.stream(stream).await?;
        let viewer = Some(stream.wanted.viewers.enter());
        Ok(Player::new(&stream.segments, Duration::ZERO, viewer))
    }

    /// This stream for browsers, from now on if it was not before.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn browser(&self, stream: StreamNumber) -> Result<Arc<Browser>, Stopped> {
        let stream = self.stream(stream).await?;
        let begin = || Browser::begin(&stream.segments, &stream.wanted.viewers);
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

    /// Receives this stream from now on, whether anybody plays it or not.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn receive(&self, stream: StreamNumber) -> Result<(), Stopped> {
        self.stream(stream).await?.wanted.always();
        Ok(())
    }

    /// What each stream that is received has brought; who follows a playlist is not among its players.
    pub async fn heard(&self) -> BTreeMap<StreamNumber, Heard> {
        let streams = self.streams.lock().await;
        streams
            .iter()
            .map(|(&number, stream)| (number, stream.notes.heard(stream.wanted.viewers.count())))
            .collect()
    }

    async fn stream(&self, number: StreamNumber) -> Result<Arc<Stream>, Stopped> {
        let mut streams = self.streams.lock().await;
        if let Some(stream) = streams.get(&number) {
            stream.wanted.again(Instant::now());
            return Ok(stream.clone());
        }
        let segments = self.handle.subscribe(number).await?;
        let stream = Arc::new(Stream {
            segments: Arc::default(),
            notes: Notes::default(),
            wanted: Wanted::new(Instant::now()),
            browser: OnceLock::new(),
            hls: OnceLock::new(),
        });
        streams.insert(number, stream.clone());
        let filling = fill(
            number,
            stream.clone(),
            segments,
            self.streams.clone(),
            self.unwatched,
        );
        tokio::spawn(filling);
        Ok(stream)
    }
}

/// Keeps what comes of a stream, until nothing does any more or nobody wants it. The peer notices that its
/// segments are taken no more, and receives them no more.
async fn fill(
    number: StreamNumber,
    stream: Arc<Stream>,
    mut segments: broadcast::Receiver<Arc<Segment>>,
    streams: Arc<Streams>,
    unwatched: Duration,
) {
    let mut looks = interval(unwatched / 4);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            segment = segments.recv() => match segment {
                Ok(segment) => {
                    stream.notes.note(&segment);
                    stream.segments.push(segment, Instant::now());
                }
                // The next segment's number shows players what is missing.
                Err(RecvError::Lagged(missed)) => debug!(number, missed, "playback lags"),
                Err(RecvError::Closed) => break,
            },
            _ = looks.tick() => {
                // Whoever asks for it now waits for the lock, and is given a new one.
                let mut streams = streams.lock().await;
                if stream.wanted.is_over(Instant::now(), unwatched) {
                    debug!(number, "nobody plays it any more");
                    streams.remove(&number);
                    break;
                }
            }
        }
    }
    stream.segments.end();
}
