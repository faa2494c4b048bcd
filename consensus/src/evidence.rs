//! Proofs of misbehaviour.

use crate::{
    epoch::Epoch,
    hash::Hash,
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

    /// Whether it proves to an outsider, who knows nothing of the epoch but its id, that the culprit misbehaved there.
    ///
    /// The id is enough: it is part of what is signed, and stands for members, terms and first state. Whoever signs two
    /// such votes under one id has done what no honest member does, whether or not there ever was an epoch of this id.
    /// Only votes of one view count, each of which is on the member's disk before it is sent (R13). Seals do not: a member
    /// makes them from what it executed, so with a cluster over its bound, and a disk that has lost what was not synced,
    /// an honest one can be brought to sign two.
    pub fn proves(&self, network: Hash, epoch: Hash, verifier: &dyn Verifier) -> bool {
        let of_views = |vote: &Vote| !matches!(vote, Vote::Seal(_));
        let signed = |signed: &SignedVote| {
            let text = signed.vote.text_in(network, epoch);
            verifier.verify(self.culprit, text.statement(), &signed.signature)
        };
        of_views(&self.first.vote)
            && of_views(&self.second.vote)
            && self.first.vote.contradicts(&self.second.vote)
            && signed(&self.first)
            && signed(&self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::BlockId,
        ed25519::{Ed25519Signer, Ed25519Verifier},
        epoch::Terms,
        identity::Signer,
        vote::Seal,
    };

    #[test]
    fn two_votes_and_the_epochs_id_are_enough_and_two_seals_are_not() {
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        let network = Hash([9; 32]);
        let members = vec![signer.id()];
        let found = |number| {
            Epoch::new(
                network,
                Hash([3; 32]),
                number,
                Terms::default(),
                members.clone(),
            )
            .unwrap()
        };
        let epoch = found(0);
        let block = |hash| BlockId {
            view: 4,
            height: 2,
            hash: Hash([hash; 32]),
        };
        let seal = |hash| {
            Vote::Seal(Seal {
                block: block(hash),
                outcomes: Hash::default(),
                state: None,
                successors: None,
            })
        };
        let evidence = |first, second| Evidence {
            culprit: signer.id(),
            first: SignedVote::new(first, &epoch, &signer),
            second: SignedVote::new(second, &epoch, &signer),
        };
        let two = evidence(Vote::Notarize(block(1)), Vote::Notarize(block(2)));
        assert!(two.proves(network, epoch.id(), &Ed25519Verifier));
        assert!(!two.proves(network, found(1).id(), &Ed25519Verifier));
        assert!(!two.proves(Hash([8; 32]), epoch.id(), &Ed25519Verifier));
        let other = Evidence {
            culprit: Ed25519Signer::from_secret(&[2; 32]).id(),
            ..two.clone()
        };
        assert!(!other.proves(network, epoch.id(), &Ed25519Verifier));
        let one = evidence(Vote::Notarize(block(1)), Vote::Finalize(block(1)));
        assert!(!one.proves(network, epoch.id(), &Ed25519Verifier));
        let seals = evidence(seal(1), seal(2));
        assert!(seals.verify(&epoch, &Ed25519Verifier));
        assert!(!seals.proves(network, epoch.id(), &Ed25519Verifier));
    }
}
