//! S8: noticing that the bound does not hold.

use super::Replica;
use crate::{
    application::Application,
    block::BlockId,
    epoch::View,
    evidence::Evidence,
    identity::Signature,
    io::Output,
    member::{Member, MemberSet},
    mutant::Mutant,
    replica::certify::Rests,
    time::Time,
    vote::{SignedVote, Vote},
};

/// How many views are remembered whose clocks ended.
pub const MAX_PAST: usize = 64;

/// A view whose clock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Past {
    block: BlockId,
    /// The leader's signature over it.
    signature: Signature,
    /// Who did not answer within two bounds.
    absent: MemberSet,
}

impl<A: Application> Replica<A> {
    /// Notes who was not heard of since this member handed a block on, two bounds ago.
    pub(super) fn note_absent(&mut self, block: BlockId, signature: Signature, since: Time) {
        let told = (self.synchrony.as_ref()).is_some_and(|synchrony| synchrony.is_over);
        if told || self.is_over() {
            // Members may have left.
            return;
        }
        // Who voted for the block, or proposed it, was not asked.
        let voted = (self.views.get(&block.view))
            .map_or(MemberSet::EMPTY, |open| open.supporters(block))
            .union(MemberSet::one(self.epoch.leader(block.view)))
            .union(MemberSet::one(self.me));
        // Who was never heard of may not have begun.
        let here = self.peers.here();
        let deaf = self.epoch.mutants.has(Mutant::MissAll);
        let heard =
            |member: Member| !deaf && self.peers.last_heard(member).is_some_and(|at| at >= since);
        let absent = (here.without(voted).iter()).filter(|member| !heard(*member));
        let past = Past {
            block,
            signature,
            absent: absent.collect(),
        };
        if let Some(synchrony) = &mut self.synchrony {
            if synchrony.past.len() == MAX_PAST {
                synchrony.past.pop_front();
            }
            synchrony.past.push_back(past);
        }
        self.look_for_asynchrony();
    }

    /// Whether those who did not answer in some view and those who are proved to be faulty are more than may be. A member
    /// that is proved so later counts as well: who split the cluster in a view shows it when the halves meet again.
    pub(in crate::replica) fn look_for_asynchrony(&mut self) {
        let (accused, faults) = (self.checks.accused, self.epoch.faults());
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        let outbox = &mut self.outbox;
        synchrony.past.retain(|past| {
            let over = past.absent.union(accused).len() > faults && !past.absent.is_empty();
            if over {
                outbox.push(Output::Asynchrony {
                    view: past.block.view,
                    absent: past.absent,
                });
            }
            !over
        });
    }

    pub(super) fn has_past(&self, view: View) -> bool {
        (self.synchrony.as_ref())
            .is_some_and(|synchrony| synchrony.past.iter().any(|past| past.block.view == view))
    }

    /// A block comes of a view long settled: whether it is another than the one that was settled.
    pub(super) fn compare_with_past(&mut self, from: Member, other: BlockId, signature: Signature) {
        let leader = self.epoch.leader(other.view);
        let past = (self.synchrony.as_ref()).and_then(|synchrony| {
            (synchrony.past.iter()).find(|past| past.block.view == other.view)
        });
        let (Some(past), Some(culprit)) = (past, self.epoch.peer(leader)) else {
            return;
        };
        if past.block == other || self.checks.accused.contains(leader) {
            return;
        }
        let signed = |block, signature| SignedVote {
            vote: Vote::Notarize(block),
            signature,
        };
        let evidence = Evidence {
            culprit,
            first: signed(past.block, past.signature),
            second: signed(other, signature),
        };
        self.admit(from, Vec::new(), Rests::Evidence(Box::new(evidence)));
    }
}
