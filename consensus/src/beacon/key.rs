//! The keys that shares are encrypted to.

use super::{
    group::{OTHER, Point, Transcript},
    proof::Proof,
};
use crate::{hash::Hash, identity::PeerId};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::Identity};
use serde::{Deserialize, Serialize};

/// A member's secret key for beacons.
///
/// It is made from the peer's secret by a one-way function and used for beacons alone. The signing key itself would not do:
/// whoever decrypts shares raises what others chose to the power of its key, and nothing is known to keep signatures
/// safe beside that.
#[derive(Clone)]
pub struct SecretKey {
    pub(super) secret: Scalar,
    key: Key,
}

impl SecretKey {
    /// The key that follows from 32 secret bytes of a peer, the same whenever it starts.
    pub fn derive(peer_secret: &[u8; 32], network: Hash) -> SecretKey {
        let secret = Transcript::new(b"secret key")
            .with(peer_secret)
            .with(&network.0)
            .scalar();
        SecretKey {
            secret,
            key: Key(Point(*OTHER * secret)),
        }
    }

    /// Its public half.
    pub fn key(&self) -> Key {
        self.key
    }

    /// What a peer shows to be taken in.
    pub fn register(&self, network: Hash, peer: PeerId) -> Registration {
        let pair = (Point(*OTHER), self.key.0);
        Registration {
            key: self.key,
            proof: Proof::new(context(network, peer), self.secret, &[pair]),
        }
    }
}

/// A member's public key for beacons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub(super) Point);

/// A key with the proof that its peer has the secret to it, so that nobody registers one that is made from others' keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    key: Key,
    proof: Proof,
}

impl Registration {
    /// The key, if this peer has proved that it is its own.
    pub fn verify(&self, network: Hash, peer: PeerId) -> Option<Key> {
        let pair = (Point(*OTHER), self.key.0);
        let known = self.key.0.0 != RistrettoPoint::identity();
        (known && self.proof.verify(context(network, peer), &[pair])).then_some(self.key)
    }
}

fn context(network: Hash, peer: PeerId) -> Transcript {
    Transcript::new(b"registration")
        .with(&network.0)
        .with(&peer.0)
}
