//! S1: what a block may be built on.

use super::Replica;
use crate::{application::Application, block::BlockId, epoch::View, mutant::Mutant};

/// Whether a block may have its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replica) enum Judgement {
    /// It may.
    Good,
    /// Something that it needs has not come.
    Open,
    /// It passes over what this member knows.
    Bad,
}

impl<A: Application> Replica<A> {
    /// S1: judges the parent of a block of `view`.
    pub(in crate::replica) fn judge_in_time(&self, parent: BlockId, view: View) -> Judgement {
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
            if !open.is_void() {
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
        let any = self.epoch.mutants.has(Mutant::BuildOnAny);
        if preferred.is_some_and(|preferred| preferred != parent) && !any {
            return Judgement::Bad;
        }
        let settled = open.settled == Some(parent);
        let passed = strength > 0 && open.is_void();
        if strength > 1 || settled || passed || (any && strength > 0) {
            Judgement::Good
        } else {
            Judgement::Open
        }
    }
}
