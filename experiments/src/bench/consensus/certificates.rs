//! What a certificate weighs, and what it takes to check one.

use super::{Row, cpu, cpu_since};
use hamlet_consensus::{
    Epoch, Terms,
    block::BlockId,
    certificate::{Certificate, Claim},
    ed25519::{Ed25519Signer, Ed25519Verifier},
    hash::Hash,
    identity::Signer,
    member::{Member, MemberSet},
    vote::{SignedVote, Vote},
    wire,
};
use serde::Serialize;

/// A certificate of a quorum.
#[derive(Serialize)]
pub struct Size {
    members: u8,
    quorum: usize,
    certificate_bytes: usize,
    verify_us: f64,
}

impl Row for Size {
    const HEAD: &str = "members quorum  certificate_bytes verify_us";

    fn line(&self) -> String {
        format!(
            "{:7} {:6}  {:17} {:9.0}",
            self.members, self.quorum, self.certificate_bytes, self.verify_us
        )
    }
}

/// Makes one and checks it many times.
pub fn measure(members: u8) -> Size {
    let signer = |member: Member| Ed25519Signer::from_secret(&[member + 1; 32]);
    let peers = (0..members).map(|member| signer(member).id()).collect();
    let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, Terms::default(), peers)
        .unwrap_or_else(|error| panic!("an impossible epoch: {error}"));
    let block = BlockId {
        view: 1_000_000,
        height: 1_000_000,
        hash: Hash([5; 32]),
    };
    let signers: MemberSet = epoch.all().lowest(epoch.quorum());
    let certificate = Certificate {
        claim: Claim::Finalized(block),
        first: signers,
        second: MemberSet::EMPTY,
        signatures: (signers.iter())
            .map(|member| SignedVote::new(Vote::Finalize(block), &epoch, &signer(member)).signature)
            .collect(),
    };
    const TIMES: u32 = 50;
    let began = cpu();
    let valid = (0..TIMES).all(|_| certificate.verify(&epoch, &Ed25519Verifier));
    let took = cpu_since(began);
    assert!(valid, "a certificate of a quorum is valid");
    Size {
        members,
        quorum: epoch.quorum(),
        certificate_bytes: wire::encode(&certificate).len(),
        verify_us: 1e6 * took / f64::from(TIMES),
    }
}
