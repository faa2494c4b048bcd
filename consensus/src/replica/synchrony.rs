//! S1 to S9: what is different when delays are bounded.
//!
//! Under partial synchrony [`Replica::synchrony`] is `None`, and nothing here happens.

use super::{Replica, certify::Rests};
use crate::{
    application::Application,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    epoch::View,
    evidence::Evidence,
    io::Output,
    member::{Member, MemberSet},
    message::{Message, Proposal},
    mutant::Mutant,
    time::Time,
    vote::{SignedVote, Vote},
};
use std::time::Duration;

/// Members vote in so many views at most while a message is on its way (S1): nobody who hears everything in time
/// is left behind by more views than it listens to.
const VIEWS_PER_BOUND: u32 = 16;
/// The checks of one member's certificates that may be under way at a time. What a member says must be looked at within
/// Δ, so more than one; an honest member sends no more than this within Δ.
const MAX_CHECKS: usize = 64;

/// What the rules of synchrony remember.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Synchrony {
    /// Δ.
    bound: Duration,
    /// When everything is known that others may have seen in views that are nullified (S6).
    ripe: Time,
    /// Until when a member that came back from a crash only listens (S9).
    listens_until: Option<Time>,
    /// When this member last voted for a block.
    voted: Option<Time>,
    /// Whether it came back from a crash.
    restarted: bool,
    clock: Option<Clock>,
}

/// The clock of the block that this member voted for in its view (S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Clock {
    block: BlockId,
    /// When it is handed on to those who may not have it.
    relay: Time,
    /// When everybody's objections are here.
    end: Option<Time>,
    /// Whether it was told that too few were heard.
    told: bool,
}

/// Whether a block may have its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It may.
    Good,
    /// Something that it needs has not come.
    Open,
    /// It passes over what this member knows.
    Bad,
}

impl Synchrony {
    pub fn new(bound: Duration, now: Time, restarted: bool) -> Synchrony {
        Synchrony {
            bound,
            ripe: Time::ZERO,
            listens_until: restarted.then(|| now + bound * 4),
            voted: None,
            restarted,
            clock: None,
        }
    }
}

impl<A: Application> Replica<A> {
    /// The time from which time-outs are made: Δ, or under partial synchrony the driver's guess.
    pub(super) fn delay(&self) -> Duration {
        (self.synchrony.as_ref()).map_or(self.settings.delay, |synchrony| synchrony.bound)
    }

    /// How many checks of one member's certificates may be under way at a time.
    pub(super) fn most_checks(&self) -> usize {
        if self.synchrony.is_some() {
            MAX_CHECKS
        } else {
            1
        }
    }

    /// From when on this member may vote and propose in its view.
    pub(super) fn ripe(&self) -> Time {
        (self.synchrony.as_ref()).map_or(Time::ZERO, |synchrony| {
            (synchrony.ripe).max(synchrony.listens_until.unwrap_or(Time::ZERO))
        })
    }

    /// From when on this member proposes in its view: once that failed, when everybody else is ripe too and this
    /// member knows what they know (S7).
    pub(super) fn may_propose_at(&self) -> Time {
        match &self.synchrony {
            Some(synchrony) if synchrony.ripe > Time::ZERO && self.timing.is_backed_off() => {
                self.ripe() + synchrony.bound * 2
            }
            _ => self.ripe(),
        }
    }

    /// S9: whether this member takes part.
    pub(super) fn takes_part(&self) -> bool {
        (self.synchrony.as_ref()).is_none_or(|synchrony| synchrony.listens_until.is_none())
    }

    /// S1: judges the parent of a block of `view`.
    pub(super) fn judge_in_time(&self, parent: BlockId, view: View) -> Judgement {
        if parent.view < self.floor() || parent.view >= view {
            return Judgement::Bad;
        }
        if self.now < self.ripe() {
            return Judgement::Open;
        }
        let locks = !self.epoch.mutants.has(Mutant::NoLock);
        for between in parent.view + 1..view {
            let Some(open) = self.views.get(&between) else {
                return Judgement::Open;
            };
            if locks && open.locked().is_some() {
                return Judgement::Bad;
            }
            if open.nullified.is_none() {
                return Judgement::Open;
            }
        }
        if parent == self.log.tip() {
            return Judgement::Good;
        }
        let Some(open) = self.views.get(&parent.view) else {
            return Judgement::Open;
        };
        let strength = open.strength_of(parent);
        let preferred = (open.notarized.iter())
            .find(|certificate| certificate.claim.strength() > 1)
            .and_then(|certificate| certificate.claim.votes().0.block());
        if preferred.is_some_and(|preferred| preferred != parent) {
            return Judgement::Bad;
        }
        let settled = open.settled == Some(parent) || open.own.finalized() == Some(parent);
        let passed = strength > 0 && open.nullified.is_some();
        if strength > 1 || settled || passed || self.epoch.mutants.has(Mutant::BuildOnAny) {
            Judgement::Good
        } else {
            Judgement::Open
        }
    }

