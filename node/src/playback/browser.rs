//! A stream for browsers: fragments of MP4, and what there is to say of them.

use super::{
    channel::Channel,
    mp4::{Audio, Fragment, Init, Remuxer, Video},
    player::Player,
    wanted::Viewers,
};
use bytes::Bytes;
use futures::{Stream, stream};
use hamlet_overlay::io::Segment;
use serde::Serialize;
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;

/// A source that nothing came of for so long is silent.
const SILENT: Duration = Duration::from_secs(3);

/// A stream for browsers.
#[derive(Debug)]
pub struct Browser {
    segments: Arc<Channel<Segment>>,
    fragments: Arc<Channel<Fragment>>,
    known: watch::Sender<Known>,
    viewers: Viewers,
}

/// What has been seen of a stream.
#[derive(Clone, Debug, Default)]
struct Known {
    init: Option<Arc<Init>>,
    fps: Option<f64>,
    unsupported: Vec<String>,
    blind: bool,
    newest: Option<Newest>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    at: Instant,
    delay_ms: Option<u64>,
}

/// What a page is told of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// What it is waiting for, if it is.
    pub state: State,
    /// The codecs as browsers know them (RFC 6381).
    pub codecs: Option<String>,
    /// The pictures.
    pub video: Option<Pictures>,
    /// The sound.
    pub audio: Option<Audio>,
    /// How long after its source cut it the newest segment was handed out here, by both clocks.
    pub delay_ms: Option<u64>,
    /// What cannot be played in a browser, by name.
    pub unsupported: Option<String>,
}

/// What a stream is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its first segment.
    WaitingForStream,
    /// A segment with which a decoder can start.
    WaitingForKeyframe,
    /// Nothing: it can be played.
    Playing,
    /// Its source, which has fallen silent.
    Silent,
    /// A player with other codecs than browsers have.
    Unsupported,
    /// Nothing: the peer has stopped.
    Ended,
}

/// What the pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pictures {
    /// Their size.
    #[serde(flatten)]
    pub size: Video,
    /// Pictures per second.
    pub fps: Option<f64>,
}

/// A stream with pictures that browsers have no decoder for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stream is {0}, which browsers do not play here; open /live.ts in VLC or mpv, or have the source encode H.264 and AAC (ffmpeg: -c:v libx264 -c:a aac)"
)]
pub struct Unsupported(pub String);

impl Browser {
    pub(super) fn begin(segments: &Arc<Channel<Segment>>, viewers: &Viewers) -> Arc<Browser> {
        let browser = Arc::new(Browser {
            segments: segments.clone(),
            fragments: Arc::default(),
            known: watch::Sender::default(),
            viewers: viewers.clone(),
        });
        // From the oldest on, since it tells what sound there is before the first player asks.
        let player = Player::new(segments, Duration::MAX, None);
        tokio::spawn(remux(
            player,
            browser.fragments.clone(),
            browser.known.clone(),
        ));
        browser
    }

    /// What there is to say of the stream.
    pub fn about(&self) -> About {
        let known = self.known.borrow().clone();
        let state = match &known {
            _ if known.ended => State::Ended,
            _ if known.blind => State::Unsupported,
            Known { init: Some(_), .. } => match known.newest {
                Some(newest) if newest.at.elapsed() > SILENT => State::Silent,
                _ => State::Playing,
            },
            _ if self.segments.window().is_empty() => State::WaitingForStream,
            _ => State::WaitingForKeyframe,
        };
        let init = known.init.as_ref();
        About {
            state,
            codecs: init.map(|init| init.codecs.clone()),
            video: init.and_then(|init| init.video).map(|size| Pictures {
                size,
                fps: known.fps,
            }),
            audio: init.and_then(|init| init.audio),
            delay_ms: known.newest.and_then(|newest| newest.delay_ms),
            unsupported: (!known.unsupported.is_empty()).then(|| known.unsupported.join(" and ")),
        }
    }

    /// The stream from a point where a decoder can start, once there is one; `None` if it has ended. A player
    /// that wants to play so long `behind` the newest is given what it needs for that at once.
    ///
    /// # Errors
    /// If browsers have no decoder for it.
    pub async fn play(&self, behind: Duration) -> Result<Option<Playing>, Unsupported> {
        let viewer = Some(self.viewers.enter());
        let mut player = Player::new(&self.fragments, behind, viewer);
        let mut known = self.known.subscribe();
        let unsupported = async {
            loop {
                let name = {
                    let known = known.borrow_and_update();
                    known.blind.then(|| known.unsupported.join(" and "))
                };
                match name {
                    Some(name) => return name,
                    None if known.changed().await.is_ok() => {}
                    None => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            biased;
            name = unsupported => Err(Unsupported(name)),
            first = player.next() => Ok(first.map(|first| Playing {
                player,
                first: first.piece,
            })),
        }
    }
}

/// A stream that a browser plays.
#[derive(Debug)]
pub struct Playing {
    player: Player<Fragment>,
    first: Arc<Fragment>,
}

impl Playing {
    /// The codecs as browsers know them (RFC 6381).
    pub fn codecs(&self) -> &str {
        &self.first.init.codecs
    }

    /// Its bytes, until it ends or goes on in other codecs.
    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let Playing { player, first } = self;
        let init = first.init.clone();
        let begin = [Ok(init.bytes.clone()), Ok(first.bytes.clone())];
        let rest = stream::unfold((player, init), |(mut player, mut init)| async move {
            let next = player.next().await?.piece;
            if next.init.codecs != init.codecs {
                return None;
            }
            let bytes = match next.init.bytes == init.bytes {
                true => next.bytes.clone(),
                false => [next.init.bytes.as_ref(), &next.bytes].concat().into(),
            };
            init = next.init.clone();
            Some((Ok(bytes), (player, init)))
        });
        futures::StreamExt::chain(stream::iter(begin), rest)
    }
}

async fn remux(
    mut player: Player<Segment>,
    fragments: Arc<Channel<Fragment>>,
    known: watch::Sender<Known>,
) {
    let mut remuxer = Remuxer::default();
    while let Some(played) = player.next().await {
        for fragment in remuxer.push(&played.piece, played.gap) {
            fragments.push(Arc::new(fragment), played.came);
        }
        let (unsupported, blind) = remuxer.unsupported();
        let cut = Duration::from_millis(played.piece.cut_unix_ms);
        let delay = SystemTime::UNIX_EPOCH
            .checked_add(cut)
            .and_then(|cut| SystemTime::now().duration_since(cut).ok());
        known.send_replace(Known {
            init: remuxer.init().cloned(),
            fps: remuxer.fps(),
            unsupported: unsupported.to_vec(),
            blind,
            newest: Some(Newest {
                at: played.came,
                delay_ms: delay.map(|delay| delay.as_millis() as u64),
            }),
            ended: false,
        });
    }
    fragments.end();
    known.send_modify(|known| known.ended = true);
}
