use super::{pool::*, *};
use crate::{
    digest::{Claim, Digest, Header, Leaf, leaf},
    genesis::{Founder, Genesis, Parameters},
    identity::{Signer, SimulatedAuthority},
    time::{Duration, Time},
};
use hamlet_consensus::{
    Epoch, Terms,
    vote::{SignedVote, Vote},
};
use proptest::prelude::*;
use std::sync::Arc;

fn authority() -> SimulatedAuthority {
    SimulatedAuthority::new([9; 32])
}

fn network() -> Network {
    let genesis = Genesis {
        admission: Default::default(),
        name: "test".into(),
        parameters: Parameters::for_peers(8),
        seed: Hash([5; 32]),
        founders: (1..=8)
            .map(|number| Founder {
                id: PeerId([number; 32]),
                addresses: Vec::new(),
            })
            .collect(),
        publishers: vec![Publisher {
            stream: PeerId([2; 32]),
            max_bits_per_s: 1_000,
        }],
    };
    genesis.found().unwrap()
}

/// A digest by a key.
fn digest(by: u8, segment: u64, length: u32, previous: Option<Hash>) -> Digest {
    let header = Header {
        stream: 0,
        segment,
        length,
        parity: 2,
        random_access: true,
        cut_unix_ms: 0,
        payload: Hash([7; 32]),
        previous,
    };
    let leaves: Vec<Leaf> = (0..8).map(|shard| leaf(&[shard])).collect();
    let signer = authority().signer(PeerId([by; 32]));
    Digest::sign(
        header,
        leaves.into_iter().collect(),
        network().id(),
        &signer,
    )
}

fn digests(first: &Digest, second: &Digest) -> Evidence {
    Evidence::Digests(Box::new(Equivocation {
        first: first.claim(),
        second: second.claim(),
    }))
}

fn votes(by: u8, first: Vote, second: Vote) -> Evidence {
    let signer = authority().signer(PeerId([by; 32]));
    let (terms, members) = (Terms::default(), vec![signer.id()]);
    let epoch = Epoch::new(network().id(), Hash([3; 32]), 4, terms, members).unwrap();
    let signed = |vote| SignedVote::new(vote, &epoch, &signer);
    Evidence::Votes(Box::new(Votes {
        epoch: epoch.id(),
        votes: hamlet_consensus::evidence::Evidence {
            culprit: signer.id(),
            first: signed(first),
            second: signed(second),
        },
        credential: Credential::Key,
    }))
}

fn convicts(evidence: &Evidence) -> bool {
    let network = network();
    evidence.convicts(Laws::of(&network, &authority()))
}

/// One of each kind.
fn kinds() -> [(Evidence, Kind, u8); 3] {
    let (first, other) = (digest(2, 3, 100, None), digest(2, 3, 99, None));
    let fork = digest(2, 4, 100, Some(Hash([0; 32])));
    [
        (digests(&first, &other), Kind::TwoDigests, 2),
        (digests(&first, &fork), Kind::BrokenChain, 2),
        (
            votes(5, Vote::Nullify(7), Vote::Abandon(7)),
            Kind::TwoVotes,
            5,
        ),
    ]
}

