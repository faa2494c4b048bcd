//! Mistakes that other engines made, each a test with its name.

mod common;

use common::{Member0, block, certificate, epoch, proposal, sign};
use hamlet_consensus::{
    Input, Message, Replica, Settings,
    block::{Block, BlockId},
    certificate::Claim,
    ed25519::Ed25519Verifier,
    message::{Proposal, Status, Tail},
    storage::StorageError,
    time::Time,
    vote::{Seal, Vote},
};
use std::{sync::Arc, time::Duration};

fn start() -> BlockId {
    BlockId::start(&epoch(0))
}

/// malachite 850: a voter that restarts votes for something else.
#[test]
fn a_voter_that_restarts_does_not_vote_again() {
    let (a, b) = (block(1, start(), b"a"), block(1, start(), b"b"));
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    assert_eq!(member.votes(), [Vote::Notarize(a.id())]);
    let mut member = member.restart();
    member.hear(1, proposal(&b, Vec::new()));
    member.wait(Duration::from_secs(60));
    member.wait(Duration::from_secs(60));
    assert!(!member.votes().contains(&Vote::Notarize(b.id())));
    assert!(!member.votes().contains(&Vote::Nullify(1)));
}

/// malachite 864: a proposer that restarts proposes something else.
#[test]
fn a_proposer_that_restarts_repeats_its_proposal() {
    let mut member = Member0::start(1, Vec::new());
    member.input(Input::Submit(vec!["first".into()]));
    let first = member.votes();
    assert!(matches!(first[..], [Vote::Notarize(_)]));
    let mut member = member.restart();
    member.input(Input::Submit(vec!["second".into()]));
    member.wait(Duration::from_secs(1));
    member.wait(Duration::from_secs(1));
    assert_eq!(
        member.votes(),
        first,
        "the same block, and nothing against it"
    );
}

/// ava-labs/Simplex 545: sequence numbers reused across epochs give two valid finalisations.
#[test]
fn certificates_of_another_epoch_prove_nothing() {
    let a = block(1, start(), b"a");
    let claim = Claim::Finalized(a.id());
    let foreign = certificate(claim, &[1, 2, 3], &epoch(1));
    let own = certificate(claim, &[1, 2, 3], &epoch(0));
    assert!(foreign.verify(&epoch(1), &Ed25519Verifier));
    assert!(!foreign.verify(&epoch(0), &Ed25519Verifier));
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    member.hear(2, Message::Certificates(vec![foreign]));
    assert_eq!(member.replica.height(), 0);
    member.hear(3, Message::Certificates(vec![own]));
    assert_eq!(member.replica.height(), 1);
}

/// tari-ootle 2459: votes aggregated by view without the content let one liar poison a certificate.
#[test]
fn a_liars_vote_for_another_block_spoils_nobodys_certificate() {
    let (a, b) = (block(1, start(), b"a"), block(1, start(), b"b"));
    let mut member = Member0::start(0, Vec::new());
    member.hear_vote(3, Vote::Notarize(b.id()));
    let mut bad = sign(2, Vote::Notarize(a.id()));
    bad.signature.0[5] ^= 1;
    member.hear(2, Message::Vote(bad));
    member.hear(1, proposal(&a, Vec::new()));
    assert_eq!(member.replica.view(), 1, "two good votes are no quorum");
    member.hear_vote(2, Vote::Notarize(a.id()));
    assert_eq!(
        member.replica.view(),
        2,
        "a bad signature does not fill its member's place"
    );
    assert!(member.votes().contains(&Vote::Finalize(a.id())));
}

/// overlord PR 91: a nil vote that ignores the lock. Here the lock is the own first vote: without proof that the
/// block cannot have been committed unanimously nobody gives it up.
#[test]
fn who_voted_gives_up_only_with_proof() {
    let a = block(1, start(), b"a");
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    member.wait(Duration::from_secs(1));
    member.hear_vote(2, Vote::Nullify(1));
    member.wait(Duration::from_secs(60));
    assert_eq!(
        member.votes(),
        [Vote::Notarize(a.id())],
        "one contrary vote may be a liar's"
    );
    member.hear_vote(3, Vote::Nullify(1));
    assert_eq!(member.votes(), [Vote::Notarize(a.id()), Vote::Abandon(1)]);
}

/// The hidden lock: a block that may be committed where this member cannot see it is not passed over.
#[test]
fn a_block_is_not_built_past_a_view_that_is_not_nullified() {
    let a = block(1, start(), b"a");
    let past = block(2, start(), b"past");
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    let notarized = certificate(Claim::Notarized(a.id()), &[1, 2, 3], &epoch(0));
    member.hear(2, proposal(&past, vec![notarized]));
    assert_eq!(member.replica.view(), 2);
    assert!(!member.votes().contains(&Vote::Notarize(past.id())));
    let nullified = certificate(Claim::Nullified(1), &[1, 2, 3], &epoch(0));
    member.hear(2, Message::Certificates(vec![nullified]));
    assert!(member.votes().contains(&Vote::Notarize(past.id())));
}

/// Two stories of one member become a proof, once.
#[test]
fn contradictory_votes_become_evidence() {
    let (a, b) = (block(1, start(), b"a"), block(1, start(), b"b"));
    let mut member = Member0::start(0, Vec::new());
    for vote in [
        Vote::Notarize(a.id()),
        Vote::Notarize(b.id()),
        Vote::Nullify(1),
    ] {
        member.hear_vote(3, vote);
    }
    assert_eq!(member.evidence, 1);
    let mut forged = sign(2, Vote::Notarize(a.id()));
    member.hear(2, Message::Vote(forged));
    forged.vote = Vote::Notarize(b.id());
    member.hear(2, Message::Vote(forged));
    assert_eq!(
        member.evidence, 1,
        "a signature of something else proves nothing"
    );
}

