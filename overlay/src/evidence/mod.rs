//! Evidence: statements of one key of which no honest peer makes both. It proves itself: whoever knows the genesis can check it,
//! whoever brings it, and nothing else bars a key everywhere (V1 to V6 of `docs/protocol.md`).
//!
//! | kind | statements | what an outsider needs beside them |
//! | --- | --- | --- |
//! | [`Kind::TwoDigests`] | two digests of one segment | the genesis, which lists the source |
//! | [`Kind::BrokenChain`] | two digests in a row, of which the later does not lead to the earlier | the same |
//! | [`Kind::TwoVotes`] | two votes of a member in one view of its cluster's agreement | the epoch's id, and what the member is admitted by |

pub mod pool;

use crate::{
    digest::Equivocation,
    genesis::{Network, Publisher},
    hash::{Domain, Hash},
    identity::{PeerId, Verifier},
    membership::admission::{Admitted, Credential},
    wire,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most bytes that evidence takes.
pub const MAX_EVIDENCE_BYTES: usize = 1024;

/// A proof that a key is guilty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// A source contradicted itself (E1).
    Digests(Box<Equivocation>),
    /// A member of a cluster contradicted itself in agreement (R14).
    Votes(Box<Votes>),
}

/// A member contradicted itself in agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// The id of the epoch in which it did. It is part of what is signed, and enough to check the signatures.
    pub epoch: Hash,
    /// The votes.
    pub votes: hamlet_consensus::evidence::Evidence,
    /// What the member is admitted by: else anybody could make keys that nobody knows, and evidence against them.
    pub credential: Credential,
}

/// What a key is proved to have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As a source it signed two digests of one segment.
    TwoDigests,
    /// As a source it signed a digest that does not lead to the one before.
    BrokenChain,
    /// As a member it signed two votes of one view of which nobody honest signs both.
    TwoVotes,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::TwoDigests => "it signed two different digests of one segment of its stream",
            Kind::BrokenChain => {
                "it signed a digest of its stream that contradicts the one before it"
            }
            Kind::TwoVotes => "it signed two votes that contradict each other in its cluster",
        })
    }
}

/// What evidence is checked against: nothing but what the genesis says.
#[derive(Clone, Copy)]
pub struct Laws<'a> {
    /// The network.
    pub network: Hash,
    /// Its publishers; a stream's number is its place among them.
    pub publishers: &'a [Publisher],
    /// Who is admitted.
    pub admitted: &'a Admitted,
    /// Checks signatures.
    pub verifier: &'a dyn Verifier,
}

impl<'a> Laws<'a> {
    /// Those of a network.
    pub fn of(network: &'a Network, verifier: &'a dyn Verifier) -> Laws<'a> {
        Laws {
            network: network.id(),
            publishers: &network.genesis().publishers,
            admitted: network.admitted(),
            verifier,
        }
    }
}

impl Evidence {
    /// A name for it: the same for everybody who found these statements, in whatever order, and however often they were signed.
    pub fn id(&self) -> Hash {
        let (who, mut said) = match self {
            Evidence::Digests(proof) => {
                let said = |claim: &crate::digest::Claim| {
                    wire::encode(&(claim.signed.header, claim.root.to_vec()))
                };
                let stream = wire::encode(&(0u8, proof.stream()));
                (stream, [said(&proof.first), said(&proof.second)])
            }
            Evidence::Votes(proof) => {
                let votes = &proof.votes;
                let who = wire::encode(&(1u8, votes.culprit, proof.epoch));
                let said = [&votes.first, &votes.second];
                (who, said.map(|signed| wire::encode(&signed.vote)))
            }
        };
        said.sort_unstable();
        Domain::Evidence.hash(&[&wire::encode(&(who, said))])
    }

    /// Whom it is against; `None` if that is nobody whom the genesis knows.
    pub fn culprit(&self, publishers: &[Publisher]) -> Option<PeerId> {
        match self {
            Evidence::Digests(proof) => {
                let publisher = publishers.get(usize::from(proof.stream()));
                publisher.map(|publisher| publisher.stream)
            }
            Evidence::Votes(proof) => Some(proof.votes.culprit),
        }
    }

    /// What it proves.
    pub fn kind(&self) -> Kind {
        match self {
            Evidence::Votes(_) => Kind::TwoVotes,
            Evidence::Digests(proof) if proof.is_of_one_segment() => Kind::TwoDigests,
            Evidence::Digests(_) => Kind::BrokenChain,
        }
    }

    /// Whether it shows that the culprit is admitted to the network: at most one signature is checked.
    pub fn shows_admission(&self, laws: Laws<'_>) -> bool {
        match self {
            // Publishers are founders.
            Evidence::Digests(proof) => usize::from(proof.stream()) < laws.publishers.len(),
            Evidence::Votes(proof) => {
                let culprit = proof.votes.culprit;
                (laws.admitted).admits(culprit, &proof.credential, laws.verifier)
            }
        }
    }

    /// Whether the statements contradict each other and are the culprit's: two signatures are checked, and none if they are not
    /// of a kind that contradict.
    pub fn proves(&self, laws: Laws<'_>) -> bool {
        let culprit = self.culprit(laws.publishers);
        culprit.is_some_and(|culprit| match self {
            Evidence::Digests(proof) => proof.verify(culprit, laws.network, laws.verifier),
            Evidence::Votes(proof) => {
                (proof.votes).proves(laws.network, proof.epoch, laws.verifier)
            }
        })
    }

    /// Whether anybody who knows the genesis is to believe it: at most three signatures are checked.
    pub fn convicts(&self, laws: Laws<'_>) -> bool {
        self.shows_admission(laws) && self.proves(laws)
    }

    /// As bytes, to be stored or shown.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// From bytes; whether it proves anything is another question.
    ///
    /// # Errors
    /// If these are not the bytes of evidence.
    pub fn decode(bytes: &[u8]) -> Result<Evidence, wire::Malformed> {
        if bytes.len() > MAX_EVIDENCE_BYTES {
            return Err(wire::Malformed);
        }
        hamlet_consensus::wire::decode(bytes).map_err(|_| wire::Malformed)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Digests(proof) => {
                let (first, second) = (&proof.first.signed.header, &proof.second.signed.header);
                match self.kind() {
                    Kind::TwoDigests => write!(
                        f,
                        "two different digests of segment {} of stream {}, both signed by its source",
                        first.segment, first.stream
                    ),
                    _ => write!(
                        f,
                        "the digest of segment {} of stream {} does not lead to that of segment {}; both signed by its source",
                        second.segment, first.stream, first.segment
                    ),
                }
            }
            Evidence::Votes(proof) => {
                let votes = &proof.votes;
                write!(
                    f,
                    "in view {} of epoch {:.8} of a cluster it signed both {} and {}",
                    votes.first.vote.view(),
                    proof.epoch.to_string(),
                    in_words(&votes.first.vote),
                    in_words(&votes.second.vote)
                )
            }
        }
    }
}

fn in_words(vote: &hamlet_consensus::vote::Vote) -> String {
    use hamlet_consensus::vote::Vote;
    let what = match vote {
        Vote::Notarize(_) => "a first vote for block",
        Vote::Support(_) => "a second vote for block",
        Vote::Finalize(_) => "that it gave no other vote than for block",
        Vote::Nullify(_) => return "a first vote for no block".into(),
        Vote::Abandon(_) => return "a second vote for no block".into(),
        Vote::Seal(_) => "a seal of block",
    };
    let block = vote.block().map(|block| block.hash.to_string());
    format!("{what} {:.8}", block.unwrap_or_default())
}

#[cfg(test)]
mod tests;
