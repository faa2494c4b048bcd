//! Who a peer is, and how statements are signed.
//!
//! Signing sits behind two small traits, so that a simulation can sign cheaply. Every signature covers a
//! domain string with a version, the network and the text.

use crate::hash::{self, Hash};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "crate::wire::run")] pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::hex(&self.0[..6]))
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
