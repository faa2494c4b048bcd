//! Who a peer is, and how statements are signed.
//!
//! Signing sits behind two small traits, so that a simulation can sign cheaply. Every signature covers a
//! domain string with a version, the network and the text.

use crate::hash::Hash;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A peer's identity: its Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 32]);

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A signature over a [`Statement`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "([u8; 32], [u8; 32])", into = "([u8; 32], [u8; 32])")]
pub struct Signature(pub [u8; 64]);

impl From<([u8; 32], [u8; 32])> for Signature {
    fn from((first, second): ([u8; 32], [u8; 32])) -> Signature {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&first);
        bytes[32..].copy_from_slice(&second);
        Signature(bytes)
    }
}

impl From<Signature> for ([u8; 32], [u8; 32]) {
    fn from(signature: Signature) -> Self {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        first.copy_from_slice(&signature.0[..32]);
        second.copy_from_slice(&signature.0[32..]);
        (first, second)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is signed: a text under a domain, within one network.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The purpose and version, for example `hamlet v1 vote`.
    pub domain: &'static str,
    /// The network in which it is said.
    pub network: Hash,
    /// What is said.
    pub text: &'a [u8],
}

impl Statement<'_> {
    /// The bytes that are signed.
    pub fn bytes(&self) -> Vec<u8> {
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
pub trait Signer: Send + Sync {
    /// The peer that this key speaks for.
    fn id(&self) -> PeerId;
    /// Signs a statement.
    fn sign(&self, statement: Statement<'_>) -> Signature;
}

/// Checks signatures of any peer.
pub trait Verifier: Send + Sync {
    /// Whether `by` signed this statement.
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool;

    /// Whether all of these are valid: as if each were verified alone, but possibly faster.
    fn verify_all(&self, claims: &[(PeerId, Statement<'_>, Signature)]) -> bool {
        claims
            .iter()
            .all(|(by, statement, signature)| self.verify(*by, *statement, signature))
    }
}
