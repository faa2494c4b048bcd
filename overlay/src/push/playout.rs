//! Playing: verified segments are handed out in order (P7).

use super::{Stream, WINDOW, segment::Segment};
use crate::{
    core::Core,
    io::{Event, Output, Segment as Played},
    time::{Duration, Time},
    view::SegmentNumber,
};

/// How long a segment is waited for before it is left out: since it was first heard of, or since it has been
/// wanted, if that is later.
pub(super) const PATIENCE: Duration = Duration::from_millis(2_000);
/// How long a newcomer gathers digests before it decides where to begin.
const GATHER: Duration = Duration::from_millis(300);

/// A newcomer that sees the source begin at most so many segments ago plays from there.
const RECENT: u64 = 8;

/// Where playing is.
#[derive(Default)]
pub(super) struct Playout {
    /// The segment to be handed out next, once it is known where to begin.
    cursor: Option<SegmentNumber>,
    /// When playing began.
    since: Time,
    first_digest: Option<Time>,
    /// Whether something was left out since the last segment.
    discontinuity: bool,
}

impl Playout {
    pub fn begun(&self) -> bool {
        self.cursor.is_some()
    }

    pub fn on_digest(&mut self, now: Time) {
        self.first_digest.get_or_insert(now);
    }
}

impl Stream {
    /// Hands out what is due: segments in order, and events of those that are left out.
    pub(super) fn play(&mut self, core: &mut Core) {
        if !self.watching || self.stopped.is_some() {
            return;
        }
        if self.playout.cursor.is_none() {
            self.choose_beginning(core);
        }
        while let Some(cursor) = self.playout.cursor {
            if self.play_one(core, cursor) {
                self.playout.cursor = Some(cursor + 1);
            } else if let Some(start) = self.beginning_after(cursor) {
                // The source began again here; the numbers before were never used.
                self.playout.cursor = Some(start);
                self.playout.discontinuity = true;
            } else if self.given_up(core, cursor) {
                self.leave_out(core, cursor);
                self.playout.cursor = Some(cursor + 1);
            } else {
                return;
            }
        }
    }

    /// A newcomer begins at the newest segment that a decoder can start with, or where the source began; one that its
    /// cluster owes it, since all before are governed by epochs without it.
    fn choose_beginning(&mut self, core: &mut Core) {
        let (Some(first), Some(newest)) = (self.playout.first_digest, self.newest) else {
            return;
        };
        let header = |number: &SegmentNumber| {
            self.window
                .get(number)
                .and_then(|segment| segment.digest.as_ref())
                .map(|digest| *digest.header())
        };
        let begins_now = header(&newest).is_some_and(|header| header.previous.is_none());
        if !begins_now && core.now < first + GATHER && !self.is_source(core) {
            return self.wake_at(first + GATHER);
        }
        let recent = newest.saturating_sub(RECENT);
        let begun = |number: &SegmentNumber| {
            *number >= recent && header(number).is_some_and(|header| header.previous.is_none())
        };
        let is_owed = |number: &SegmentNumber| {
            core.may_visit || core.deal(self.number, *number).is_member(core.me)
        };
        let can_start = |number: &SegmentNumber| {
            header(number).is_some_and(|header| header.random_access) && is_owed(number)
        };
        let mut known = self.window.keys();
        let start = known
            .clone()
            .find(|&number| begun(number) && is_owed(number))
            .or_else(|| known.rfind(|&number| can_start(number)));
        let Some(start) = start.copied() else { return };
        drop(known);
        self.playout.cursor = Some(start);
        self.playout.since = core.now;
        for past in self.window.range_mut(..start) {
            past.1.played = true;
        }
        for number in start..=newest {
            self.segment(core, number);
        }
        // Also those that began while nobody watched here and whose digest has not come.
        let begun: Vec<SegmentNumber> = self.window.range(start..).map(|(&at, _)| at).collect();
        for number in begun {
            let segment = self.segment(core, number);
            segment.backlog |= number < newest;
            let (backlog, late_at) = (segment.backlog, segment.late_at.max(core.now));
            let begun_unwatched = segment.chase_at.is_none();
            // A relay may hold enough already: then nothing more comes that would make it restore.
            self.restore(core, number);
            if self.window.get(&number).is_none_or(Segment::restored) {
                continue;
            }
            if backlog {
                self.chase_at(number, core.now);
            } else if begun_unwatched {
                // Nobody owes it, and no time was set at which it is asked for.
                self.chase_at(number, late_at);
            }
        }
    }

    fn play_one(&mut self, core: &mut Core, number: SegmentNumber) -> bool {
        let Some(segment) = self.window.get_mut(&number) else {
            return false;
        };
        let (Some(payload), Some(digest)) = (segment.payload(), &segment.digest) else {
            return false;
        };
        segment.played = true;
        let header = digest.header();
        let played = Played {
            stream: self.number,
            number,
            payload,
            random_access: header.random_access,
            discontinuity: std::mem::take(&mut self.playout.discontinuity),
            cut_unix_ms: header.cut_unix_ms,
        };
        self.report.delivered += 1;
        self.report.delivered_bytes += u64::from(header.length);
        core.output(Output::Deliver(played));
        true
    }

    /// The segment at which the source began again, if nothing of this one was ever seen.
    fn beginning_after(&self, cursor: SegmentNumber) -> Option<SegmentNumber> {
        if self
            .window
            .get(&cursor)
            .is_some_and(|segment| segment.digest.is_some())
        {
            return None;
        }
        let (&next, segment) = self
            .window
            .range(cursor..)
            .find(|(_, segment)| segment.digest.is_some())?;
        let header = segment.digest.as_ref()?.header();
        header.previous.is_none().then_some(next)
    }

    /// Whether a segment has been waited for long enough.
    fn given_up(&mut self, core: &Core, cursor: SegmentNumber) -> bool {
        let known = self.newest.is_some_and(|newest| cursor <= newest);
        let Some((_, segment)) = self.window.range(cursor..).next().filter(|_| known) else {
            return false;
        };
        let until = segment.first_seen.max(self.playout.since) + PATIENCE;
        if core.now < until {
            self.wake_at(until);
        }
        core.now >= until
    }

    fn leave_out(&mut self, core: &mut Core, number: SegmentNumber) {
        if let Some(segment) = self.window.get_mut(&number) {
            segment.played = true;
        }
        self.report.skipped += 1;
        self.playout.discontinuity = true;
        core.event(Event::Skipped {
            stream: self.number,
            segment: number,
        });
    }

    /// Leaves out what is not within the window any more.
    pub(super) fn play_from(&mut self, core: &mut Core, first: SegmentNumber) {
        let Some(cursor) = self.playout.cursor.filter(|&cursor| cursor < first) else {
            return;
        };
        // After a long absence there is no telling the missing segments one by one.
        for number in cursor.max(first.saturating_sub(WINDOW))..first {
            self.leave_out(core, number);
        }
        self.playout.cursor = Some(first);
    }
}
