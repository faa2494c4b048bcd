//! What happens when the bound of synchrony does not hold, and what does not while it does.

mod common;

use common::{
    in_time::{BOUND, One, epoch, proposal, two},
    signer,
};
use hamlet_consensus::{
    Epoch, Message,
    block::SoundBlock,
    certificate::{Certificate, Claim},
    ed25519::Ed25519Verifier,
    member::MemberSet,
    vote::{SignedVote, Vote},
};
use std::{sync::Arc, time::Duration};

/// Three members, of whom 1 leads view 1, shows a different block to each of the others, and helps both.
struct Split {
    epoch: Arc<Epoch>,
    honest: [One; 2],
    blocks: [SoundBlock; 2],
}

impl Split {
    fn begin() -> Split {
        let epoch = epoch(3);
        let (a, b) = two(&epoch);
        let mut honest = [One::start(0, 3), One::start(2, 3)];
        honest[0].hear(1, &proposal(&epoch, &a));
        honest[1].hear(1, &proposal(&epoch, &b));
        Split {
            epoch,
            honest,
            blocks: [a, b],
        }
    }

    fn wait(&mut self, time: Duration) {
        self.honest.iter_mut().for_each(|member| member.wait(time));
    }

    /// The honest members hear all that the other sent so far.
    fn meet(&mut self) {
        let [first, second] = &mut self.honest;
        let (to_second, to_first) = (first.sent.clone(), second.sent.clone());
        for (_, message) in &to_first {
            first.hear(2, message);
        }
        for (_, message) in &to_second {
            second.hear(0, message);
        }
    }

    /// The commit certificate that the liar has of what a member finalized.
    fn commit(&self, at: usize) -> Option<Certificate> {
        let (member, block) = (&self.honest[at], self.blocks[at].id());
        let both: MemberSet = [member.replica.me(), 1].into_iter().collect();
        let sign = |by| SignedVote::new(Vote::Finalize(block), &self.epoch, &*signer(by)).signature;
        let certificate = Certificate {
            claim: Claim::Finalized(block),
            first: both,
            second: MemberSet::EMPTY,
            signatures: both.iter().map(sign).collect(),
        };
        let voted = member.voted(Vote::Finalize(block));
        (voted && certificate.verify(&self.epoch, &Ed25519Verifier)).then_some(certificate)
    }
}

/// A partition that lasts longer than the bound, with one of three members Byzantine, `f = 1 ≥ n/3`: outsiders can be
/// shown two contradictory certificates of committed state. When the members meet again both notice.
#[test]
fn a_partition_longer_than_the_bound_splits_the_log() {
    let mut split = Split::begin();
    split.wait(BOUND * 5 / 2);
    let commits = [split.commit(0), split.commit(1)].map(Option::unwrap);
    assert_ne!(commits[0].claim.commits(), commits[1].claim.commits());
    assert_eq!(
        commits[0].claim.commits().unwrap().height,
        commits[1].claim.commits().unwrap().height
    );
    for (member, commit) in split.honest.iter_mut().zip(commits) {
        assert!(
            member.alarms.is_empty(),
            "so far the other may have crashed"
        );
        member.hear(1, &Message::Certificates(vec![commit]));
        assert_eq!(member.replica.height(), 1);
    }
    split.meet();
    for member in &split.honest {
        let other = 2 - member.replica.me();
        assert_eq!(
            member.alarms,
            [MemberSet::one(other)],
            "too many for one epoch"
        );
    }
}

/// The same leader, while messages take no longer than the bound: nothing is committed, and nobody is alarmed.
#[test]
fn while_the_bound_holds_the_same_leader_commits_nothing() {
    let mut split = Split::begin();
    for _ in 0..4 {
        split.wait(BOUND - Duration::from_millis(1));
        split.meet();
    }
    assert!(split.commit(0).is_none() && split.commit(1).is_none());
    for member in &split.honest {
        assert!(member.proved() && member.alarms.is_empty());
    }
}
