//! R3 and R9: time-outs, repetition and beats.

use super::{OPEN_VIEWS, Replica, VIEWS_AHEAD};
use crate::{
    application::Application,
    certificate::Certificate,
    epoch::View,
    io::Output,
    member::{Member, MemberSet},
    message::{MAX_CERTIFICATES, MAX_COMMANDS, MAX_TAIL_BYTES, Message, Status},
    mutant::Mutant,
    time::Time,
    vote::SignedVote,
};
use std::time::Duration;

/// What happens when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Timing {
    entered: Time,
    /// When the view is given up.
    pub deadline: Option<Time>,
    /// When what was said is said again.
    pub repeat: Option<Time>,
    /// When the next beat is due.
    beat: Time,
    /// When a leader proposes an empty block to get those before it committed.
    pub late: Option<Time>,
    /// When the driver was asked to wake this member.
    alarm: Time,
    /// Time-outs are doubled so many times.
    level: u32,
    /// Views that ran out since the last commit.
    ran_out: usize,
    /// Leaders whose last proposal did not come in time.
    pub suspected: MemberSet,
    /// Whether something changed that may be a reason to propose.
    pub fresh: bool,
    /// Whether this member is new to what others said (R9).
    pub greets: bool,
}

impl Timing {
    pub fn new(now: Time) -> Timing {
        Timing {
            entered: now,
            deadline: None,
            repeat: None,
            beat: now,
            late: None,
            alarm: Time::NEVER,
            level: 0,
            ran_out: 0,
            suspected: MemberSet::EMPTY,
            fresh: true,
            greets: false,
        }
    }

    pub fn entered(&mut self, now: Time) {
        self.entered = now;
        self.deadline = None;
        self.repeat = None;
        self.late = None;
        self.fresh = true;
    }

    pub fn is_late(&self, now: Time) -> bool {
        self.late.is_some_and(|late| now >= late)
    }

    /// Whether views ran out lately.
    pub fn is_backed_off(&self) -> bool {
        self.level > 0
    }

    pub fn trust(&mut self, leader: Member) {
        self.suspected.remove(leader);
    }

    pub fn suspected(&self) -> MemberSet {
        self.suspected
    }

    pub fn suspect(&mut self, leader: Member) {
        self.suspected.insert(leader);
    }

    pub fn committed(&mut self) {
        self.level = self.level.saturating_sub(1);
        self.ran_out = 0;
    }
}

impl<A: Application> Replica<A> {
    fn timeout(&self) -> Duration {
        let level = if self.epoch.mutants.has(Mutant::FixedTimeout) {
            0
        } else {
            self.timing.level.min(20)
        };
        let beyond = self.open_views().saturating_sub(OPEN_VIEWS) / VIEWS_AHEAD;
        let longest = self.settings.timeout_max * (1 << beyond.min(16));
        (self.delay() * 3 * (1 << level)).min(longest.max(self.delay() * 3))
    }

    /// How many views have passed since the last commit.
    fn open_views(&self) -> View {
        self.view.saturating_sub(self.floor())
    }

    /// Whether there is anything to decide, as far as this member knows.
    fn is_busy(&mut self) -> bool {
        !self.pool.is_empty() || self.target.is_some() || self.is_unsettled()
    }

    /// R3 and R9, as far as they are due.
    pub(super) fn keep_time(&mut self) {
        let busy = self.is_busy();
        let timeout = self.timeout();
        if !busy {
            self.timing.deadline = None;
            self.timing.late = None;
        } else if self.timing.deadline.is_none() {
            let from = self.now.max(self.ripe());
            self.timing.deadline = Some(from + timeout);
            self.timing.late = Some(from + timeout / 3);
        }
        if busy || self.seals.are_wanted() {
            self.timing.repeat.get_or_insert(self.now + timeout);
        } else {
            self.timing.repeat = None;
        }
        self.watch_view(busy);
        if self.now >= self.timing.beat {
            self.timing.beat = self.now + self.settings.beat;
            let new = std::mem::take(&mut self.timing.greets);
            // Who is behind in an epoch that is over says so itself.
            if self.ending().is_none() {
                self.send_status(self.epoch.all(), busy || new);
            }
        }
        if self.timing.repeat.is_some_and(|repeat| self.now >= repeat) {
            self.timing.repeat = Some(self.now + timeout);
            if !self.epoch.mutants.has(Mutant::NeverRepeat) {
                self.repeat(busy);
            }
        }
    }

