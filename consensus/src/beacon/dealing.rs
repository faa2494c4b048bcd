//! B1: a secret, dealt so that everybody can check that the shares fit together and nobody can read others'.

use super::{
    group::{Number, Point, Transcript, evaluate, place},
    key::{Key, SecretKey},
    proof::announcement,
};
use crate::{hash::Hash, member::Member};
use curve25519_dalek::{
    ristretto::RistrettoPoint,
    scalar::Scalar,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use serde::{Deserialize, Serialize};

/// A member's contribution: a polynomial, whose value at 0 is the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealing {
    /// The value at each member's place, hidden in the exponent of the base point.
    commitments: Vec<Point>,
    /// The same in the exponent of each member's key.
    pub(super) shares: Vec<Point>,
    /// Proof that both are the same, for all members at once.
    challenge: Number,
    responses: Vec<Number>,
}

impl Dealing {
    /// What this member deals: always the same in one round, so that a restart contradicts nothing and no randomness is
    /// needed.
    pub(super) fn new(
        round: Hash,
        keys: &[Key],
        faults: usize,
        dealer: Member,
        secret: &SecretKey,
    ) -> Dealing {
        let coefficients = Transcript::new(b"polynomial")
            .with(secret.secret.as_bytes())
            .with(&round.0)
            .scalars(faults + 1);
        Dealing::of(round, keys, &coefficients, dealer, secret)
    }

    /// The dealing of a polynomial.
    pub(super) fn of(
        round: Hash,
        keys: &[Key],
        coefficients: &[Scalar],
        dealer: Member,
        secret: &SecretKey,
    ) -> Dealing {
        let values: Vec<Scalar> = (0..keys.len())
            .map(|member| evaluate(coefficients, place(member)))
            .collect();
        let commitments: Vec<Point> = (values.iter())
            .map(|value| Point(RistrettoPoint::mul_base(value)))
            .collect();
        let shares: Vec<Point> = (keys.iter().zip(&values))
            .map(|(key, value)| Point(key.0.0 * value))
            .collect();
        let claim = claim(round, dealer, &commitments, &shares);
        let nonces = claim.nonces(secret.secret, keys.len());
        let announced = (nonces.iter().zip(keys)).map(|(nonce, key)| {
            (
                Point(RistrettoPoint::mul_base(nonce)),
                Point(key.0.0 * nonce),
            )
        });
        let challenge = answer(claim, announced);
        let responses = (nonces.iter().zip(&values))
            .map(|(nonce, value)| Number(nonce - challenge * value))
            .collect();
        Dealing {
            commitments,
            shares,
            challenge: Number(challenge),
            responses,
        }
    }

    /// Whether every member can read its share, and all shares are of one polynomial of degree `faults`.
    pub(super) fn verify(&self, round: Hash, keys: &[Key], faults: usize, dealer: Member) -> bool {
        let counts = [
            self.commitments.len(),
            self.shares.len(),
            self.responses.len(),
        ];
        counts == [keys.len(); 3]
            && self.shares_are_committed(round, keys, dealer)
            && self.degree_is_at_most(faults)
    }

    fn shares_are_committed(&self, round: Hash, keys: &[Key], dealer: Member) -> bool {
        let challenge = self.challenge.0;
        let columns =
            (self.commitments.iter().zip(&self.shares)).zip(self.responses.iter().zip(keys));
        let announced = columns.map(|((commitment, share), (response, key))| {
            let base = RistrettoPoint::vartime_double_scalar_mul_basepoint(
                &challenge,
                &commitment.0,
                &response.0,
            );
            (
                Point(base),
                announcement(&(key.0, *share), challenge, response.0),
            )
        });
        let claim = claim(round, dealer, &self.commitments, &self.shares);
        answer(claim, announced) == challenge
    }

    /// The values of a polynomial of a lower degree are orthogonal to every word of the dual code, so they are to a random one; others are with
    /// a chance of 2⁻²⁵² (Cascudo and David, SCRAPE, ACNS 2017, section 2.1).
    fn degree_is_at_most(&self, faults: usize) -> bool {
        let count = self.commitments.len();
        let Some(free) = count.checked_sub(faults + 1).filter(|free| *free > 0) else {
            return true;
        };
        // The challenge is a hash over all commitments, so nobody knew the word when these were chosen.
        let coefficients = Transcript::new(b"dual code")
            .with(self.challenge.0.as_bytes())
            .scalars(free);
        let word = (0..count).map(|member| {
            let others = (0..count).filter(|other| *other != member);
            let below: Scalar = others.map(|other| place(member) - place(other)).product();
            evaluate(&coefficients, place(member)) * below.invert()
        });
        let points = self.commitments.iter().map(|commitment| commitment.0);
        RistrettoPoint::vartime_multiscalar_mul(word, points).is_identity()
    }
}

/// What the proof is about. It names the dealer, so nobody can pass off another's dealing as its own.
fn claim(round: Hash, dealer: Member, commitments: &[Point], shares: &[Point]) -> Transcript {
    Transcript::new(b"dealing")
        .with(&round.0)
        .with_number(dealer.into())
        .with_number(shares.len() as u64)
        .with_points(commitments)
        .with_points(shares)
}

fn answer(claim: Transcript, announced: impl Iterator<Item = (Point, Point)>) -> Scalar {
    announced
        .fold(claim, |claim, (base, image)| {
            claim.with_points([&base, &image])
        })
        .scalar()
}