    /// Whether nothing is known against voting for this block in this member's view, apart from its parent (S1).
    pub(super) fn is_voting_time(&self) -> bool {
        let Some(synchrony) = &self.synchrony else {
            return true;
        };
        let accused = (self.views.get(&self.view)).is_some_and(|open| open.equivocation.is_some());
        let paced = (synchrony.voted)
            .is_none_or(|last| self.now >= last + synchrony.bound / VIEWS_PER_BOUND);
        self.takes_part() && !accused && paced
    }

    /// S1, S5: the second votes of a member that gave up its view or comes late to its block.
    pub(super) fn second_votes_in_time(&mut self) {
        let view = self.view;
        let Some(open) = self.views.get(&view) else {
            return;
        };
        match open.own.first() {
            Some(Vote::Notarize(_))
                if open.given_up
                    && open.own.finalized().is_none()
                    && !open.own.gave(Vote::Abandon(view))
                    && self.takes_part() =>
            {
                self.cast(Vote::Abandon(view));
            }
            Some(Vote::Nullify(_)) if self.is_voting_time() => {
                let Some(block) = open.proposal.clone() else {
                    return;
                };
                if open.own.voted_for().is_none()
                    && self.judge(block.parent(), view) == Judgement::Good
                {
                    self.support(block);
                }
            }
            _ => {}
        }
    }

    /// S2, S4: the clock of the block that this member voted for in its view.
    pub(super) fn keep_clock(&mut self) {
        let Some(synchrony) = &self.synchrony else {
            return;
        };
        let (bound, view, now, ripe) = (synchrony.bound, self.view, self.now, synchrony.ripe);
        let open = self.views.get(&view);
        let Some(block) = open.and_then(|open| open.own.voted_for()) else {
            return;
        };
        if !self.takes_part() {
            return;
        }
        let mut clock = match synchrony.clock.filter(|clock| clock.block == block) {
            Some(clock) => clock,
            None => Clock {
                block,
                relay: if self.epoch.leader(view) == self.me {
                    now
                } else {
                    now + bound / 4
                },
                end: None,
                told: false,
            },
        };
        if clock.end.is_none() && now >= clock.relay && self.relay(block) {
            let wait = if self.epoch.mutants.has(Mutant::HalfClock) {
                bound
            } else {
                bound * 2
            };
            clock.end = Some(now + wait);
        }
        let over = clock.end.is_some_and(|end| now >= end);
        // Others may still wait for their clocks or until they are ripe; then everybody has spoken.
        let spoken = clock
            .end
            .is_some_and(|end| now >= end.max(ripe) + bound * 3);
        if spoken && !clock.told {
            clock.told = self.tell_asynchrony(view);
        }
        if let Some(synchrony) = &mut self.synchrony {
            synchrony.clock = Some(clock);
        }
        if over {
            self.settle_block(block);
        }
    }

    /// S2: hands the proposal on to those who have not voted for it. Without the leader's signature, which a crash takes,
    /// nothing is handed on.
    fn relay(&mut self, block: BlockId) -> bool {
        let Some(open) = self.views.get(&block.view) else {
            return false;
        };
        let leader = self.epoch.leader(block.view);
        let notarize = Vote::Notarize(block);
        let have = open.supporters(block).union(MemberSet::one(leader));
        let (Some(proposal), Some(signature)) = (
            open.proposal.clone().filter(|sound| sound.id() == block),
            open.tally(notarize)
                .and_then(|tally| tally.signature(leader)),
        ) else {
            return false;
        };
        let told = leader == self.me
            && (self.synchrony.as_ref()).is_some_and(|synchrony| !synchrony.restarted);
        if told || self.epoch.mutants.has(Mutant::NeverRelay) {
            // A leader has just told everybody.
            return true;
        }
        let justification = self.justification(proposal.parent(), block.view);
        self.send(
            self.epoch.all().without(have),
            Message::Proposal(Proposal {
                block: proposal.block().clone(),
                signature,
                justification,
            }),
        );
        true
    }

