//! Joining: wanting the stream, asking for its past, and telling those who join.

use super::{Stream, playout::Playout, segment::Segment};
use crate::{
    core::Core,
    io::{Class, Refusal},
    links::LinkId,
    message::{Message, Notice},
    time::Duration,
};
use bytes::Bytes;

/// A link may ask for the digests of the past at most this often.
const JOIN_EVERY: Duration = Duration::from_secs(1);

impl Stream {
    /// Wants the stream's content from now on.
    pub fn subscribe(&mut self, core: &mut Core) {
        if std::mem::replace(&mut self.watching, true) || self.is_source(core) {
            return;
        }
        self.joins_sent = 0;
        self.tell_standing(core);
        for link in core.newest_deal().fellows.clone() {
            self.join(core, link);
        }
        // A relay may know already where to begin.
        self.play(core);
    }

    /// Only relays the stream from now on.
    pub fn unsubscribe(&mut self, core: &mut Core) {
        if !std::mem::replace(&mut self.watching, false) || self.is_source(core) {
            return;
        }
        self.playout = Playout::default();
        self.tell_standing(core);
    }

    /// Asks the first two fellows at hand for the past, unless the stream is already being played.
    pub(super) fn join(&mut self, core: &mut Core, link: LinkId) {
        let wanted =
            self.watching && !self.is_source(core) && !self.playout.begun() && self.joins_sent < 2;
        if wanted && core.links.connected(link) {
            self.joins_sent += 1;
            core.notify(
                link,
                Notice::Join {
                    stream: self.number,
                },
            );
        }
    }

    pub fn on_join(&mut self, core: &mut Core, from: LinkId) -> Result<(), Refusal> {
        let now = core.now;
        if now < self.link(from).join_after {
            return Err(Refusal::TooManyRequests);
        }
        self.link(from).join_after = now + JOIN_EVERY;
        let listed = |segment: &&Segment| segment.leaves().is_some();
        let start = self.window.values().rev().filter(listed).find(|segment| {
            segment
                .digest
                .as_ref()
                .is_some_and(|digest| digest.header().random_access)
        });
        let Some(start) = start.map(|segment| segment.number) else {
            return Ok(());
        };
        for segment in self
            .window
            .range(start..)
            .map(|(_, segment)| segment)
            .filter(listed)
        {
            let Some(digest) = &segment.digest else {
                continue;
            };
            let leaves = digest.leaves.clone().unwrap_or_default();
            let message = Message::Digest {
                signed: digest.signed,
                leaves,
            };
            core.send(
                &[from],
                &message,
                Bytes::new(),
                Class::Digest,
                segment.number,
            );
        }
        Ok(())
    }
}
