//! S3 and S6: leaders that propose two blocks, and what everybody is told of a view that is passed over.

use super::Replica;
use crate::{
    application::Application,
    block::SoundBlock,
    certificate::{Certificate, Claim},
    epoch::View,
    evidence::Evidence,
    member::{Member, MemberSet},
    message::{MAX_CERTIFICATES, Message, Proposal},
    mutant::Mutant,
    replica::{VIEWS_AHEAD, certify::Rests},
    vote::{SignedVote, Vote},
};
use std::time::Duration;

impl<A: Application> Replica<A> {
    /// A proposal came, from the leader or from whoever hands it on (S2): its signatures are checked first.
    pub(in crate::replica) fn on_proposal_in_time(&mut self, from: Member, proposal: &Proposal) {
        // Whoever does not answer is missed (S8).
        self.send_status(MemberSet::one(from), false);
        let header = &proposal.block.header;
        let (view, id) = (header.view, header.id());
        if view > self.view + VIEWS_AHEAD {
            return;
        }
        if view <= self.floor() {
            self.show_commit(from);
            return self.compare_with_past(from, id, proposal.signature);
        }
        let leader = self.epoch.leader(view);
        let known = (self.views.get(&view)).is_some_and(|open| {
            let signed = open.tally(Vote::Notarize(id));
            open.equivocation.is_some()
                || (open.proposal.as_ref()).is_some_and(|known| known.id() == id)
                    && signed.is_some_and(|tally| tally.valid().contains(leader))
        });
        if !known {
            let rests = Rests::Proposal(Box::new(proposal.clone()));
            self.admit(from, proposal.justification.clone(), rests);
        }
    }