/// With everybody's vote a block is committed before anybody finalizes it: two delays.
#[test]
fn unanimity_commits_at_once() {
    let a = block(1, start(), b"a");
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    member.hear_vote(2, Vote::Notarize(a.id()));
    assert_eq!(member.replica.height(), 0);
    member.hear_vote(3, Vote::Notarize(a.id()));
    assert_eq!(member.replica.height(), 1);
    assert_eq!(member.replica.application().0, b"a");
}

/// A store whose records were changed is refused; one whose last write was torn is not.
#[test]
fn damage_is_refused_and_a_torn_end_is_not() {
    let a = block(1, start(), b"a");
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&a, Vec::new()));
    let disk = member.disk;
    assert!(disk.len() >= 2);
    let open = |disk: &[Vec<u8>]| {
        let journal = common::Journal::default();
        let settings = Settings::default();
        Replica::new(
            epoch(0),
            common::signer(0),
            journal,
            settings,
            disk,
            Time::ZERO,
        )
        .map(|_| ())
    };
    for record in 0..disk.len() {
        for byte in 0..disk[record].len() {
            let mut damaged = disk.clone();
            damaged[record][byte] ^= 0x10;
            let cut_length = byte < 4 && record + 1 == disk.len();
            assert!(
                cut_length || open(&damaged).is_err(),
                "record {record}, byte {byte}"
            );
        }
    }
    for cut in 0..disk[disk.len() - 1].len() {
        let mut torn = disk.clone();
        torn[disk.len() - 1].truncate(cut);
        assert_eq!(open(&torn), Ok(()), "cut at {cut}");
    }
    let mut gap = disk.clone();
    gap.remove(0);
    let refused = Err(StorageError::Damaged { record: 0 }.into());
    assert_eq!(open(&gap), refused);
}

/// commonware 3042: a rule that each replica must decide alike is not deterministic. Here everything that members must
/// agree on follows from the log alone, not from when and how they learn of it: this holds one who saw every proposal
/// and vote beside one who executes all at once from a certificate, with other commands waiting, at another time.
#[test]
fn what_members_decide_alike_follows_from_the_log_alone() {
    let mut blocks = Vec::new();
    let mut parent = start();
    for (view, text) in (1..).zip([b"a", b"b", b"a", b"c"]) {
        blocks.push(block(view, parent, text));
        parent = blocks[blocks.len() - 1].id();
    }
    let seals = |member: &mut Member0| -> Vec<Seal> {
        member.sent.clear();
        for height in 1..=4 {
            member.hear(3, Message::RequestSeal(height));
        }
        let sealed = |message: &Message| match message {
            Message::Vote(signed) => match signed.vote {
                Vote::Seal(seal) => Some(seal),
                _ => None,
            },
            _ => None,
        };
        member.sent.iter().filter_map(sealed).collect()
    };
    let mut early = Member0::start(0, Vec::new());
    for block in &blocks {
        if epoch(0).leader(block.id().view) != 0 {
            early.hear(
                epoch(0).leader(block.id().view),
                proposal(block, Vec::new()),
            );
        } else {
            early.hear(1, Message::Block(block.block().clone()));
        }
        for member in 1..4 {
            early.hear_vote(member, Vote::Notarize(block.id()));
            early.hear_vote(member, Vote::Finalize(block.id()));
        }
    }
    assert_eq!(
        early.replica.height(),
        3,
        "its own view's block it never made"
    );
    let mut late = Member0::start(2, Vec::new());
    late.wait(Duration::from_secs(3600));
    late.input(Input::Submit(vec!["waits".into(), "waits too".into()]));
    let tail = |count: usize| {
        let claim = Claim::Finalized(blocks[count - 1].id());
        Message::Tail(Box::new(Tail {
            certificate: certificate(claim, &[0, 1, 3], &epoch(0)),
            headers: blocks[..count]
                .iter()
                .map(|block| *block.header())
                .collect(),
            bodies: blocks[..count]
                .iter()
                .map(|block| block.block().commands.clone())
                .collect(),
        }))
    };
    let ahead = Status {
        view: 5,
        height: 4,
        stuck: false,
    };
    late.hear(3, Message::Status(ahead));
    late.wait(Duration::from_secs(10));
    late.hear(3, tail(4));
    assert_eq!(late.replica.height(), 4);
    let (early, late) = (seals(&mut early), seals(&mut late));
    assert_eq!(early, late[..3], "blocks, outcomes and states are the same");
}

/// A block that claims a place before its parent, or before everything, is nobody's child.
#[test]
fn a_block_in_an_impossible_place_is_refused() {
    let a = block(1, start(), b"a");
    for (height, parent_view) in [(0, 0), (1, 1), (1, u64::MAX)] {
        let mut member = Member0::start(0, Vec::new());
        let mut block = Block::clone(a.block());
        block.header.height = height;
        block.header.parent_view = parent_view;
        let vote = Vote::Notarize(block.header.id());
        member.hear(
            1,
            Message::Proposal(Proposal {
                block: Arc::new(block),
                signature: sign(1, vote).signature,
                justification: Vec::new(),
            }),
        );
        assert_eq!(
            member.votes(),
            [],
            "height {height}, parent's view {parent_view}"
        );
    }
}