#[test]
fn each_kind_proves_itself_and_says_in_words_what_it_proves() {
    let network = network();
    for (evidence, kind, culprit) in kinds() {
        assert!(convicts(&evidence), "{kind:?}");
        assert_eq!(evidence.kind(), kind);
        let publishers = &network.genesis().publishers;
        assert_eq!(evidence.culprit(publishers), Some(PeerId([culprit; 32])));
        let bytes = evidence.encode();
        assert!(bytes.len() <= MAX_EVIDENCE_BYTES / 2, "{}", bytes.len());
        assert_eq!(Evidence::decode(&bytes).as_ref(), Ok(&evidence));
        assert!(!evidence.to_string().is_empty() && !kind.to_string().is_empty());
        assert!(Evidence::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn what_an_honest_peer_signs_proves_nothing() {
    let first = digest(2, 3, 100, None);
    let next = digest(2, 4, 100, Some(first.link()));
    // After a crash a source begins a new chain with a number that it has not used.
    let again = digest(2, 4, 100, None);
    for (a, b) in [(&first, &first), (&first, &next), (&first, &again)] {
        assert!(!convicts(&digests(a, b)));
    }
    assert!(!convicts(&votes(5, Vote::Nullify(7), Vote::Nullify(8))));
    // Another's words, and those of nobody who is admitted.
    let (one, two) = (digest(3, 3, 100, None), digest(3, 3, 99, None));
    assert!(!convicts(&digests(&one, &two)));
    assert!(!convicts(&votes(77, Vote::Nullify(7), Vote::Abandon(7))));
}

#[test]
fn a_name_does_not_depend_on_order_or_signatures() {
    for (evidence, ..) in kinds() {
        let mut swapped = evidence.clone();
        match &mut swapped {
            Evidence::Digests(proof) if proof.is_of_one_segment() => {
                std::mem::swap(&mut proof.first, &mut proof.second);
            }
            Evidence::Digests(_) => {}
            Evidence::Votes(proof) => {
                std::mem::swap(&mut proof.votes.first, &mut proof.votes.second);
                proof.votes.first.signature.0[0] ^= 1;
                proof.credential = Credential::Work(3);
            }
        }
        assert_eq!(swapped.id(), evidence.id());
    }
    let ids: std::collections::BTreeSet<Hash> = kinds().iter().map(|(one, ..)| one.id()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_pool_knows_one_piece_of_a_kind_against_a_key_and_passes_it_on_for_its_term() {
    let mut pool = Pool::default();
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    let culprit = PeerId([5; 32]);
    let one = votes(5, Vote::Nullify(7), Vote::Abandon(7));
    let more = votes(5, Vote::Nullify(8), Vote::Abandon(8));
    assert!(!pool.knows(one.id(), &one, culprit, at(0)));
    pool.keep(Arc::new(one.clone()), culprit, true, at(60));
    assert!(pool.knows(more.id(), &more, culprit, at(59)));
    assert!(!pool.knows(more.id(), &more, culprit, at(60)));
    let as_source = digests(&digest(2, 3, 100, None), &digest(2, 3, 99, None));
    assert!(!pool.knows(as_source.id(), &as_source, culprit, at(0)));
    // What is offered is given once for each link.
    let fellow = PeerId([1; 32]);
    assert_eq!(pool.answer(fellow, &[short(one.id())]), None);
    assert_eq!(pool.offer(fellow, at(59)), [short(one.id())]);
    assert_eq!(pool.answer(fellow, &[short(one.id())]).unwrap().len(), 1);
    assert_eq!(pool.answer(fellow, &[short(one.id())]), None);
    assert!(pool.offer(fellow, at(60)).is_empty());
    pool.pass(more.id());
    assert!(pool.has(short(more.id())) && pool.has(short(one.id())));
}

#[test]
fn a_pool_is_bounded() {
    let mut pool = Pool::default();
    for number in 0..2_000u64 {
        let evidence = votes(5, Vote::Nullify(number), Vote::Abandon(number));
        let until = Time::ZERO + Duration::from_secs(number);
        pool.pass(evidence.id());
        pool.keep(Arc::new(evidence), PeerId([5; 32]), true, until);
    }
    assert_eq!(pool.all().count(), MAX_KEPT);
    let offered = pool.offer(PeerId([1; 32]), Time::ZERO);
    assert_eq!(offered.len(), MAX_OFFERED);
}

#[test]
fn what_is_kept_is_ordered_until_the_log_knows_it_and_anew_in_another_cluster() {
    let mut pool = Pool::default();
    let evidence = votes(5, Vote::Nullify(7), Vote::Abandon(7));
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    pool.move_to(1);
    pool.keep(Arc::new(evidence), PeerId([5; 32]), true, at(1_000));
    let turn = |_| Duration::from_secs(1);
    let unknown = |_, _| false;
    assert!(pool.due() <= at(0) && pool.take_due(at(0), turn, unknown).is_empty());
    assert_eq!(pool.due(), at(1));
    assert_eq!(pool.take_due(at(1), turn, unknown).len(), 1);
    let tries = (2..100).map(|now| pool.take_due(at(now), turn, unknown).len());
    assert!((1..20).contains(&tries.sum::<usize>()));
    assert_eq!(pool.due(), Time::NEVER);
    pool.move_to(2);
    assert!(pool.take_due(at(200), turn, |_, _| true).is_empty());
    assert_eq!(pool.due(), Time::NEVER);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_mean_the_same_again(
        bytes in proptest::collection::vec(any::<u8>(), 0..1_200), kind in 0usize..3, place: usize, bit in 0u8..8,
    ) {
        let mut damaged = kinds()[kind].0.encode();
        let place = place % damaged.len();
        damaged[place] ^= 1 << bit;
        for bytes in [bytes, damaged.clone()] {
            if let Ok(evidence) = Evidence::decode(&bytes) {
                prop_assert_eq!(evidence.encode(), bytes);
                let _ = (evidence.id(), evidence.to_string());
            }
        }
        // One bit turned over is not what was signed.
        if let Ok(evidence) = Evidence::decode(&damaged) {
            let same_words = evidence.id() == kinds()[kind].0.id();
            prop_assert!(!convicts(&evidence) || same_words);
        }
    }
}

#[test]
fn the_claims_of_one_source_only_are_compared() {
    let claim = |by| digest(by, 3, u32::from(by), None).claim();
    let [first, second]: [Claim; 2] = [claim(2), claim(3)];
    assert!(!convicts(&Evidence::Digests(Box::new(Equivocation {
        first,
        second
    }))));
}
