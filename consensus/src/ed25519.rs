//! Ed25519, alone and in batches, by one criterion.
//!
//! Whether a signature is valid must not depend on how it was checked, or one member's certificate would be
//! refused by another. The usual batch equation accepts some crafted signatures, with components of small
//! order, that a strict check of each refuses. So both checks here multiply by the cofactor, as ZIP 215 and
//! Chalkias, Garillot, Nikolaenko ("Taming the many EdDSAs", SSR 2020) propose: a batch is valid exactly if
//! each of its signatures is, but for a chance of 2^-128.

use crate::{
    hash::Domain,
    identity::{PeerId, Signature, Signer, Statement, Verifier},
};
use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha512};

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

/// Checks Ed25519 signatures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519Verifier;

impl Verifier for Ed25519Verifier {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        Term::new(&(by, statement, *signature)).is_some_and(|term| {
            // 8 (s B − h A − R) = 0
            let (challenge, s) = (-term.challenge, term.s);
            let r = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &term.key, &s);
            (r - term.r).mul_by_cofactor().is_identity()
        })
    }

    fn verify_all(&self, claims: &[(PeerId, Statement<'_>, Signature)]) -> bool {
        let Some(terms) = claims.iter().map(Term::new).collect::<Option<Vec<Term>>>() else {
            return false;
        };
        // The coefficients must be unknown to whoever crafts a signature, so they depend on all of the batch.
        let mut transcript = Domain::Batch.hasher();
        for ((by, _, signature), term) in claims.iter().zip(&terms) {
            transcript.update(&by.0);
            transcript.update(&signature.0);
            transcript.update(term.challenge.as_bytes());
        }
        let mut coefficients = transcript.finalize_xof();
        let mut base = Scalar::ZERO;
        let mut scalars = Vec::with_capacity(2 * terms.len() + 1);
        let mut points = Vec::with_capacity(2 * terms.len() + 1);
        for term in &terms {
            let mut bytes = [0; 16];
            coefficients.fill(&mut bytes);
            let z = Scalar::from(u128::from_le_bytes(bytes));
            base -= z * term.s;
            scalars.extend([z, z * term.challenge]);
            points.extend([term.r, term.key]);
        }
        scalars.push(base);
        points.push(ED25519_BASEPOINT_POINT);
        // 8 (Σ zᵢ Rᵢ + Σ zᵢ hᵢ Aᵢ − (Σ zᵢ sᵢ) B) = 0
        EdwardsPoint::vartime_multiscalar_mul(scalars, points)
            .mul_by_cofactor()
            .is_identity()
    }
}

/// One signature, decoded.
struct Term {
    r: EdwardsPoint,
    key: EdwardsPoint,
    s: Scalar,
    challenge: Scalar,
}

/// The two halves of a signature: a point and a scalar.
fn halves(signature: &Signature) -> ([u8; 32], [u8; 32]) {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature.0[..32]);
    s.copy_from_slice(&signature.0[32..]);
    (r, s)
}

impl Term {
    fn new((by, statement, signature): &(PeerId, Statement<'_>, Signature)) -> Option<Term> {
        let (r, s) = halves(signature);
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(by.0)
            .chain_update(statement.bytes());
        let key = CompressedEdwardsY(by.0).decompress()?;
        if key.is_small_order() {
            return None;
        }
        Some(Term {
            r: CompressedEdwardsY(r).decompress()?,
            key,
            s: Option::from(Scalar::from_canonical_bytes(s))?,
            challenge: Scalar::from_bytes_mod_order_wide(&hash.finalize().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use curve25519_dalek::constants::EIGHT_TORSION;

    fn joined(r: [u8; 32], s: [u8; 32]) -> Signature {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    }

    fn statement(text: &[u8]) -> Statement<'_> {
        Statement {
            domain: "hamlet test",
            network: Hash([3; 32]),
            text,
        }
    }

    #[test]
    fn a_batch_is_valid_exactly_if_all_are() {
        let signers: Vec<Ed25519Signer> = (0..8)
            .map(|i| Ed25519Signer::from_secret(&[i; 32]))
            .collect();
        let texts: Vec<[u8; 4]> = (0..8u32).map(u32::to_le_bytes).collect();
        let claims: Vec<_> = signers
            .iter()
            .zip(&texts)
            .map(|(signer, text)| (signer.id(), statement(text), signer.sign(statement(text))))
            .collect();
        assert!(Ed25519Verifier.verify_all(&claims));
        for broken in 0..8 {
            let mut claims = claims.clone();
            claims[broken].2.0[40] ^= 1;
            assert!(!Ed25519Verifier.verify_all(&claims));
            let mut claims = claims.clone();
            claims[broken].2 = claims[(broken + 1) % 8].2;
            assert!(!Ed25519Verifier.verify_all(&claims));
        }
    }

    /// A signature whose R has a component of small order passes some batches by luck if the cofactor is left
    /// out, and members would disagree about certificates.
    #[test]
    fn crafted_signatures_fare_alike_alone_and_in_any_batch() {
        let secret = Scalar::from(12345u64);
        let key = (secret * ED25519_BASEPOINT_POINT).compress();
        let mut claims = Vec::new();
        for i in 0..16u64 {
            let nonce = Scalar::from(99 + i);
            let r = (nonce * ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress();
            let by = PeerId(key.0);
            let hash = Sha512::new()
                .chain_update(r.0)
                .chain_update(by.0)
                .chain_update(statement(b"x").bytes());
            let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
            let s = nonce + challenge * secret;
            claims.push((by, statement(b"x"), joined(r.0, s.to_bytes())));
        }
        let alone: Vec<bool> = claims
            .iter()
            .map(|(by, statement, signature)| Ed25519Verifier.verify(*by, *statement, signature))
            .collect();
        assert_eq!(alone, [true; 16]);
        for size in 1..=16 {
            assert!(Ed25519Verifier.verify_all(&claims[..size]));
        }
    }

    #[test]
    fn keys_that_anyone_can_sign_for_are_refused() {
        let by = PeerId(EIGHT_TORSION[0].compress().0);
        let signature = joined(EIGHT_TORSION[0].compress().0, [0; 32]);
        assert!(!Ed25519Verifier.verify(by, statement(b"x"), &signature));
    }
}
