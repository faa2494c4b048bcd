//! Signature checks as work for a driver's threads.

use crate::{
    epoch::Epoch,
    identity::{Signature, Verifier},
    member::Member,
    vote::Vote,
};
use std::sync::Arc;

/// One signature to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// Who is said to have signed.
    pub member: Member,
    /// What was signed.
    pub vote: Vote,
    /// The signature.
    pub signature: Signature,
}

/// The number of a [`Check`], unique within a replica's life.
pub type CheckId = u64;

/// Signatures to check, on whatever thread; the replica goes on meanwhile.
#[derive(Clone, Debug)]
pub struct Check {
    pub(crate) id: CheckId,
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) items: Vec<Item>,
    /// Whether one bad signature spoils all, as in a certificate.
    pub(crate) all_or_nothing: bool,
}

/// The result of a [`Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(crate) id: CheckId,
    /// For each signature, whether it is valid.
    pub(crate) valid: Vec<bool>,
}

impl Check {
    /// How many signatures there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Checks them: all at once, and one by one only if that fails and it matters which ones are bad.
    pub fn run(&self, verifier: &dyn Verifier) -> Verdict {
        let valid = if Check::valid(&self.items, &self.epoch, verifier) {
            vec![true; self.items.len()]
        } else if self.all_or_nothing {
            vec![false; self.items.len()]
        } else {
            let alone =
                |item: &Item| Check::valid(std::slice::from_ref(item), &self.epoch, verifier);
            self.items.iter().map(alone).collect()
        };
        Verdict { id: self.id, valid }
    }

    /// Whether all signatures are valid.
    pub fn valid(items: &[Item], epoch: &Epoch, verifier: &dyn Verifier) -> bool {
        let peers: Option<Vec<_>> = items.iter().map(|item| epoch.peer(item.member)).collect();
        let Some(peers) = peers else {
            return false;
        };
        let texts: Vec<_> = items.iter().map(|item| item.vote.text(epoch)).collect();
        let claims: Vec<_> = (peers.iter().zip(&texts).zip(items))
            .map(|((peer, text), item)| (*peer, text.statement(), item.signature))
            .collect();
        verifier.verify_all(&claims)
    }
}
