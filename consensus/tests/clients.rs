//! Peers outside, who submit commands and get certificates.

mod common;

use common::{Cluster, epoch};
use hamlet_consensus::{
    Input,
    command::Command,
    ed25519::Ed25519Verifier,
    identity::PeerId,
    io::{Refusal, Reply},
};
use std::time::Duration;

fn command(text: u32) -> Command {
    Command {
        expires: 100,
        payload: text.to_le_bytes().to_vec().into(),
    }
}

fn ask(cluster: &mut Cluster, member: u8, client: u8, command: Command) {
    let client = PeerId([client; 32]);
    cluster.input(member, Input::Client { client, command });
}

#[test]
fn a_command_submitted_to_many_members_is_executed_once_and_proved_by_each() {
    let mut cluster = Cluster::start();
    for member in 0..4 {
        ask(&mut cluster, member, 9, command(7));
    }
    cluster.pass(Duration::from_secs(5));
    assert_eq!(cluster.replies.len(), 4);
    for (client, reply) in &cluster.replies {
        let Reply::Outcome(proof) = reply else {
            panic!("refused: {reply:?}");
        };
        assert_eq!(*client, PeerId([9; 32]));
        assert_eq!(proof.outcome.command, command(7).id());
        assert!(proof.verify(&epoch(0), &Ed25519Verifier));
        assert!(!proof.verify(&epoch(1), &Ed25519Verifier));
    }
    for replica in &cluster.replicas {
        assert_eq!(replica.application().0, 7u32.to_le_bytes());
    }
}

/// A flood by one client is refused before it fills the queue that it shares with the member's other clients.
#[test]
fn one_client_cannot_keep_others_out() {
    let mut cluster = Cluster::start();
    cluster.lose = |_| true;
    for text in 0..2000 {
        ask(&mut cluster, 2, 1, command(text));
    }
    let refused = (cluster.replies.iter())
        .filter(|(_, reply)| matches!(reply, Reply::Refused { why, .. } if *why == Refusal::Full))
        .count();
    assert_eq!(refused, 2000 - 64);
    cluster.replies.clear();
    ask(&mut cluster, 2, 2, command(5000));
    assert!(
        cluster.replies.is_empty(),
        "another client's command is taken in"
    );
}

/// Nobody waits for ever: who executed a command but cannot get it sealed says so.
#[test]
fn who_cannot_prove_an_outcome_says_so() {
    let mut cluster = Cluster::start();
    cluster.lose = |message| {
        use hamlet_consensus::{Message, vote::Vote};
        matches!(message, Message::Vote(signed) if matches!(signed.vote, Vote::Seal(_)))
    };
    ask(&mut cluster, 1, 1, command(1));
    cluster.pass(Duration::from_secs(3600));
    assert_eq!(cluster.replicas[1].application().0, 1u32.to_le_bytes());
    let [(_, Reply::Refused { why, .. })] = &cluster.replies[..] else {
        panic!("{:?}", cluster.replies);
    };
    assert_eq!(*why, Refusal::Unproved);
}
