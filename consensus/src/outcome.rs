//! Outcomes of commands, the tree that binds those of a height together, and proofs for outsiders.

use crate::{
    certificate::{Certificate, Claim},
    command::CommandId,
    epoch::{Epoch, Height},
    hash::{Domain, Hash},
    identity::Verifier,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The longest outcome, in bytes; what an application says beyond is cut off.
pub const MAX_OUTCOME_BYTES: usize = 1024;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// The command.
    pub command: CommandId,
    /// Where it was executed.
    pub height: Height,
    /// What the application answered.
    pub answer: Bytes,
}

impl Outcome {
    fn leaf(&self) -> Hash {
        let mut hasher = Domain::Outcome.hasher();
        hasher.update(&self.command.0);
        hasher.update(&self.height.to_le_bytes());
        hasher.update(&self.answer);
        Hash(*hasher.finalize().as_bytes())
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut text = [0; 64];
    text[..32].copy_from_slice(&left.0);
    text[32..].copy_from_slice(&right.0);
    Domain::Node.hash(&text)
}

/// The root of the tree over these outcomes: a binary hash tree in which a last node without a sibling goes up
/// as it is. No outcomes have the root of zeros.
pub fn root(outcomes: &[Outcome]) -> Hash {
    let mut level: Vec<Hash> = outcomes.iter().map(Outcome::leaf).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(join).collect();
    }
    level.first().copied().unwrap_or_default()
}

fn join(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node(left, right),
        [single] => *single,
        _ => Hash::default(),
    }
}

/// The siblings between an outcome and the root, the lowest first.
fn path(outcomes: &[Outcome], mut index: usize) -> Vec<Hash> {
    let mut level: Vec<Hash> = outcomes.iter().map(Outcome::leaf).collect();
    let mut siblings = Vec::new();
    while level.len() > 1 {
        siblings.extend(level.get(index ^ 1));
        level = level.chunks(2).map(join).collect();
        index /= 2;
    }
    siblings
}

/// A proof for outsiders that a command was executed, once, with this outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutcomeProof {
    /// What came of it.
    pub outcome: Outcome,
    /// The outcome's place among those of its height.
    pub index: u32,
    /// How many outcomes its height has.
    pub count: u32,
    /// The siblings between the outcome and the root, the lowest first.
    pub path: Vec<Hash>,
    /// The seal of its height.
    pub seal: Certificate,
}

impl OutcomeProof {
    /// The proof for one of the outcomes of a height.
    pub fn new(outcomes: &[Outcome], index: usize, seal: Certificate) -> Option<OutcomeProof> {
        Some(OutcomeProof {
            outcome: outcomes.get(index)?.clone(),
            index: u32::try_from(index).ok()?,
            count: u32::try_from(outcomes.len()).ok()?,
            path: path(outcomes, index),
            seal,
        })
    }

    /// Whether it proves the outcome, for a cluster in this epoch.
    pub fn verify(&self, epoch: &Epoch, verifier: &dyn Verifier) -> bool {
        let Claim::Sealed(seal) = self.seal.claim else {
            return false;
        };
        seal.height() == self.outcome.height
            && self.root() == Some(seal.outcomes)
            && self.seal.verify(epoch, verifier)
    }

    fn root(&self) -> Option<Hash> {
        let (mut index, mut count) = (self.index, self.count);
        if index >= count {
            return None;
        }
        let mut hash = self.outcome.leaf();
        let mut siblings = self.path.iter();
        while count > 1 {
            // The last node of an odd level has no sibling.
            if index ^ 1 < count {
                let sibling = siblings.next()?;
                hash = if index & 1 == 0 {
                    node(&hash, sibling)
                } else {
                    node(sibling, &hash)
                };
            }
            index /= 2;
            count = count.div_ceil(2);
        }
        siblings.next().is_none().then_some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(count: u8) -> Vec<Outcome> {
        (0..count)
            .map(|i| Outcome {
                command: Hash([i; 32]),
                height: 7,
                answer: Bytes::from(vec![i; 3]),
            })
            .collect()
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        let seal = Certificate {
            claim: Claim::Nullified(0),
            first: Default::default(),
            second: Default::default(),
            signatures: Vec::new(),
        };
        for count in 1..=33 {
            let all = outcomes(count);
            for index in 0..usize::from(count) {
                let proof = OutcomeProof::new(&all, index, seal.clone()).unwrap();
                assert_eq!(proof.root(), Some(root(&all)), "{index} of {count}");
                let mut moved = proof.clone();
                moved.index = (moved.index + 1) % u32::from(count);
                assert!(count == 1 || moved.root() != Some(root(&all)));
                let mut changed = proof.clone();
                changed.outcome.answer = Bytes::from_static(b"no");
                assert_ne!(changed.root(), Some(root(&all)));
                let mut longer = proof;
                longer.path.push(Hash::default());
                assert_eq!(longer.root(), None);
            }
        }
    }
}
