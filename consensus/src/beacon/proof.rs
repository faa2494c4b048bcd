//! Proofs that one knows a number, the same in several places, without showing it.
//!
//! Schnorr (J. Cryptology 1991) for one place, Chaum and Pedersen (CRYPTO 1992) for several, made without a dialogue by
//! Fiat and Shamir (CRYPTO 1986): the challenge is a hash over all that is claimed.

use super::group::{Number, Point, Transcript};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};
use serde::{Deserialize, Serialize};

/// That somebody knows the number which takes each base to its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proof {
    challenge: Number,
    response: Number,
}

/// A base and its image.
pub(super) type Pair = (Point, Point);

impl Proof {
    /// Proves it. `context` is what the proof is for, and fits nothing else.
    pub fn new(context: Transcript, secret: Scalar, pairs: &[Pair]) -> Proof {
        let context = claim(context, pairs);
        let nonce = context.nonces(secret, 1)[0];
        let announced: Vec<Point> = (pairs.iter())
            .map(|(base, _)| Point(base.0 * nonce))
            .collect();
        let challenge = context.with_points(&announced).scalar();
        Proof {
            challenge: Number(challenge),
            response: Number(nonce - challenge * secret),
        }
    }

    /// Whether it is one.
    pub fn verify(&self, context: Transcript, pairs: &[Pair]) -> bool {
        let announced: Vec<Point> = (pairs.iter())
            .map(|pair| announcement(pair, self.challenge.0, self.response.0))
            .collect();
        let challenge = claim(context, pairs).with_points(&announced).scalar();
        challenge == self.challenge.0
    }
}

fn claim(context: Transcript, pairs: &[Pair]) -> Transcript {
    context.with_points(pairs.iter().flat_map(|(base, image)| [base, image]))
}

/// What must have been announced for this response to fit.
pub(super) fn announcement(pair: &Pair, challenge: Scalar, response: Scalar) -> Point {
    let (base, image) = pair;
    let points = [base.0, image.0];
    Point(RistrettoPoint::vartime_multiscalar_mul(
        [response, challenge],
        points,
    ))
}
