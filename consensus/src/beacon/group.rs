//! The group: points and scalars of ristretto255 (RFC 9496) as they travel, and interpolation.
//!
//! Ristretto has prime order and one encoding for each element, so there are no small subgroups and nothing to multiply
//! away.

use crate::hash::{Domain, Hash};
use curve25519_dalek::{
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::sync::LazyLock;

/// The generator of keys and of the secrets that are dealt: nobody knows its logarithm to the base point, which commitments
/// are made with.
pub(super) static OTHER: LazyLock<RistrettoPoint> =
    LazyLock::new(|| Transcript::new(b"generator").point());

/// An element of the group, decoded and valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point(pub RistrettoPoint);

impl Point {
    pub fn bytes(&self) -> [u8; 32] {
        self.0.compress().to_bytes()
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        crate::wire::run::serialize(&self.bytes(), to)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Point, D::Error> {
        let bytes: [u8; 32] = crate::wire::run::deserialize(from)?;
        let point = CompressedRistretto(bytes).decompress();
        point.map(Point).ok_or_else(|| D::Error::custom("no point"))
    }
}

/// A scalar below the group's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub Scalar);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        crate::wire::run::serialize(self.0.as_bytes(), to)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        let bytes = crate::wire::run::deserialize(from)?;
        let scalar: Option<Scalar> = Scalar::from_canonical_bytes(bytes).into();
        scalar
            .map(Number)
            .ok_or_else(|| D::Error::custom("no scalar"))
    }
}

/// What is hashed into challenges, points and scalars: a label, then runs of 32 bytes.
#[derive(Clone)]
pub(super) struct Transcript(blake3::Hasher);

impl Transcript {
    pub fn new(label: &'static [u8]) -> Transcript {
        let mut hasher = Domain::Beacon.hasher();
        hasher.update(&(label.len() as u64).to_le_bytes());
        hasher.update(label);
        Transcript(hasher)
    }

    pub fn with(mut self, bytes: &[u8; 32]) -> Transcript {
        self.0.update(bytes);
        self
    }

    pub fn with_number(mut self, number: u64) -> Transcript {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub fn with_points<'a>(mut self, points: impl IntoIterator<Item = &'a Point>) -> Transcript {
        for point in points {
            self.0.update(&point.bytes());
        }
        self
    }

    pub fn hash(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }

    pub fn point(&self) -> RistrettoPoint {
        let mut bytes = [0; 64];
        self.0.finalize_xof().fill(&mut bytes);
        RistrettoPoint::from_uniform_bytes(&bytes)
    }

    pub fn scalar(&self) -> Scalar {
        self.scalars(1)[0]
    }

    /// Nonces for a proof of this with that secret: others for any other proof, and no randomness needed (as RFC 6979).
    pub fn nonces(&self, secret: Scalar, count: usize) -> Vec<Scalar> {
        Transcript::new(b"nonces")
            .with(secret.as_bytes())
            .with(&self.hash().0)
            .scalars(count)
    }

    /// So many independent scalars.
    pub fn scalars(&self, count: usize) -> Vec<Scalar> {
        let mut stream = self.0.finalize_xof();
        let next = |_| {
            let mut bytes = [0; 64];
            stream.fill(&mut bytes);
            Scalar::from_bytes_mod_order_wide(&bytes)
        };
        (0..count).map(next).collect()
    }
}

/// Where the polynomial of a dealing has a member's share: its position and one, since at 0 is the secret.
pub(super) fn place(member: usize) -> Scalar {
    Scalar::from(member as u64 + 1)
}

/// The value of a polynomial, its coefficients given from the constant on.
pub(super) fn evaluate(coefficients: &[Scalar], at: Scalar) -> Scalar {
    (coefficients.iter().rev()).fold(Scalar::ZERO, |sum, coefficient| sum * at + coefficient)
}

/// What the shares of these members count for at 0 (Lagrange).
pub(super) fn weights(members: &[usize]) -> Vec<Scalar> {
    let weight = |mine: &usize| {
        let (mut above, mut below) = (Scalar::ONE, Scalar::ONE);
        for other in members.iter().filter(|other| *other != mine) {
            above *= place(*other);
            below *= place(*other) - place(*mine);
        }
        above * below.invert()
    };
    members.iter().map(weight).collect()
}
