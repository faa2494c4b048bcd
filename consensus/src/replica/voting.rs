//! R2 to R6, R14: this member's votes, and those of others.

use super::{PROPOSALS_AHEAD, Replica, VIEWS_AHEAD, certify::Purpose, synchrony::Judgement};
use crate::{
    application::Application,
    block::{BlockId, SoundBlock},
    certificate::Claim,
    check::Item,
    epoch::View,
    member::Member,
    message::{Message, Proposal},
    mutant::Mutant,
    storage::Record,
    view::Contradiction,
    vote::{SignedVote, Vote},
};

impl<A: Application> Replica<A> {
    /// Casts a vote: signs it, writes it down, counts it and sends it (R13).
    pub(super) fn cast(&mut self, vote: Vote) {
        let signed = SignedVote::new(vote, &self.epoch, &*self.signer);
        if !self.epoch.mutants.has(Mutant::ForgetVotes) {
            self.record(&Record::Vote(signed));
            self.must_sync = true;
        }
        let me = self.me;
        let open = self.open(vote.view());
        open.own.votes.push(signed);
        open.accept(me, vote, signed.signature);
        self.send_vote(signed);
        self.count(vote);
    }

    pub(super) fn send_vote(&mut self, signed: SignedVote) {
        let message = self.vote_message(signed);
        self.send_all(message);
    }

    /// What says an own vote. A leader's `Notarize` travels with its block.
    pub(super) fn vote_message(&self, signed: SignedVote) -> Message {
        let view = signed.vote.view();
        let leads = self.epoch.leader(view) == self.me;
        match (self.views.get(&view)).and_then(|open| open.proposal.as_ref()) {
            Some(block) if leads && signed.vote == Vote::Notarize(block.id()) => {
                Message::Proposal(Proposal {
                    block: block.block().clone(),
                    signature: signed.signature,
                    justification: self.justification(block.parent(), view),
                })
            }
            _ => Message::Vote(signed),
        }
    }

    /// A leader's block came (R2).
    pub(super) fn on_proposal(&mut self, from: Member, proposal: &Proposal) {
        let header = &proposal.block.header;
        let view = header.view;
        if header.epoch != self.epoch.id() {
            return;
        }
        if self.synchrony.is_some() {
            return self.on_proposal_in_time(from, proposal);
        }
        if self.epoch.leader(view) != from {
            return;
        }
        self.timing.trust(from);
        self.on_certificates(from, &proposal.justification);
        if view <= self.floor() || view > self.view + PROPOSALS_AHEAD {
            return;
        }
        let id = header.id();
        let known = (self.views.get(&view)).and_then(|open| open.proposal.as_ref());
        if known.is_none() {
            let Some(block) = SoundBlock::check(proposal.block.clone()) else {
                return;
            };
            self.blocks.insert(id.hash, block.clone());
            self.open(view).proposal = Some(block);
            self.execute_target();
        } else if self.epoch.mutants.has(Mutant::VoteTwice)
            && known.is_some_and(|known| known.id() != id)
            && let Some(block) = SoundBlock::check(proposal.block.clone())
            && self.judge(block.parent(), view) == Judgement::Good
        {
            self.blocks.insert(id.hash, block);
            self.cast(Vote::Notarize(id));
        }
        self.on_vote(
            from,
            SignedVote {
                vote: Vote::Notarize(id),
                signature: proposal.signature,
            },
        );
        self.notarize_late(view);
    }

    /// R2, in the view that this member is in.
    pub(super) fn notarize(&mut self) {
        let Some(open) = self.views.get(&self.view) else {
            return;
        };
        let Some(block) = &open.proposal else {
            return;
        };
        if open.own.first().is_some()
            || open.given_up
            || !self.is_voting_time()
            || !self.may_vote_in(self.view)
        {
            return;
        }
        match self.judge(block.parent(), self.view) {
            Judgement::Good => self.vote_for(block.clone()),
            Judgement::Open => {}
            Judgement::Bad => self.give_up(),
        }
    }

    /// R2, in a view that this member left by finalizing the block without having cast a first vote.
    fn notarize_late(&mut self, view: View) {
        let Some(open) = self.views.get(&view).filter(|_| view < self.view) else {
            return;
        };
        if let Some(block) = &open.proposal
            && open.own.first().is_none()
            && open.own.finalized() == Some(block.id())
        {
            self.vote_for(block.clone());
        }
    }

    /// Writes the block down and casts `Notarize` for it.
    pub(super) fn vote_for(&mut self, block: SoundBlock) {
        // If the block does not get through, its commands still wait, here as with everybody who hears of them.
        self.accept_commands(&block);
        self.record(&Record::Block(block.block().clone()));
        self.cast(Vote::Notarize(block.id()));
        self.note_vote(block.id());
    }

    /// Writes the block down and casts `Support` for it, though this member gave up its view before (S1).
    pub(super) fn support(&mut self, block: SoundBlock) {
        self.record(&Record::Block(block.block().clone()));
        self.cast(Vote::Support(block.id()));
        self.note_vote(block.id());
    }

