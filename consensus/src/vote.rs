//! What members sign.

use crate::{
    block::BlockId,
    epoch::{Epoch, Height, View},
    hash::Hash,
    identity::{PeerId, Signature, Signer, Statement},
    mutant::{Mutant, Mutants},
};
use serde::{Deserialize, Serialize};

/// Everything that a member signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Vote {
    /// First vote: the block is valid, and the only one I vote for in its view.
    Notarize(BlockId),
    /// First vote: I have seen no valid block in this view.
    Nullify(View),
    /// Second vote: I voted otherwise, but help this block.
    Support(BlockId),
    /// Second vote: the block that I voted for cannot have been committed unanimously.
    Abandon(View),
    /// I saw the block notarized and give nothing but `Notarize` for it in its view.
    Finalize(BlockId),
    /// What was so after committing a height.
    Seal(Seal),
}

/// What was so after committing a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seal {
    /// The block at this height.
    pub block: BlockId,
    /// The root of the tree of its commands' outcomes.
    pub outcomes: Hash,
    /// The root of the replicated state, at the heights that have snapshots.
    pub state: Option<Hash>,
    /// If the epoch ends with this height, the hash of what follows it (E1): [`Charter::hash`](crate::epoch::Charter::hash).
    pub successors: Option<Hash>,
}

impl Seal {
    /// The height that it is of.
    pub fn height(&self) -> Height {
        self.block.height
    }
}

/// The domain string of all votes.
const DOMAIN: &str = "hamlet v1 vote";

/// What is signed for a vote.
pub struct VoteText {
    network: Hash,
    bytes: [u8; 179],
    length: usize,
}

impl VoteText {
    /// The statement to sign or to check.
    pub fn statement(&self) -> Statement<'_> {
        Statement {
            domain: DOMAIN,
            network: self.network,
            text: &self.bytes[..self.length],
        }
    }
}

impl Vote {
    /// The view that it is about.
    pub fn view(&self) -> View {
        match self {
            Vote::Nullify(view) | Vote::Abandon(view) => *view,
            Vote::Notarize(block) | Vote::Support(block) | Vote::Finalize(block) => block.view,
            Vote::Seal(seal) => seal.block.view,
        }
    }

    /// The block that it is for, if it is for one.
    pub fn block(&self) -> Option<BlockId> {
        match self {
            Vote::Notarize(block) | Vote::Support(block) | Vote::Finalize(block) => Some(*block),
            Vote::Seal(seal) => Some(seal.block),
            Vote::Nullify(_) | Vote::Abandon(_) => None,
        }
    }

    /// Whether it is one of the votes of which every member casts at most one in a view.
    pub fn is_first(&self) -> bool {
        matches!(self, Vote::Notarize(_) | Vote::Nullify(_))
    }

    /// The text that is signed: its length follows from its kind, so no two votes share one.
    pub fn text(&self, epoch: &Epoch) -> VoteText {
        self.text_with(epoch.network(), epoch.id(), epoch.mutants)
    }

    /// The same, for whoever knows nothing of the epoch but its id.
    pub fn text_in(&self, network: Hash, epoch: Hash) -> VoteText {
        self.text_with(network, epoch, Mutants::default())
    }

    fn text_with(&self, network: Hash, epoch: Hash, mutants: Mutants) -> VoteText {
        let mut text = VoteText {
            network,
            bytes: [0; 179],
            length: 0,
        };
        let kind = match self {
            Vote::Notarize(_) => 1,
            Vote::Nullify(_) => 2,
            Vote::Support(_) => 3,
            Vote::Abandon(_) => 4,
            Vote::Finalize(_) => 5,
            Vote::Seal(_) => 6,
        };
        if !mutants.has(Mutant::AnyEpoch) {
            text.push(&epoch.0);
        }
        text.push(&[kind]);
        text.push(&self.view().to_le_bytes());
        if let Some(block) = self.block() {
            text.push(&block.height.to_le_bytes());
            text.push(&block.hash.0);
        }
        if let Vote::Seal(seal) = self {
            text.push(&seal.outcomes.0);
            let successors = match mutants.has(Mutant::UnsignedSuccessors) {
                true => None,
                false => seal.successors,
            };
            for hash in [seal.state, successors] {
                text.push(&[hash.is_some().into()]);
                text.push(&hash.unwrap_or_default().0);
            }
        }
        text
    }

    /// Whether no honest member gives both this vote and `other` (R14).
    pub fn contradicts(&self, other: &Vote) -> bool {
        use Vote::{Abandon, Finalize, Notarize, Nullify, Seal, Support};
        if let (Seal(a), Seal(b)) = (self, other) {
            return a.height() == b.height() && a != b;
        }
        if self.view() != other.view() {
            return false;
        }
        match (self, other) {
            (Seal(_), _) | (_, Seal(_)) => false,
            (Notarize(a) | Finalize(a), Notarize(b) | Finalize(b))
            | (Finalize(a), Support(b))
            | (Support(b), Finalize(a)) => a != b,
            (Notarize(_) | Finalize(_), Nullify(_)) | (Nullify(_), Notarize(_) | Finalize(_)) => {
                true
            }
            (Finalize(_), Abandon(_)) | (Abandon(_), Finalize(_)) => true,
            (Nullify(_), Abandon(_)) | (Abandon(_), Nullify(_)) => true,
            _ => false,
        }
    }
}

impl VoteText {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// A vote with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedVote {
    /// What is said.
    pub vote: Vote,
    /// The signature over it.
    pub signature: Signature,
}

impl SignedVote {
    /// Signs a vote of this epoch.
    pub fn new(vote: Vote, epoch: &Epoch, signer: &dyn Signer) -> SignedVote {
        SignedVote {
            vote,
            signature: signer.sign(vote.text(epoch).statement()),
        }
    }

    /// Whether `by` signed it.
    pub fn verify(
        &self,
        by: PeerId,
        epoch: &Epoch,
        verifier: &dyn crate::identity::Verifier,
    ) -> bool {
        verifier.verify(by, self.vote.text(epoch).statement(), &self.signature)
    }
}
