//! What keeps a cluster awake, and what does not.

mod common;

use common::{Member0, block, certificate, epoch, proposal};
use hamlet_consensus::{Input, Message, block::BlockId, certificate::Claim, vote::Vote};
use std::time::Duration;

/// A leader may show a block of old commands to half of the members and an empty one to the others, and have both
/// notarized. The first half must not wait for a commit for ever: they are too few to end a view.
#[test]
fn executed_commands_in_a_block_are_no_reason() {
    let first = block(1, BlockId::start(&epoch(0)), b"a");
    let again = block(2, first.id(), b"a");
    let mut member = Member0::start(0, Vec::new());
    member.hear(1, proposal(&first, Vec::new()));
    let committed = certificate(Claim::Finalized(first.id()), &[1, 2, 3], &epoch(0));
    member.hear(2, proposal(&again, vec![committed]));
    let notarized = certificate(Claim::Notarized(again.id()), &[1, 2, 3], &epoch(0));
    member.hear(3, Message::Certificates(vec![notarized]));
    assert_eq!((member.replica.height(), member.replica.view()), (1, 3));
    member.sent.clear();
    for _ in 0..10 {
        member.wait(Duration::from_secs(10));
    }
    assert_eq!(member.votes(), [], "a quiet cluster sends beats alone");
}

/// Who did not vote for a block wants its commands executed all the same once it is notarized, and says so to all.
#[test]
fn commands_of_a_notarized_block_are_pending_with_everybody() {
    let block = block(1, BlockId::start(&epoch(0)), b"a");
    let mut member = Member0::start(0, Vec::new());
    let notarized = certificate(Claim::Notarized(block.id()), &[1, 2, 3], &epoch(0));
    member.hear(3, Message::Certificates(vec![notarized]));
    for _ in 0..4 {
        member.wait(Duration::from_secs(1));
    }
    assert!(!member.votes().contains(&Vote::Notarize(block.id())));
    for from in 1..4 {
        member.hear(from, Message::Block(block.block().clone()));
    }
    member.sent.clear();
    for _ in 0..4 {
        member.wait(Duration::from_secs(10));
    }
    let commands = Message::Commands(block.block().commands.clone());
    assert!(member.sent.contains(&commands));
}

/// Who came past a view by a later one's certificate asks for what it lacks, or it could never propose again.
#[test]
fn who_is_stuck_asks_for_the_certificates_that_it_lacks() {
    let mut member = Member0::start(0, Vec::new());
    let later = certificate(Claim::Nullified(2), &[1, 2, 3], &epoch(0));
    member.hear(3, Message::Certificates(vec![later]));
    member.input(Input::Submit(vec!["a".into()]));
    member.wait(Duration::from_secs(1));
    member.wait(Duration::from_secs(1));
    let asks = |view| move |message: &Message| matches!(message, Message::Status(status) if status.stuck && status.view == view);
    assert!(member.sent.iter().any(asks(1)));
    let lacking = certificate(Claim::Nullified(1), &[1, 2, 3], &epoch(0));
    member.hear(3, Message::Certificates(vec![lacking]));
    member.sent.clear();
    member.wait(Duration::from_secs(10));
    assert!(member.sent.iter().any(asks(member.replica.view())));
}