    /// Whether a block of `view` may have this parent: it is notarized or committed, and all views between
    /// are nullified. Under synchrony more is asked (S1).
    pub(super) fn judge(&self, parent: BlockId, view: View) -> Judgement {
        if self.synchrony.is_some() {
            return self.judge_in_time(parent, view);
        }
        let notarized = parent == self.log.tip()
            || (self.views.get(&parent.view))
                .is_some_and(|open| open.notarization_of(parent).is_some());
        let nullified = self.epoch.mutants.has(Mutant::SkipNullifications)
            || (parent.view + 1..view).all(|between| {
                (self.views.get(&between)).is_some_and(|open| open.nullified.is_some())
            });
        if parent.view >= self.floor() && parent.view < view && notarized && nullified {
            Judgement::Good
        } else {
            Judgement::Open
        }
    }

    /// R3: gives up the view that this member is in.
    pub(super) fn give_up(&mut self) {
        let view = self.view;
        let open = self.open(view);
        open.given_up = true;
        if open.own.first().is_none() {
            self.cast(Vote::Nullify(view));
        }
    }

    /// R4 and R5, in the view that this member is in.
    pub(super) fn second_votes(&mut self) {
        if self.synchrony.is_some() {
            return self.second_votes_in_time();
        }
        let (view, enough) = (self.view, self.epoch.honest());
        let Some(open) = self.views.get(&view) else {
            return;
        };
        let (Some(first), None) = (open.own.first(), open.own.finalized()) else {
            return;
        };
        let mut casts = Vec::new();
        let mut unsure = false;
        if let Vote::Notarize(block) = first
            && open.given_up
            && !open.own.gave(Vote::Abandon(view))
            && !self.epoch.mutants.has(Mutant::NeverAbandon)
        {
            if open.against(block, true).len() >= enough
                || self.epoch.mutants.has(Mutant::AbandonFreely)
            {
                casts.push(Vote::Abandon(view));
            } else {
                unsure |= open.against(block, false).len() >= enough;
            }
        }
        let needed = if self.epoch.mutants.has(Mutant::SupportFreely) {
            1
        } else {
            enough
        };
        for block in open.other_blocks(first) {
            if open.own.gave(Vote::Support(block)) || self.epoch.mutants.has(Mutant::NeverSupport) {
                continue;
            }
            if open.votes_for(block, true).len() >= needed {
                casts.push(Vote::Support(block));
            } else {
                unsure |= open.votes_for(block, false).len() >= needed;
            }
        }
        if unsure {
            self.check_votes(view, Vote::is_first);
        }
        for vote in casts {
            self.cast(vote);
        }
    }

    /// A fellow member's vote came.
    pub(super) fn on_vote(&mut self, from: Member, signed: SignedVote) {
        let view = signed.vote.view();
        if view <= self.floor() || view > self.view + VIEWS_AHEAD {
            return;
        }
        let (new, contradiction) = self.open(view).hear(from, signed);
        if let Some(contradiction) = contradiction {
            self.suspect_contradiction(from, contradiction);
        }
        if !new {
            return;
        }
        if self.epoch.mutants.has(Mutant::TrustVotes) {
            self.open(view).accept(from, signed.vote, signed.signature);
        }
        self.count(signed.vote);
    }

    /// R14: contradictory votes are evidence if both signatures are good.
    pub(super) fn suspect_contradiction(&mut self, from: Member, (first, second): Contradiction) {
        if self.checks.accused.contains(from) && self.synchrony.is_none() {
            return;
        }
        let items = [first, second].map(|signed| Item {
            member: from,
            vote: signed.vote,
            signature: signed.signature,
        });
        self.check(items.to_vec(), Purpose::Evidence);
    }

    /// Certifies what a vote may have completed.
    pub(super) fn count(&mut self, vote: Vote) {
        match vote {
            Vote::Notarize(block) => {
                self.certify(Claim::Notarized(block));
                self.certify(self.epoch.strong_claim(block));
            }
            Vote::Support(block) => self.certify(Claim::Notarized(block)),
            Vote::Nullify(view) | Vote::Abandon(view) => self.certify(Claim::Nullified(view)),
            Vote::Finalize(block) => self.certify(Claim::Finalized(block)),
            Vote::Seal(_) => {}
        }
    }

    /// R6: on a notarization, while in its view or before. Under synchrony, on what it takes there (S4), later as well: who could
    /// neither build on the block nor past it has voted for nothing since.
    pub(super) fn finalize(&mut self, block: BlockId) {
        let in_time = block.view >= self.view || self.may_finalize_late(block);
        let may = in_time
            && !self.recovering
            && self.may_vote_in(block.view)
            && !self.open(block.view).is_void()
            && (self.open(block.view).own.may_finalize(block)
                || self.epoch.mutants.has(Mutant::FinalizeAlways));
        if may && !self.open(block.view).own.gave(Vote::Finalize(block)) {
            self.cast(Vote::Finalize(block));
        }
    }
}
