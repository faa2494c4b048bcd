//! Proofs of misbehaviour.

use crate::{
    epoch::Epoch,
    identity::{PeerId, Verifier},
    vote::{SignedVote, Vote},
};
use serde::{Deserialize, Serialize};

/// Two votes of one member of which no honest member gives both (R14).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// Who is proved to have misbehaved.
    pub culprit: PeerId,
    /// One vote.
    pub first: SignedVote,
    /// The other.
    pub second: SignedVote,
}

impl Evidence {
    /// Whether it says that the culprit cast first votes for two blocks of one view; as a leader, that it proposed both.
    pub fn is_equivocation(&self) -> bool {
        matches!(
            (self.first.vote, self.second.vote),
            (Vote::Notarize(a), Vote::Notarize(b)) if a.view == b.view && a != b
        )
    }

    /// Whether it proves that a member of this epoch misbehaved in it.
    pub fn verify(&self, epoch: &Epoch, verifier: &dyn Verifier) -> bool {
        epoch.position(self.culprit).is_some()
            && self.first.vote.contradicts(&self.second.vote)
            && self.first.verify(self.culprit, epoch, verifier)
            && self.second.verify(self.culprit, epoch, verifier)
    }
}
