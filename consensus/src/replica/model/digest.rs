//! What tells two states of a replica apart.

use super::super::Replica;
use crate::{
    Application,
    block::SoundBlock,
    certificate::{Certificate, Claim},
    member::MemberSet,
    vote::Vote,
};
use std::hash::{DefaultHasher, Hash, Hasher};

impl<A: Application + Hash> Replica<A> {
    /// A hash of everything that the rules depend on when there is no clock: two replicas with one digest do the same from
    /// now on. Left out are the signer, what waits to be handed out, times, the numbers of records and of signature
    /// checks, and who signed which certificate.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let claim = |certificate: &Certificate| certificate.claim;
        (self.me, self.view, self.log.tip(), &self.log.application).hash(&mut hasher);
        let commits = [self.log.tip_certificate(), self.target.as_ref()];
        commits
            .map(|certificate| certificate.map(claim))
            .hash(&mut hasher);
        for hash in self.blocks.keys() {
            hash.hash(&mut hasher);
        }
        for (view, open) in &self.views {
            let mut votes: Vec<Vote> = open.own.votes.iter().map(|signed| signed.vote).collect();
            votes.sort();
            let proposal = open.proposal.as_ref().map(SoundBlock::id);
            (
                view,
                votes,
                proposal,
                open.given_up,
                open.nullified.is_some(),
            )
                .hash(&mut hasher);
            let notarized: Vec<Claim> = open.notarized.iter().map(claim).collect();
            notarized.hash(&mut hasher);
            let tallies: Vec<(Vote, MemberSet, MemberSet)> = (open.tallies.iter())
                .map(|tally| (tally.vote, tally.heard(), tally.valid()))
                .collect();
            tallies.hash(&mut hasher);
        }
        (
            &self.pool,
            &self.taken_in,
            &self.catch_up,
            self.checks.accused,
        )
            .hash(&mut hasher);
        let timing = &self.timing;
        let late = timing.is_late(self.now);
        (
            timing.deadline.is_some(),
            late,
            timing.suspected,
            timing.fresh,
        )
            .hash(&mut hasher);
        hasher.finish()
    }
}
