//! A reader of one stream.

use super::{Channel, window::Found};
use hamlet_overlay::{io::Segment, view::SegmentNumber};
use std::sync::Arc;
use tokio::sync::watch;

/// A reader of one stream, from a point where a decoder can start.
#[derive(Debug)]
pub struct Player {
    channel: Arc<Channel>,
    changes: watch::Receiver<()>,
    last: Option<SegmentNumber>,
}

/// A segment as a player gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Whether something is missing between the segment before and this one.
    pub gap: bool,
}

impl Player {
    pub(super) fn new(channel: &Arc<Channel>) -> Player {
        Player {
            changes: channel.changes.subscribe(),
            channel: channel.clone(),
            last: None,
        }
    }

    /// The next segment, once it is there; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Played> {
        loop {
            // Marked as seen before looking: what comes afterwards wakes.
            self.changes.mark_unchanged();
            let found = match self.last {
                None => self.channel.window().newest_start(),
                Some(last) => self.channel.window().after(last),
            };
            match found {
                Found::Segment(segment) => {
                    let last = self.last.replace(segment.number);
                    let gap = last
                        .is_some_and(|last| segment.discontinuity || segment.number != last + 1);
                    return Some(Played { segment, gap });
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

    fn push(channel: &Channel, number: SegmentNumber, discontinuity: bool) {
        channel.push(Arc::new(Segment {
            stream: 0,
            number,
            payload: vec![Bytes::from_static(b"content")],
            random_access: number.is_multiple_of(4),
            discontinuity,
            cut_unix_ms: 0,
        }));
    }

    #[tokio::test]
    async fn a_player_waits_reads_and_ends() {
        let channel = Arc::new(Channel::default());
        push(&channel, 3, false);
        let mut player = Player::new(&channel);
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(played) = player.next().await {
                read.push((played.segment.number, played.gap));
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
        let mut slow = Player::new(&channel);
        assert_eq!(slow.next().await.unwrap().segment.number, 4);
        (8..1000).for_each(|number| push(&channel, number, false));
        let next = slow.next().await.unwrap();
        assert!(next.gap && next.segment.random_access);
        assert!(next.segment.number > 900);
    }
}
