//! S2 and S4: handing a block on, and the time that everybody has to object.

use super::Replica;
use crate::{
    application::Application,
    block::BlockId,
    epoch::View,
    identity::Signature,
    member::MemberSet,
    message::{Message, Proposal},
    mutant::Mutant,
    time::Time,
    vote::Vote,
};

/// The clock of a block, in a view that this member is in or has left (S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    pub block: BlockId,
    /// When the block is handed on to those who may not have it.
    hand_on: Time,
    /// Once it is.
    running: Option<Running>,
}

/// A clock that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Running {
    /// Since when everybody has the block, or will have it after Δ.
    since: Time,
    /// When everybody's objections are here.
    end: Time,
    /// The leader's signature.
    signature: Signature,
    /// Whether it was noted who is not heard of (S8).
    noted: bool,
}

impl<A: Application> Replica<A> {
    /// S2: begins the clock of a block that this member votes for, or that is certified in a view where it voted for none. A
    /// view that it left, because of what came of a later one, is no exception: nobody could build on its block or past it.
    pub(in crate::replica) fn begin_clock(&mut self, block: BlockId) {
        let leads = self.epoch.leader(block.view) == self.me;
        let voted = (self.views.get(&block.view)).and_then(|open| open.own.voted_for());
        let now = self.now;
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        let known = synchrony.clocks.get(&block.view);
        if known.is_some_and(|clock| clock.block == block) || voted.is_some_and(|own| own != block)
        {
            return;
        }
        let clock = Clock {
            block,
            hand_on: if leads {
                now
            } else {
                now + synchrony.bound / 4
            },
            running: None,
        };
        synchrony.clocks.insert(block.view, clock);
    }

    /// S2, S4: does what clocks say now.
    pub(in crate::replica) fn keep_clocks(&mut self) {
        let views: Vec<View> = match &self.synchrony {
            Some(synchrony) => synchrony.clocks.keys().copied().collect(),
            None => return,
        };
        for view in views {
            self.keep_clock(view);
        }
    }

    /// Whether a view needs no clock: it is void, settled, or followed by a commit, or its block is preferred.
    fn is_decided(&self, block: BlockId) -> bool {
        let committed =
            (self.target.as_ref()).is_some_and(|target| target.claim.view() >= block.view);
        let open = self.views.get(&block.view);
        committed
            || open.is_none_or(|open| {
                open.is_void() || open.settled.is_some() || open.strength_of(block) > 1
            })
    }

    fn keep_clock(&mut self, view: View) {
        let (now, me) = (self.now, self.me);
        let clock = self.clock(view);
        let Some((mut clock, synchrony)) = clock.zip(self.synchrony.as_mut()) else {
            return;
        };
        let (bound, voted) = (synchrony.bound, synchrony.voted);
        if self.is_decided(clock.block) {
            self.synchrony
                .as_mut()
                .and_then(|synchrony| synchrony.clocks.remove(&view));
            return;
        }
        if clock.running.is_none() && now >= clock.hand_on {
            // A leader that has voted in this very moment has told everybody.
            let told = self.epoch.leader(view) == me && voted == Some(now);
            let signature = self.relay(clock.block, told);
            let wait = if self.epoch.mutants.has(Mutant::HalfClock) {
                bound
            } else if self.epoch.mutants.has(Mutant::NoClock) {
                bound / 4
            } else {
                bound * 2
            };
            clock.running = signature.map(|signature| Running {
                since: now,
                end: now + wait,
                signature,
                noted: false,
            });
        }
        let over = clock.running.filter(|running| now >= running.end);
        let unnoted = over.filter(|running| !running.noted && now >= running.since + bound * 2);
        if let (Some(_), Some(running)) = (unnoted, &mut clock.running) {
            running.noted = true;
        }
        if let Some(synchrony) = &mut self.synchrony {
            synchrony.clocks.insert(view, clock);
        }
        if let Some(running) = unnoted {
            self.note_absent(clock.block, running.signature, running.since);
        }
        if over.is_some() {
            self.settle_block(clock.block);
        }
    }

    /// S2: hands the block on to those who have not voted for it, and gives the leader's signature. Without that, which a
    /// crash takes, nothing can be handed on.
    fn relay(&mut self, block: BlockId, told: bool) -> Option<Signature> {
        let (proposal, have) = self.proposal_of(block)?;
        let signature = proposal.signature;
        if !told && !self.epoch.mutants.has(Mutant::NeverRelay) {
            let to = self.epoch.all().without(have);
            self.send(to, Message::Proposal(proposal));
        }
        Some(signature)
    }

    /// The leader's proposal of a block, as it came, and who is known to have it.
    pub(in crate::replica) fn proposal_of(&self, block: BlockId) -> Option<(Proposal, MemberSet)> {
        let open = self.views.get(&block.view)?;
        let leader = self.epoch.leader(block.view);
        let sound = open.proposal.clone().filter(|sound| sound.id() == block)?;
        let tally = open.tally(Vote::Notarize(block))?;
        let signature = tally
            .valid()
            .contains(leader)
            .then(|| tally.signature(leader))??;
        let proposal = Proposal {
            block: sound.block().clone(),
            signature,
            justification: self.justification(sound.parent(), block.view),
        };
        Some((
            proposal,
            open.supporters(block).union(MemberSet::one(leader)),
        ))
    }

    /// S4: nobody objected in time.
    fn settle_block(&mut self, block: BlockId) {
        let Some(open) = self.views.get_mut(&block.view) else {
            return;
        };
        if open.strength_of(block) == 0 {
            return;
        }
        open.settled = Some(block);
        self.finalize(block);
        self.enter(block.view + 1);
    }

    fn clock(&self, view: View) -> Option<Clock> {
        self.synchrony.as_ref()?.clocks.get(&view).copied()
    }

    /// When a clock has something to do.
    pub(super) fn clock_due(&self) -> Option<Time> {
        let clocks = self.synchrony.as_ref()?.clocks.values();
        let due = |clock: &Clock| clock.running.map_or(clock.hand_on, |running| running.end);
        clocks.map(due).filter(|due| *due > self.now).min()
    }

    /// Until when the clock of this member's view keeps it there.
    pub(in crate::replica) fn clock_holds_until(&self) -> Option<Time> {
        let bound = self.synchrony.as_ref()?.bound;
        let clock = self.clock(self.view)?;
        let end = (clock.running).map_or(clock.hand_on + bound * 2, |running| running.end);
        Some(end + bound)
    }
}