    /// R3: gives up the view if its time is over, its leader is suspected, or `f + 1` members gave it up.
    fn watch_view(&mut self, busy: bool) {
        let open = self.views.get(&self.view);
        if open.is_some_and(|open| open.given_up) {
            return;
        }
        let leader = self.epoch.leader(self.view);
        let proposed = open.is_some_and(|open| open.proposal.is_some());
        let enough = self.epoch.honest();
        let others = open.is_some_and(|open| open.gave_up().len() >= enough);
        let over = self
            .view_ends_at()
            .is_some_and(|deadline| self.now >= deadline);
        if (over || others) && !proposed && leader != self.me {
            // One of those others at least is honest, and waited long enough.
            self.timing.suspected.insert(leader);
        }
        if over {
            self.timing.ran_out += 1;
            if self.timing.ran_out > self.epoch.faults() {
                self.timing.ran_out = 0;
                self.timing.level = (self.timing.level + 1).min(20);
            }
        }
        let hopeless = busy
            && !proposed
            && self.open_views() <= OPEN_VIEWS
            && self.timing.suspected.contains(leader);
        if over || others || hopeless {
            self.give_up();
        }
    }

    /// R9: says again what may not have been heard.
    fn repeat(&mut self, busy: bool) {
        self.send_status(self.epoch.all(), busy);
        for signed in self.open_votes() {
            self.send_vote(signed);
        }
        if self.synchrony.is_some()
            && let Some(block) = (self.views.get(&self.view)).and_then(|open| open.own.voted_for())
            && let Some((proposal, _)) = self.proposal_of(block)
        {
            self.send_all(Message::Proposal(proposal));
        }
        let commands = self.pool.oldest(MAX_COMMANDS, MAX_TAIL_BYTES);
        if !commands.is_empty() {
            self.send_all(Message::Commands(commands));
        }
        self.request_seals();
    }

    /// This member's votes in its view, and in that of the last block that is not committed.
    fn open_votes(&self) -> Vec<SignedVote> {
        let last = (self.views.iter().rev()).find(|(_, open)| open.notarized_block().is_some());
        let views = last.map(|(view, _)| *view).into_iter().chain([self.view]);
        views
            .filter_map(|view| self.views.get(&view))
            .flat_map(|open| open.own.votes.iter().copied())
            .collect()
    }

    pub(super) fn send_status(&mut self, to: MemberSet, stuck: bool) {
        // Who is stuck says from where on it lacks certificates: without those it can neither propose nor vote.
        let gap = if stuck { self.first_gap() } else { None };
        let view = gap.unwrap_or(self.view);
        let status = Status {
            view,
            height: self.log.height(),
            stuck,
        };
        self.send(to, Message::Status(status));
    }

    /// R9: helps a member that is behind, and asks for help if this one is.
    pub(super) fn on_status(&mut self, from: Member, status: Status) {
        self.peers.set_status(from, status);
        let height = self.log.height();
        if status.height > height {
            self.catch_up.heard_of(status.height, self.now);
        }
        let level = (status.height, status.view) == (height, self.view);
        if (level && !status.stuck)
            || !self
                .peers
                .may_answer(from, self.now, self.settings.delay / 2)
        {
            return;
        }
        if level {
            let votes = self.open_votes();
            for signed in votes {
                let message = self.vote_message(signed);
                self.send(MemberSet::one(from), message);
            }
        } else if status.height == height && status.view < self.view {
            if self.epoch.mutants.has(Mutant::NeverHelp) {
                return;
            }
            let certificates = self.certificates_from(status.view);
            self.send(MemberSet::one(from), Message::Certificates(certificates));
            self.help_in_time(from, status.view);
        } else {
            self.send_status(MemberSet::one(from), false);
        }
    }

    /// Certificates that lead from this view on, the latest one last.
    fn certificates_from(&self, view: View) -> Vec<Certificate> {
        (self.views.range(view..))
            .flat_map(|(_, open)| {
                let all = open.certificates();
                // Under partial synchrony either leads on.
                let enough = if self.synchrony.is_some() { 2 } else { 1 };
                all.into_iter().take(enough)
            })
            .take(MAX_CERTIFICATES)
            .collect()
    }

    /// Asks to be woken when something is due.
    pub(super) fn set_alarm(&mut self) {
        let next = [
            self.view_ends_at().filter(|_| !self.has_given_up()),
            self.due_in_time(),
            self.timing
                .late
                .filter(|late| self.epoch.leader(self.view) == self.me && *late > self.now),
            self.timing.repeat,
            self.catch_up.due(&self.settings, self.epoch.size()),
            Some(self.timing.beat),
        ];
        let next = next.into_iter().flatten().min().unwrap_or(Time::NEVER);
        // What is due already is looked at again soon; an alarm that has rung is none.
        let next = next.max(self.now + Duration::from_millis(1));
        if next != self.timing.alarm || self.timing.alarm <= self.now {
            self.timing.alarm = next;
            self.outputs.push_back(Output::WakeAt(next));
        }
    }

    /// When the view is given up: not before the clock of a block has had its time.
    fn view_ends_at(&self) -> Option<Time> {
        (self.timing.deadline)
            .map(|deadline| deadline.max(self.clock_holds_until().unwrap_or(deadline)))
    }

    fn has_given_up(&self) -> bool {
        self.views.get(&self.view).is_some_and(|open| open.given_up)
    }
}
