//! Who a peer is, and how statements are signed: as agreement has it, and a cheap keyed hash for large simulations.

use crate::hash::Domain;
use std::sync::Arc;

pub use hamlet_consensus::{
    ed25519::{Ed25519Signer, Ed25519Verifier},
    identity::{ParsePeerIdError, PeerId, Signature, Signer, Statement, Verifier},
};

/// The secret of a simulated world, from which all its cheap signatures are made.
///
/// Whoever simulates holds it; a simulated adversary only ever gets [`SimulatedSigner`]s of the peers
/// that it owns, so it cannot sign for another.
#[derive(Clone)]
pub struct SimulatedAuthority(Arc<[u8; 32]>);

impl SimulatedAuthority {
    /// The authority of the world with this seed.
    pub fn new(seed: [u8; 32]) -> SimulatedAuthority {
        SimulatedAuthority(Arc::new(seed))
    }

    /// A signer for the peer `id`.
    pub fn signer(&self, id: PeerId) -> SimulatedSigner {
        SimulatedSigner {
            authority: self.clone(),
            id,
        }
    }

    fn tag(&self, by: PeerId, statement: &Statement<'_>) -> Signature {
        let text = Domain::SimulatedSignature.hash(&[&self.0[..], &by.0, &statement.bytes()]);
        let mut tag = [0; 64];
        tag[..32].copy_from_slice(&text.0);
        Signature(tag)
    }
}

impl Verifier for SimulatedAuthority {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        self.tag(by, &statement) == *signature
    }
}

/// Signs as one peer of a simulated world; see [`SimulatedAuthority`].
pub struct SimulatedSigner {
    authority: SimulatedAuthority,
    id: PeerId,
}

impl Signer for SimulatedSigner {
    fn id(&self) -> PeerId {
        self.id
    }

    fn sign(&self, statement: Statement<'_>) -> Signature {
        self.authority.tag(self.id, &statement)
    }
}