    /// S4: nobody objected in time.
    fn settle_block(&mut self, block: BlockId) {
        let Some(open) = self.views.get(&block.view) else {
            return;
        };
        let accused = open.equivocation.is_some() && !self.epoch.mutants.has(Mutant::NoObjection);
        if accused || open.nullified.is_some() || open.strength_of(block) == 0 {
            return;
        }
        self.open(block.view).settled = Some(block);
        self.finalize(block);
        self.enter(block.view + 1);
    }

    /// S8: more members are silent than may be faulty; whether that is so.
    fn tell_asynchrony(&mut self, view: View) -> bool {
        let Some(open) = self.views.get(&view) else {
            return false;
        };
        let heard = open.heard_any().union(MemberSet::one(self.me));
        let absent = self.epoch.all().without(heard);
        let over = absent.len() > self.epoch.faults();
        if over {
            self.outbox.push(Output::Asynchrony { view, absent });
        }
        over
    }

    /// S3: whoever comes with a proposal is told what is known here of its view.
    pub(super) fn object(&mut self, from: Member, view: View) {
        let answer = if view <= self.floor() {
            self.log.tip_certificate().cloned().into_iter().collect()
        } else {
            let Some(open) = self.views.get(&view) else {
                return;
            };
            let answer = open.certificates();
            let votes = open.own.votes.clone();
            if let Some(evidence) = open.equivocation.clone() {
                self.send(MemberSet::one(from), Message::Evidence(evidence));
            }
            // Whoever asks may have lost them in a crash.
            for signed in votes {
                self.send(MemberSet::one(from), Message::Vote(signed));
            }
            answer
        };
        if !answer.is_empty() {
            self.send(MemberSet::one(from), Message::Certificates(answer));
        }
    }

    /// A proposal came, from the leader or from whoever hands it on: its signatures are checked first (S2).
    pub(super) fn on_proposal_in_time(&mut self, from: Member, proposal: &Proposal) {
        let header = &proposal.block.header;
        let (view, id) = (header.view, header.id());
        self.object(from, view);
        if view <= self.floor() || view > self.view + super::VIEWS_AHEAD {
            return;
        }
        let leader = self.epoch.leader(view);
        let open = self.open(view);
        let known = (open.proposal.as_ref()).is_some_and(|known| known.id() == id)
            && (open.tally(Vote::Notarize(id))).is_some_and(|tally| tally.valid().contains(leader));
        if known || open.equivocation.is_some() {
            return;
        }
        let rests = Rests::Proposal(Box::new(proposal.clone()));
        self.admit(from, proposal.justification.clone(), rests);
    }

    /// A proposal whose leader's signature is good.
    pub(super) fn on_checked_proposal(&mut self, proposal: &Proposal) {
        let view = proposal.block.header.view;
        if view <= self.floor() {
            return;
        }
        let leader = self.epoch.leader(view);
        self.timing.trust(leader);
        if self
            .views
            .get(&view)
            .is_none_or(|open| open.proposal.is_none())
        {
            let Some(block) = SoundBlock::check(proposal.block.clone()) else {
                return;
            };
            self.blocks.insert(block.id().hash, block.clone());
            self.open(view).proposal = Some(block);
            self.execute_target();
        }
        let signed = SignedVote {
            vote: Vote::Notarize(proposal.block.header.id()),
            signature: proposal.signature,
        };
        let open = self.open(view);
        open.accept(leader, signed.vote, signed.signature);
        if let Some(other) = open.other_notarize(leader, signed.vote) {
            self.prove(leader, other, signed);
        }
        self.count(signed.vote);
    }

    /// Somebody shows that a leader proposed two blocks (S3).
    pub(super) fn on_message_evidence(&mut self, from: Member, evidence: &Evidence) {
        let view = evidence.first.vote.view();
        let Some(leader) = self.epoch.position(evidence.culprit) else {
            return;
        };
        if self.synchrony.is_none()
            || view <= self.floor()
            || view > self.view + super::VIEWS_AHEAD
            || self.epoch.leader(view) != leader
            || !evidence.is_equivocation()
            || self.open(view).equivocation.is_some()
        {
            return;
        }
        let rests = Rests::Evidence(Box::new(evidence.clone()));
        self.admit(from, Vec::new(), rests);
    }

