//! E2, E3: how an epoch ended and what follows it, checkable by anyone who knows the epoch.

use crate::{
    certificate::{Certificate, Claim},
    check::Item,
    epoch::{Charter, Epoch, MAX_SUCCESSORS, Merge, Origin},
    hash::Hash,
    identity::Verifier,
    mutant::Mutant,
    wire,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A short name of an epoch on the wire: the first eight bytes of its id. Nobody can choose it.
pub type Tag = u64;

/// The short name of an epoch.
pub fn tag(epoch: &Epoch) -> Tag {
    let mut tag = [0; 8];
    tag.copy_from_slice(&epoch.id().0[..8]);
    Tag::from_le_bytes(tag)
}

/// Proof that an epoch ended, with which state, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handover {
    /// The epoch that ended.
    pub ended: Tag,
    /// The seal of its last height.
    pub seal: Certificate,
    /// The epochs that follow: that of the same cluster, and that of a cluster that split from it.
    pub successors: Vec<Charter>,
    /// What this end has to do with another cluster.
    pub merge: Option<Merge>,
}

/// What follows an epoch that asked to be taken in, before it is known whether it is (E10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The epoch of the other cluster. Its end decides.
    pub host: Arc<Epoch>,
    /// As which the cluster goes on alone, unless the host's end says that it takes this one in.
    pub guest: Arc<Epoch>,
}

impl Handover {
    /// What the epochs that follow begin with, if the seal says that these follow.
    pub fn origin(&self) -> Option<Origin> {
        let Claim::Sealed(seal) = self.seal.claim else {
            return None;
        };
        let named = seal.successors == Some(Charter::hash(&self.successors, self.merge.as_ref()));
        let bounded = (1..=MAX_SUCCESSORS).contains(&self.successors.len());
        (named && bounded).then_some(Origin {
            height: seal.height(),
            state: seal.state?,
        })
    }

    /// The epochs that follow `ended`, if this can be its end; the seal's signatures are not looked at.
    ///
    /// The first goes on with the cluster, under the next number; the second begins another. None of them while that is
    /// in [doubt](Handover::doubt).
    pub fn epochs(&self, ended: &Epoch) -> Option<Vec<Arc<Epoch>>> {
        match &self.merge {
            Some(Merge::Asks(_)) if !ended.mutants.has(Mutant::BeginInDoubt) => {
                self.doubt(ended).map(|_| Vec::new())
            }
            _ => self.named(ended),
        }
    }

    /// What follows `ended` if this is its end, and asks another cluster to take this one in (E10).
    pub fn doubt(&self, ended: &Epoch) -> Option<Doubt> {
        let Some(Merge::Asks(host)) = &self.merge else {
            return None;
        };
        if host.charter.cluster == ended.charter().cluster || self.successors.len() > 1 {
            return None;
        }
        let mut host = host
            .charter
            .clone()
            .found(ended.network(), host.origin)
            .ok()?;
        host.mutants = ended.mutants;
        Some(Doubt {
            host: Arc::new(host),
            guest: self.named(ended)?.pop()?,
        })
    }

    /// Whether it takes in another cluster, which would go on alone as this epoch (E11).
    pub fn takes(&self, guest: &Epoch) -> bool {
        self.merge == Some(Merge::Takes(guest.id()))
    }

    /// The epochs of the charters.
    fn named(&self, ended: &Epoch) -> Option<Vec<Arc<Epoch>>> {
        let origin = self.origin().filter(|_| self.ended == tag(ended))?;
        let mut epochs = Vec::new();
        for (place, charter) in self.successors.iter().enumerate() {
            let same = charter.cluster == ended.charter().cluster;
            let number = match place {
                0 => ended.number().checked_add(1)?,
                _ => 0,
            };
            if same != (place == 0) || charter.number != number {
                return None;
            }
            let mut epoch = charter.clone().found(ended.network(), origin).ok()?;
            epoch.mutants = ended.mutants;
            epochs.push(Arc::new(epoch));
        }
        Some(epochs)
    }

    /// The signatures to be checked, if the seal could be valid.
    pub(crate) fn items(&self, ended: &Epoch) -> Option<Vec<Item>> {
        self.seal.items(ended)
    }

    /// The epochs that follow `ended`, if this proves its end.
    pub fn verify(&self, ended: &Epoch, verifier: &dyn Verifier) -> Option<Vec<Arc<Epoch>>> {
        (self.epochs(ended)).filter(|_| self.seal.verify(ended, verifier))
    }
}

/// What a member's store of an epoch begins with: where the epoch comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub charter: Charter,
    pub origin: Origin,
    /// How that ended; and, if it asked in vain to be taken in, how the epoch ended that it asked.
    pub handovers: Vec<Handover>,
}

impl Opening {
    pub fn encode(ended: &Epoch, handovers: &[Handover]) -> Vec<u8> {
        wire::encode(&Opening {
            charter: ended.charter().clone(),
            origin: ended.origin(),
            handovers: handovers.to_vec(),
        })
    }

    /// The epoch that ended, and how.
    pub fn decode(bytes: &[u8], network: Hash) -> Option<(Epoch, Vec<Handover>)> {
        let opening: Opening = wire::decode(bytes).ok()?;
        let ended = opening.charter.found(network, opening.origin).ok()?;
        Some((ended, opening.handovers))
    }
}
