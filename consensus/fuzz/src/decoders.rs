//! What is decoded and believed by itself.

use super::cluster::{COMMANDS, LIAR, RECORDED, Tags, epoch, id};
use hamlet_consensus::{
    Message,
    block::BlockId,
    evidence::Evidence,
    hash::Hash,
    outcome::OutcomeProof,
    vote::{Seal, SignedVote, Vote},
    wire,
};

/// Messages as members send them.
pub fn messages() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (RECORDED.heard.iter())
        .map(|(_, bytes)| bytes.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// What is decoded encodes to what decodes to it again.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let again = Message::decode(&message.encode());
        assert_eq!(again.as_ref(), Ok(&message));
    }
}

/// Proofs as clients get them.
pub fn proofs() -> Vec<Vec<u8>> {
    assert!(!RECORDED.proofs.is_empty(), "clients are told of outcomes");
    RECORDED.proofs.iter().map(wire::encode).collect()
}

/// A proof verifies only if it says what came out.
pub fn proof(bytes: &[u8]) {
    if let Ok(proof) = wire::decode::<OutcomeProof>(bytes)
        && proof.verify(&epoch(), &Tags(0))
    {
        let answer = &proof.outcome.answer;
        let told = (0..COMMANDS).any(|command| answer[..] == [command; 3]);
        assert!(told, "a proof of {answer:?}");
    }
}

/// Contradictory votes of the liar, and what is none.
pub fn evidences() -> Vec<Vec<u8>> {
    let block = |hash| BlockId {
        view: 3,
        height: 2,
        hash: Hash([hash; 32]),
    };
    let seal = |outcomes| Seal {
        block: block(1),
        outcomes: Hash([outcomes; 32]),
        state: Some(Hash([4; 32])),
        successors: None,
    };
    let pairs = [
        (Vote::Notarize(block(1)), Vote::Notarize(block(2))),
        (Vote::Notarize(block(1)), Vote::Nullify(3)),
        (Vote::Finalize(block(1)), Vote::Abandon(3)),
        (Vote::Finalize(block(1)), Vote::Support(block(2))),
        (Vote::Seal(seal(1)), Vote::Seal(seal(2))),
        (Vote::Notarize(block(1)), Vote::Finalize(block(1))),
    ];
    let evidence = |member: u8| {
        pairs.map(|(first, second)| {
            let sign = |vote| SignedVote::new(vote, &epoch(), &Tags(member));
            let (culprit, first, second) = (id(member), sign(first), sign(second));
            wire::encode(&Evidence {
                culprit,
                first,
                second,
            })
        })
    };
    // Of honest members all but the last would be evidence as well: they are no samples, since nobody has them.
    let honest = evidence(0).into_iter().skip(pairs.len() - 1);
    evidence(LIAR).into_iter().chain(honest).collect()
}

/// Nobody honest is held to have misbehaved.
pub fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = wire::decode::<Evidence>(bytes)
        && evidence.verify(&epoch(), &Tags(0))
    {
        assert_eq!(evidence.culprit, id(LIAR), "{evidence:?}");
        assert!(evidence.first.vote.contradicts(&evidence.second.vote));
    }
}
