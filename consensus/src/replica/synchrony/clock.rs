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

/// The clock of a block in this member's view (S2).
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
    /// S2, S4: runs the clock of the block that this member voted for in its view, or, if it voted for none, of one that is
    /// certified.
    pub(in crate::replica) fn keep_clock(&mut self) {
        let Some(synchrony) = &self.synchrony else {
            return;
        };
        let (bound, view, now) = (synchrony.bound, self.view, self.now);
        let Some(open) = self.views.get(&view) else {
            return;
        };
        let certified = || open.best()?.claim.votes().0.block();
        let Some(block) = open.own.voted_for().or_else(certified) else {
            return;
        };
        let leads = self.epoch.leader(view) == self.me;
        let mut clock = match synchrony.clock.filter(|clock| clock.block == block) {
            Some(clock) => clock,
            None => Clock {
                block,
                hand_on: if leads { now } else { now + bound / 4 },
                running: None,
            },
        };
        if clock.running.is_none() && now >= clock.hand_on {
            // A leader that has voted in this very moment has told everybody.
            let told = leads && synchrony.voted == Some(now);
            let signature = self.relay(block, told);
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
            synchrony.clock = Some(clock);
        }
        if let Some(running) = unnoted {
            self.note_absent(block, running.signature, running.since);
        }
        if over.is_some() {
            self.settle_block(block);
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
        // A void view is left at once, so this one is not.
        if open.strength_of(block) == 0 {
            return;
        }
        open.settled = Some(block);
        self.finalize(block);
        self.enter(block.view + 1);
    }

    fn clock(&self, view: View) -> Option<Clock> {
        let clock = self.synchrony.as_ref()?.clock;
        clock.filter(|clock| clock.block.view == view)
    }

    /// When the clock of this member's view has something to do.
    pub(super) fn clock_due(&self) -> Option<Time> {
        let clock = self.clock(self.view)?;
        Some(clock.running.map_or(clock.hand_on, |running| running.end))
    }

    /// Until when the clock of this member's view keeps it there.
    pub(in crate::replica) fn clock_holds_until(&self) -> Option<Time> {
        let bound = self.synchrony.as_ref()?.bound;
        let clock = self.clock(self.view)?;
        let end = (clock.running).map_or(clock.hand_on + bound * 2, |running| running.end);
        Some(end + bound)
    }
}
