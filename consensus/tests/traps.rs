//! Mistakes that other engines made, each a test with its name.

mod common;

use common::{Member0, block, certificate, epoch, proposal, sign};
use hamlet_consensus::{
    Input, Message, Replica, Settings, block::BlockId, certificate::Claim,
    ed25519::Ed25519Verifier, storage::StorageError, time::Time, vote::Vote,
};
use std::time::Duration;

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