    /// S3, S5: the leader of a view is proved to have proposed two blocks.
    pub(super) fn on_equivocation(&mut self, evidence: Evidence) {
        let view = evidence.first.vote.view();
        if self.synchrony.is_none() || view <= self.floor() || !evidence.is_equivocation() {
            return;
        }
        let open = self.open(view);
        if open.equivocation.is_some() {
            return;
        }
        open.equivocation = Some(Box::new(evidence.clone()));
        let best = open.certificates();
        self.send_all(Message::Evidence(Box::new(evidence)));
        if !best.is_empty() {
            self.send_all(Message::Certificates(best));
        }
        if view == self.view && self.takes_part() {
            self.give_up();
        }
    }

    /// S6: a view is nullified. Others hear of it from here, and of what was certified there.
    pub(super) fn on_nullified_in_time(&mut self, view: View) {
        let now = self.now;
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        let wait = if self.epoch.mutants.has(Mutant::NoRipening) {
            Duration::ZERO
        } else {
            synchrony.bound * 2
        };
        let ripe = now + wait;
        synchrony.ripe = synchrony.ripe.max(ripe);
        let open = self.views.entry(view).or_default();
        open.ripe = Some(ripe);
        let certificates = open.certificates();
        if !self.recovering && !self.epoch.mutants.has(Mutant::KeepNullification) {
            self.send_all(Message::Certificates(certificates));
        }
    }

    /// S6: a block of a view that is nullified turns out to be certified.
    pub(super) fn on_certified_in_time(&mut self, certificate: &Certificate) {
        let now = self.now;
        let Some(block) = certificate.claim.votes().0.block() else {
            return;
        };
        let Some(open) = self.views.get_mut(&block.view) else {
            return;
        };
        let Some(ripe) = open.ripe else {
            return;
        };
        if now > ripe {
            open.late.push(block);
        } else if !self.recovering {
            self.send_all(Message::Certificates(vec![certificate.clone()]));
        }
    }

    /// S9: a member that came back begins to take part.
    pub(super) fn wake_up(&mut self) {
        let due = |synchrony: &mut Synchrony| {
            (synchrony.listens_until).is_some_and(|until| self.now >= until)
        };
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        if !due(synchrony) {
            return;
        }
        synchrony.listens_until = None;
        synchrony.clock = None;
        let me = self.me;
        for open in self.views.values_mut() {
            // Votes that were on their way during the crash say nothing about what went with them.
            open.forget_votes();
            for signed in open.own.votes.clone() {
                open.accept(me, signed.vote, signed.signature);
            }
        }
        self.timing.entered(self.now);
    }

    /// When the rules of synchrony have something to do.
    pub(super) fn due_in_time(&self) -> Option<Time> {
        let synchrony = self.synchrony.as_ref()?;
        let clock = (synchrony.clock).filter(|clock| clock.block.view == self.view);
        let clock = clock.map(|clock| match clock.end {
            Some(end) if end <= self.now => end.max(synchrony.ripe) + synchrony.bound * 3,
            Some(end) => end,
            None => clock.relay,
        });
        let paced = (synchrony.voted).map(|last| last + synchrony.bound / VIEWS_PER_BOUND);
        [clock, paced, Some(self.ripe()), Some(self.may_propose_at())]
            .into_iter()
            .flatten()
            .filter(|due| *due > self.now)
            .min()
    }

    /// A block was voted for.
    pub(super) fn note_vote(&mut self) {
        if let Some(synchrony) = &mut self.synchrony {
            synchrony.voted = Some(self.now);
        }
    }

    /// Until when the clock of this member's view keeps it there.
    pub(super) fn clock_holds_until(&self) -> Option<Time> {
        let synchrony = self.synchrony.as_ref()?;
        let clock = (synchrony.clock).filter(|clock| clock.block.view == self.view)?;
        let end = clock.end.unwrap_or(clock.relay + synchrony.bound * 2);
        Some(end + synchrony.bound)
    }

    /// What under synchrony says more about a block than its notarization, if anything does.
    pub(super) fn is_mere_notarization(&self, claim: &Claim) -> bool {
        self.synchrony.is_some() && matches!(claim, Claim::Notarized(_))
    }
}