    /// A proposal whose leader's signature is good.
    pub(in crate::replica) fn on_checked_proposal(&mut self, proposal: &Proposal) {
        let view = proposal.block.header.view;
        if view <= self.floor() {
            return;
        }
        let leader = self.epoch.leader(view);
        self.timing.trust(leader);
        if (self.views.get(&view)).is_none_or(|open| open.proposal.is_none()) {
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
        if self.epoch.mutants.has(Mutant::VoteTwice)
            && (self.open(view).own.first()).is_some_and(|first| first != signed.vote)
        {
            self.cast(signed.vote);
        }
        self.count(signed.vote);
    }

    /// Somebody shows that a leader proposed two blocks (S3).
    pub(in crate::replica) fn on_message_evidence(&mut self, from: Member, evidence: &Evidence) {
        let view = evidence.first.vote.view();
        let useful = if view <= self.floor() {
            self.show_commit(from);
            self.has_past(view)
        } else {
            self.show_certified(from, view);
            (self.views.get(&view)).is_none_or(|open| open.equivocation.is_none())
        };
        if self.synchrony.is_some()
            && useful
            && view <= self.view + VIEWS_AHEAD
            && evidence.is_equivocation()
            && self.epoch.position(evidence.culprit) == Some(self.epoch.leader(view))
        {
            let rests = Rests::Evidence(Box::new(evidence.clone()));
            self.admit(from, Vec::new(), rests);
        }
    }

    /// S3: the leader of a view is proved to have proposed two blocks.
    pub(in crate::replica) fn on_equivocation(&mut self, evidence: Evidence) {
        let view = evidence.first.vote.view();
        let deaf = self.epoch.mutants.has(Mutant::NoObjection);
        if self.synchrony.is_none() || view <= self.floor() || !evidence.is_equivocation() || deaf {
            return;
        }
        let open = self.open(view);
        if open.equivocation.is_none() {
            open.equivocation = Some(Box::new(evidence));
            self.on_void(view);
        }
    }

    /// S6: a view may be passed over, for its nullification or for the proof against its leader. Others hear of that from
    /// here, and of what was certified there.
    pub(in crate::replica) fn on_void(&mut self, view: View) {
        let now = self.now;
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        let wait = if self.epoch.mutants.has(Mutant::NoRipening) {
            Duration::ZERO
        } else {
            synchrony.bound * 2
        };
        let open = self.views.entry(view).or_default();
        let ripe = *open.ripe.get_or_insert(now + wait);
        synchrony.ripe = synchrony.ripe.max(ripe);
        if !self.recovering && !self.epoch.mutants.has(Mutant::KeepVoid) {
            self.tell_view(self.epoch.all(), view);
            let here = self.peers.here();
            self.open(view).told = here;
        }
    }

    /// S6: a member speaks of a view that this one has executed, for which it may be about to settle another block, or which it
    /// may be about to pass over: it is shown what is committed, if it was not lately.
    fn show_commit(&mut self, to: Member) {
        let Some(synchrony) = &self.synchrony else {
            return;
        };
        let interval = synchrony.bound / 2;
        let newest = self.target.as_ref().or(self.log.tip_certificate());
        let Some(certificate) = newest.cloned() else {
            return;
        };
        let view = certificate.claim.view();
        if self.peers.may_show(to, view, self.now, interval)
            && !self.epoch.mutants.has(Mutant::KeepCommits)
        {
            self.send(MemberSet::one(to), Message::Certificates(vec![certificate]));
        }
    }

    /// S6: certificates came that may say that an executed view can be passed over.
    pub(in crate::replica) fn compare_with_commits(
        &mut self,
        from: Member,
        certificates: &[Certificate],
    ) {
        let floor = self.floor();
        let passes = |certificate: &Certificate| matches!(certificate.claim, Claim::Nullified(view) if view <= floor);
        if certificates.iter().any(passes) {
            self.show_commit(from);
        }
        for certificate in certificates {
            if let Claim::Nullified(view) = certificate.claim {
                self.show_certified(from, view);
            }
        }
    }

    /// Tells members what is known against a view, and what is certified there.
    pub(in crate::replica) fn tell_view(&mut self, to: MemberSet, view: View) {
        let Some(open) = self.views.get(&view) else {
            return;
        };
        let (certificates, evidence) = (open.certificates(), open.equivocation.clone());
        if !certificates.is_empty() {
            self.send(to, Message::Certificates(certificates));
        }
        if let Some(evidence) = evidence {
            self.send(to, Message::Evidence(evidence));
        }
    }

    /// R9: what a member in a lower view lacks besides certificates: proofs against leaders, and the block of its view.
    pub(in crate::replica) fn help_in_time(&mut self, from: Member, view: View) {
        if self.synchrony.is_none() {
            return;
        }
        let to = MemberSet::one(from);
        let proofs: Vec<Box<Evidence>> = (self.views.range(view..))
            .filter_map(|(_, open)| open.equivocation.clone())
            .take(MAX_CERTIFICATES)
            .collect();
        for evidence in proofs {
            self.send(to, Message::Evidence(evidence));
        }
        let block = (self.views.get(&view))
            .and_then(|open| open.best())
            .and_then(|best| best.claim.votes().0.block());
        if let Some((proposal, _)) = block.and_then(|block| self.proposal_of(block)) {
            self.send(to, Message::Proposal(proposal));
        }
    }

    /// S6: a block of a void view turns out to be certified.
    pub(in crate::replica) fn on_certified_in_time(&mut self, certificate: &Certificate) {
        let now = self.now;
        let Some(block) = certificate.claim.votes().0.block() else {
            return;
        };
        let Some(open) = self.views.get_mut(&block.view) else {
            return self.begin_clock(block);
        };
        let Some(ripe) = open.ripe else {
            return self.begin_clock(block);
        };
        if now <= ripe && !self.recovering {
            open.told = self.peers.here();
            self.send_all(Message::Certificates(vec![certificate.clone()]));
        } else if now > ripe
            && (open.strength_of(block) == 0 || self.epoch.mutants.has(Mutant::LateUnlocks))
        {
            open.late.push(block);
        }
    }

    /// S6: leaves a view whose leader is proved to have proposed two blocks.
    pub(in crate::replica) fn leave_void(&mut self) {
        while (self.views.get(&self.view)).is_some_and(|open| open.equivocation.is_some()) {
            self.enter(self.view + 1);
        }
    }
}
