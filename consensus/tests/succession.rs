//! Succession as outsiders see it, and what decoders of its messages refuse.

mod common;

use common::{Journal, certificate, epoch, signer};
use hamlet_consensus::{
    Message, Settings, Terms,
    block::BlockId,
    certificate::Claim,
    ed25519::Ed25519Verifier,
    epoch::{Charter, Epoch, EpochError, MAX_CONTEXT_BYTES, Merge, Origin},
    hash::Hash,
    identity::Signer,
    member::Member,
    succession::{
        Chain, Handover, MAX_HANDOVERS, Output, Parcel, Stored, Succession, Transfer, tag,
    },
    time::Time,
    vote::Seal,
};

fn charter(number: u64, members: &[Member]) -> Charter {
    Charter {
        cluster: Hash([2; 32]),
        number,
        terms: Terms::default(),
        members: members.iter().map(|member| signer(*member).id()).collect(),
        context: Default::default(),
    }
}

/// How an epoch ends at this height, signed by these of its members.
fn end(epoch: &Epoch, height: u64, successors: Vec<Charter>, by: &[Member]) -> Handover {
    let block = BlockId {
        view: 7,
        height,
        hash: Hash([height as u8; 32]),
    };
    let seal = Seal {
        block,
        outcomes: Hash::default(),
        state: Some(Hash([9; 32])),
        successors: Some(Charter::hash(&successors, None)),
    };
    Handover {
        ended: tag(epoch),
        seal: certificate(Claim::Sealed(seal), by, epoch),
        successors,
        merge: None,
    }
}

#[test]
fn an_outsider_follows_the_chain_and_nothing_else() {
    let founding = epoch(0);
    let first = end(&founding, 5, vec![charter(1, &[1, 2, 3, 4])], &[0, 1, 2]);
    let next = first.verify(&founding, &Ed25519Verifier).unwrap();
    assert_eq!(next[0].number(), 1);
    let origin = Origin {
        height: 5,
        state: Hash([9; 32]),
    };
    assert_eq!(next[0].origin(), origin);

    let mut few = first.clone();
    few.seal = end(&founding, 5, first.successors.clone(), &[0, 1]).seal;
    let mut others = first.clone();
    others.successors = vec![charter(1, &[5, 6, 7, 8])];
    let skips = end(&founding, 5, vec![charter(2, &[1, 2, 3])], &[0, 1, 2]);
    let mut elsewhere = charter(1, &[1, 2, 3]);
    elsewhere.cluster = Hash([3; 32]);
    let elsewhere = end(&founding, 5, vec![elsewhere], &[0, 1, 2]);
    let none = end(&founding, 5, vec![], &[0, 1, 2]);
    let nobody = end(&founding, 5, vec![charter(1, &[])], &[0, 1, 2]);
    let twice = end(&founding, 5, vec![charter(1, &[1, 1])], &[0, 1, 2]);
    for wrong in [few, others, skips, elsewhere, none, nobody, twice] {
        assert_eq!(wrong.verify(&founding, &Ed25519Verifier), None, "{wrong:?}");
    }
    // What proves the end of one epoch proves that of no other.
    let later = end(&next[0], 9, vec![charter(2, &[1, 2, 3])], &[0, 1, 2]);
    assert_eq!(later.verify(&founding, &Ed25519Verifier), None);

    let mut chain = Chain::new(founding.clone());
    let outsider = signer(60).id();
    assert_eq!(chain.follow(outsider, &later), None);
    assert!(chain.follow(outsider, &first).is_some());
    assert!(chain.follow(outsider, &first).is_none());
    assert!(chain.knows(tag(&founding)) && chain.has_ended(tag(&founding)));
    assert_eq!(chain.after(tag(&founding), 9), Some(vec![first]));
    assert_eq!(chain.newest(), &next[0]);
}

#[test]
fn a_split_leads_each_to_its_own_part() {
    let founding = epoch(0);
    let mut other = charter(0, &[2, 3]);
    other.cluster = Hash([4; 32]);
    let split = end(
        &founding,
        5,
        vec![charter(1, &[0, 1]), other.clone()],
        &[0, 1, 2, 3],
    );
    for (member, cluster) in [(1, Hash([2; 32])), (3, other.cluster), (9, Hash([2; 32]))] {
        let mut chain = Chain::new(founding.clone());
        let all = chain.follow(signer(member).id(), &split).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(chain.newest().charter().cluster, cluster);
    }
    let third = vec![charter(1, &[0]), other.clone(), other];
    let three = end(&founding, 5, third, &[0, 1, 2, 3]);
    assert_eq!(three.epochs(&founding), None);
}

/// R9: what was said before it began, nobody would say again to a newcomer but after a time-out.
#[test]
fn who_comes_later_says_so_at_once() {
    let founding = epoch(0);
    let (settings, stored) = (Settings::default(), Stored::default());
    let start = Succession::start(
        founding,
        signer(0),
        Journal::default(),
        settings,
        &stored,
        Time::ZERO,
    );
    let mut member = start.unwrap();
    let outputs = std::iter::from_fn(|| member.poll());
    let says_so = |output: Output| match output {
        Output::Send(_, Parcel::Agreement(_, message)) => {
            matches!(&*message, Message::Status(status) if status.stuck)
        }
        _ => false,
    };
    assert!(outputs.into_iter().any(says_so));
}

#[test]
fn epochs_that_begin_differently_are_different() {
    let found = |state| {
        let origin = Origin {
            height: 5,
            state: Hash([state; 32]),
        };
        charter(1, &[0, 1]).found(Hash([1; 32]), origin).unwrap()
    };
    assert_ne!(found(1).id(), found(2).id());
    let mut bound = charter(1, &[0, 1]);
    bound.context = vec![0; MAX_CONTEXT_BYTES + 1].into();
    let refused = bound.found(Hash([1; 32]), Origin::default());
    assert_eq!(refused, Err(EpochError::Context(MAX_CONTEXT_BYTES + 1)));
}

#[test]
fn transfers_survive_the_wire_and_damaged_ones_are_refused() {
    let founding = epoch(0);
    let handover = end(&founding, 5, vec![charter(1, &[1, 2])], &[0, 1, 2]);
    let seal = Box::new(handover.seal.clone());
    let takes = Handover {
        merge: Some(Merge::Takes(Hash([3; 32]))),
        ..handover.clone()
    };
    let all = [
        Transfer::Handovers(vec![handover.clone(); MAX_HANDOVERS]),
        Transfer::Handovers(vec![takes]),
        Transfer::Follow(3),
        Transfer::FetchOrigin(4),
        Transfer::Pieces(4, vec![Hash([1; 32]); 3]),
        Transfer::FetchPiece(4, 1),
        Transfer::Piece(4, 1, b"piece".as_slice().into()),
        Transfer::Established(4, seal),
    ];
    for transfer in all {
        let bytes = transfer.encode();
        assert_eq!(Transfer::decode(&bytes), Ok(transfer));
        for length in 0..bytes.len().min(200) {
            assert!(Transfer::decode(&bytes[..length]).is_err());
        }
    }
    let many = Transfer::Handovers(vec![handover; MAX_HANDOVERS + 1]);
    assert!(Transfer::decode(&many.encode()).is_err());
}
