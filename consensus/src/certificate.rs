//! Certificates: signatures of enough members over one claim, checkable against the epoch alone.

use crate::{
    block::BlockId,
    check::{Check, Item},
    epoch::{Epoch, View},
    identity::{Signature, Verifier},
    member::MemberSet,
    mutant::Mutant,
    vote::{Seal, Vote},
};
use serde::{Deserialize, Serialize};

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Claim {
    /// Others may build on this block.
    Notarized(BlockId),
    /// Others may pass over this view.
    Nullified(View),
    /// This block and its ancestors are committed: a quorum finalized it.
    Finalized(BlockId),
    /// This block and its ancestors are committed: every member's first vote was for it.
    Unanimous(BlockId),
    /// A height is committed, with these outcomes and this state.
    Sealed(Seal),
    /// Under synchrony: of no other block of its view can there be such a certificate.
    Preferred(BlockId),
}

impl Claim {
    /// The view that it is about.
    pub fn view(&self) -> View {
        self.votes().0.view()
    }

    /// The block that it commits, if it commits one.
    pub fn commits(&self) -> Option<BlockId> {
        match self {
            Claim::Finalized(block) | Claim::Unanimous(block) => Some(*block),
            Claim::Notarized(_) | Claim::Preferred(_) | Claim::Nullified(_) | Claim::Sealed(_) => {
                None
            }
        }
    }

    /// The votes that make it: first votes, and second ones if they count as well.
    pub fn votes(&self) -> (Vote, Option<Vote>) {
        match *self {
            Claim::Notarized(block) => (Vote::Notarize(block), Some(Vote::Support(block))),
            Claim::Nullified(view) => (Vote::Nullify(view), Some(Vote::Abandon(view))),
            Claim::Finalized(block) => (Vote::Finalize(block), None),
            Claim::Unanimous(block) | Claim::Preferred(block) => (Vote::Notarize(block), None),
            Claim::Sealed(seal) => (Vote::Seal(seal), None),
        }
    }

    /// Whether it means anything in this epoch: under synchrony all first votes commit nothing by themselves.
    fn is_of(&self, epoch: &Epoch) -> bool {
        match self {
            Claim::Unanimous(block) | Claim::Preferred(block) => {
                *self == epoch.strong_claim(*block)
            }
            _ => true,
        }
    }

    /// How much a certificate of a block says about it.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Claim::Nullified(_) => 0,
            Claim::Notarized(_) => 1,
            Claim::Preferred(_) => 2,
            Claim::Finalized(_) | Claim::Unanimous(_) | Claim::Sealed(_) => 3,
        }
    }

    /// How many members it takes.
    pub fn threshold(&self, epoch: &Epoch) -> usize {
        match self {
            Claim::Unanimous(_) | Claim::Preferred(_) => epoch.strong(),
            _ => epoch.quorum(),
        }
    }
}

/// Signatures of enough members over one claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// What it says.
    pub claim: Claim,
    /// Who signed the first of the claim's votes.
    pub first: MemberSet,
    /// Who signed the second.
    pub second: MemberSet,
    /// The signatures of `first` and then of `second`, each in the order of members.
    pub signatures: Vec<Signature>,
}

impl Certificate {
    /// Whether it could be valid: enough members, each counted once, and a signature of each.
    pub fn is_well_formed(&self, epoch: &Epoch) -> bool {
        let members = self.first.union(self.second);
        let once = self.first.intersection(self.second).is_empty()
            || epoch.mutants.has(Mutant::CountTwice);
        once && self.claim.is_of(epoch)
            && members.without(epoch.all()).is_empty()
            && self.signatures.len() == self.first.len() + self.second.len()
            && self.signatures.len() >= self.claim.threshold(epoch)
            && (self.second.is_empty() || self.claim.votes().1.is_some())
    }

    /// The signature checks that prove it, if it could be valid.
    pub fn items(&self, epoch: &Epoch) -> Option<Vec<Item>> {
        if !self.is_well_formed(epoch) {
            return None;
        }
        let (first, second) = self.claim.votes();
        let voters = (self.first.iter().map(|member| (member, first)))
            .chain((self.second.iter()).filter_map(|member| second.map(|vote| (member, vote))));
        Some(
            voters
                .zip(&self.signatures)
                .map(|((member, vote), signature)| Item {
                    member,
                    vote,
                    signature: *signature,
                })
                .collect(),
        )
    }

    /// Whether it is valid in this epoch.
    pub fn verify(&self, epoch: &Epoch, verifier: &dyn Verifier) -> bool {
        self.items(epoch)
            .is_some_and(|items| Check::valid(&items, epoch, verifier))
    }
}
