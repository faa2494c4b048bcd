//! The evidence that the peer keeps: who is proved guilty, of what, and until when it is barred.

use super::Door;
use crate::{driver::AgreementStatus, failure::Failure};
use axum::{Json, extract::State};
use hamlet_overlay::{
    evidence::{Evidence, Kind},
    hash::hex,
};
use serde::{Deserialize, Serialize};

/// Evidence against a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its id, in hexadecimal.
    pub id: String,
    /// The key that is proved guilty, in hexadecimal.
    pub culprit: String,
    /// What it did.
    pub kind: Kind,
    /// The same in words.
    pub why: String,
    /// The two statements, in words.
    pub says: String,
    /// When the peer heard of it, in milliseconds since 1970.
    pub heard_unix_ms: u64,
    /// Whether the peer's own cluster bars the key at present.
    pub barred: bool,
    /// Until when, by the cluster's clock, in milliseconds since 1970; none before the epoch in which the term begins.
    pub until_unix_ms: Option<u64>,
    /// The evidence itself, in hexadecimal.
    pub evidence: String,
}

impl Proof {
    /// What a peer knows, the newest first.
    pub fn all(status: &AgreementStatus) -> Vec<Proof> {
        let proof = |known: &crate::driver::KnownEvidence| {
            let id = known.evidence.id();
            let mut bars = status.bars.iter();
            let bar = bars.find(|bar| bar.culprit == known.culprit);
            Proof {
                id: id.to_string(),
                culprit: known.culprit.to_string(),
                kind: known.evidence.kind(),
                why: known.evidence.kind().to_string(),
                says: known.evidence.to_string(),
                heard_unix_ms: known.heard_unix_ms,
                barred: bar.is_some(),
                until_unix_ms: bar.and_then(|bar| bar.until_unix_ms),
                evidence: hex(&known.evidence.encode()),
            }
        };
        let mut all: Vec<Proof> = status.evidence.iter().map(proof).collect();
        all.sort_by_key(|proof| std::cmp::Reverse(proof.heard_unix_ms));
        all
    }

    /// The evidence itself.
    pub fn decode(&self) -> Option<Evidence> {
        Evidence::decode(&bytes(&self.evidence)?).ok()
    }
}

/// The bytes that pairs of hexadecimal digits stand for.
pub fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim().as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    let whole = digits.len().is_multiple_of(2);
    whole.then(|| digits.chunks_exact(2).map(pair).collect())?
}

pub(super) async fn list(State(door): State<Door>) -> Result<Json<Vec<Proof>>, Failure> {
    let status = door.service.handle().agreement().await?;
    Ok(Json(Proof::all(&status)))
}
