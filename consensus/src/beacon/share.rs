//! B3: a member's share of the sum of all dealings, decrypted.

use super::{
    group::{OTHER, Point, Transcript},
    key::{Key, SecretKey},
    proof::Proof,
};
use crate::hash::Hash;
use serde::{Deserialize, Serialize};

/// What a member alone can read of the dealings' sum, with the proof that it read it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub(super) point: Point,
    proof: Proof,
}

impl Share {
    /// Decrypts what is encrypted to this key.
    pub(super) fn new(round: Hash, encrypted: Point, secret: &SecretKey) -> Share {
        let point = Point(encrypted.0 * secret.secret.invert());
        let pairs = pairs(secret.key(), point, encrypted);
        Share {
            point,
            proof: Proof::new(context(round), secret.secret, &pairs),
        }
    }

    /// Whether it is what was encrypted to this key.
    pub(super) fn verify(&self, round: Hash, encrypted: Point, key: Key) -> bool {
        let pairs = pairs(key, self.point, encrypted);
        self.proof.verify(context(round), &pairs)
    }
}

/// The secret key takes the generator to the public key, and the share to what was encrypted.
fn pairs(key: Key, share: Point, encrypted: Point) -> [(Point, Point); 2] {
    [(Point(*OTHER), key.0), (share, encrypted)]
}

fn context(round: Hash) -> Transcript {
    Transcript::new(b"share").with(&round.0)
}
