//! A reader of one stream.

use super::{
    channel::Channel,
    wanted::Viewer,
    window::{Found, Kept, Piece},
};
use hamlet_overlay::io::Segment;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A reader of one stream, from a point where a decoder can start.
#[derive(Debug)]
pub struct Player<T = Segment> {
    channel: Arc<Channel<T>>,
    changes: watch::Receiver<()>,
    /// How long behind the newest it begins.
    behind: Duration,
    last: Option<u64>,
    /// Counts it among those who play the stream, if it does.
    _viewer: Option<Viewer>,
}

/// A piece as a player gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Played<T = Segment> {
    /// The piece.
    pub piece: Arc<T>,
    /// Whether something is missing between the piece before and this one.
    pub gap: bool,
    /// When it came.
    pub came: Instant,
}

impl<T: Piece> Player<T> {
    pub(super) fn new(channel: &Arc<Channel<T>>, behind: Duration, viewer: Option<Viewer>) -> Self {
        Player {
            changes: channel.subscribe(),
            channel: channel.clone(),
            behind,
            last: None,
            _viewer: viewer,
        }
    }

    /// The next piece, once it is there; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Played<T>> {
        loop {
            // Marked as seen before looking: what comes afterwards wakes.
            self.changes.mark_unchanged();
            let found = match self.last {
                None => self.channel.window().start(self.behind),
                Some(last) => self.channel.window().after(last),
            };
            match found {
                Found::Piece(Kept { piece, came }) => {
                    let last = self.last.replace(piece.number());
                    let gap = last
                        .is_some_and(|last| piece.discontinuity() || piece.number() != last + 1);
                    return Some(Played { piece, gap, came });
                }
                Found::End => return None,
                Found::Wait => self.changes.changed().await.ok()?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn push(channel: &Channel<Segment>, number: u64, discontinuity: bool) {
        let segment = Segment {
            stream: 0,
            number,
            payload: vec![Bytes::from_static(b"content")],
            random_access: number.is_multiple_of(4),
            discontinuity,
            cut_unix_ms: 0,
        };
        channel.push(Arc::new(segment), Instant::now());
    }

    #[tokio::test]
    async fn a_player_waits_reads_and_ends() {
        let channel = Arc::new(Channel::default());
        push(&channel, 3, false);
        let mut player = Player::new(&channel, Duration::ZERO, None);
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(played) = player.next().await {
                read.push((played.piece.number, played.gap));
            }
            read
        });
        tokio::task::yield_now().await;
        for (number, discontinuity) in [(4, true), (5, false), (7, true)] {
            push(&channel, number, discontinuity);
            tokio::task::yield_now().await;
        }
        channel.end();
        // What was missing before the first segment is no gap in what this player shows.
        assert_eq!(reading.await.unwrap(), [(4, false), (5, false), (7, true)]);
    }

    #[tokio::test]
    async fn a_player_that_does_not_read_holds_nobody_up_and_skips() {
        let channel = Arc::new(Channel::default());
        (0..8).for_each(|number| push(&channel, number, false));
        let mut slow = Player::new(&channel, Duration::ZERO, None);
        assert_eq!(slow.next().await.unwrap().piece.number, 4);
        (8..1000).for_each(|number| push(&channel, number, false));
        let next = slow.next().await.unwrap();
        assert!(next.gap && next.piece.random_access);
        assert!(next.piece.number > 900);
    }
}
