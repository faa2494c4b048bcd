//! Who a peer is, and how statements are signed.
//!
//! Signing sits behind two small traits with two implementations: Ed25519, and a cheap keyed hash for
//! large simulations. Every signature covers a domain string with a version, the network and the text.

use crate::hash::{self, Domain, Hash};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// A peer's identity: its Ed25519 public key. A source's identity is also the key of its stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 32]);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::hex(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::hex(&self.0[..4]))
    }
}

/// The text is not the 64 hexadecimal digits of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer's key is 64 hexadecimal digits")]
pub struct ParsePeerIdError;

impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<PeerId, ParsePeerIdError> {
        hash::unhex(text).map(PeerId).ok_or(ParsePeerIdError)
    }
}

/// A signature over a [`Statement`].
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "crate::wire::run")] pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::hex(&self.0[..6]))
    }
}

/// What is signed: a text under a domain, within one network.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The purpose and version, for example `hamlet v1 digest`.
    pub domain: &'static str,
    /// The network in which it is said.
    pub network: Hash,
    /// What is said.
    pub text: &'a [u8],
}

impl Statement<'_> {
    fn bytes(&self) -> Vec<u8> {
        // The domain's length keeps domain and network from running into each other.
        let mut bytes = Vec::with_capacity(1 + self.domain.len() + 32 + self.text.len());
        bytes.push(self.domain.len() as u8);
        bytes.extend_from_slice(self.domain.as_bytes());
        bytes.extend_from_slice(&self.network.0);
        bytes.extend_from_slice(self.text);
        bytes
    }
}

/// Signs as one peer.
pub trait Signer: Send {
    /// The peer that this key speaks for.
    fn id(&self) -> PeerId;
    /// Signs a statement.
    fn sign(&self, statement: Statement<'_>) -> Signature;
}

/// Checks signatures of any peer.
pub trait Verifier: Send + Sync {
    /// Whether `by` signed this statement.
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool;
}

/// An Ed25519 key pair.
pub struct Ed25519Signer(SigningKey);

impl Ed25519Signer {
    /// The key pair of a 32-byte secret.
    pub fn from_secret(secret: &[u8; 32]) -> Ed25519Signer {
        Ed25519Signer(SigningKey::from_bytes(secret))
    }
}

impl Signer for Ed25519Signer {
    fn id(&self) -> PeerId {
        PeerId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, statement: Statement<'_>) -> Signature {
        Signature(self.0.sign(&statement.bytes()).to_bytes())
    }
}

/// Checks Ed25519 signatures, strictly: all peers agree on which are valid.
pub struct Ed25519Verifier;

impl Verifier for Ed25519Verifier {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&by.0)
            .is_ok_and(|key| key.verify_strict(&statement.bytes(), &signature).is_ok())
    }
}

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
