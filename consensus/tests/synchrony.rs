//! The rules of synchrony, S1 to S9, one by one; and what happens when the bound does not hold.

mod common;

use common::{Journal, signer};
use hamlet_consensus::{
    Epoch, Input, Message, Model, Output, Replica, Settings, Terms,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::Command,
    ed25519::Ed25519Verifier,
    evidence::Evidence,
    hash::Hash,
    identity::Signer,
    member::{Member, MemberSet},
    message::{Proposal, Status},
    time::Time,
    vote::{SignedVote, Vote},
};
use std::{sync::Arc, time::Duration};

const BOUND: Duration = Duration::from_secs(1);

fn epoch(size: Member) -> Arc<Epoch> {
    let members = (0..size).map(|member| signer(member).id()).collect();
    let terms = Terms {
        model: Model::Synchrony { bound: BOUND },
        ..Terms::default()
    };
    Arc::new(Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members).unwrap())
}

/// A member under test.
struct One {
    epoch: Arc<Epoch>,
    replica: Replica<Journal>,
    disk: Vec<Vec<u8>>,
    sent: Vec<(MemberSet, Message)>,
    /// The alarms that it raised: who was absent.
    alarms: Vec<MemberSet>,
    now: Time,
}

impl One {
    fn start(me: Member, size: Member) -> One {
        One::wake(me, size, Vec::new(), Time::ZERO)
    }

    fn wake(me: Member, size: Member, disk: Vec<Vec<u8>>, now: Time) -> One {
        let epoch = epoch(size);
        let settings = Settings {
            beat: Duration::from_secs(3600),
            ..Settings::default()
        };
        let (journal, key) = (Journal::default(), signer(me));
        let replica = Replica::new(epoch.clone(), key, journal, settings, &disk, now).unwrap();
        let mut one = One {
            epoch,
            replica,
            disk,
            sent: Vec::new(),
            alarms: Vec::new(),
            now,
        };
        one.input(Input::Wake);
        one
    }

    fn restart(self) -> One {
        let size = self.epoch.size() as Member;
        One::wake(self.replica.me(), size, self.disk, self.now)
    }

    fn input(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Record(record) => self.disk.push(record),
                Output::Send { to, message } => self.sent.push((to, (*message).clone())),
                Output::Check(check) => {
                    let verdict = check.run(&Ed25519Verifier);
                    self.replica.handle(self.now, Input::Checked(verdict));
                }
                Output::Asynchrony { absent, .. } => self.alarms.push(absent),
                _ => {}
            }
        }
    }

    fn hear(&mut self, from: Member, message: &Message) {
        let message = Arc::new(message.clone());
        self.input(Input::Message { from, message });
    }

    fn hear_vote(&mut self, from: Member, vote: Vote) {
        let signed = SignedVote::new(vote, &self.epoch, &*signer(from));
        self.hear(from, &Message::Vote(signed));
    }

    /// Lets time pass, a little at a time as its alarms would.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = (self.now + BOUND / 32).min(until);
            self.input(Input::Wake);
        }
    }

    fn voted(&self, vote: Vote) -> bool {
        self.sent.iter().any(|(_, message)| match message {
            Message::Vote(signed) => signed.vote == vote,
            Message::Proposal(proposal) => {
                let id = proposal.block.header.id();
                vote == Vote::Notarize(id) && self.epoch.leader(id.view) == self.replica.me()
            }
            _ => false,
        })
    }

    fn handed_on(&self, block: BlockId) -> Option<(MemberSet, Message)> {
        let mut sent = self.sent.iter();
        let is_it = |message: &Message| matches!(message, Message::Proposal(proposal) if proposal.block.header.id() == block);
        sent.find(|(_, message)| is_it(message)).cloned()
    }

    fn proved(&self) -> bool {
        (self.sent.iter()).any(|(_, message)| matches!(message, Message::Evidence(_)))
    }
}

fn block(epoch: &Epoch, view: u64, parent: BlockId, text: &'static [u8]) -> SoundBlock {
    let command = Command {
        expires: 200,
        payload: text.into(),
    };
    SoundBlock::build(epoch, view, parent, vec![command])
}

fn proposal(epoch: &Epoch, block: &SoundBlock) -> Message {
    let leader = signer(epoch.leader(block.id().view));
    Message::Proposal(Proposal {
        block: block.block().clone(),
        signature: SignedVote::new(Vote::Notarize(block.id()), epoch, &*leader).signature,
        justification: Vec::new(),
    })
}

fn certificate(epoch: &Epoch, claim: Claim, members: &[Member]) -> Message {
    let vote = claim.votes().0;
    let signatures = members
        .iter()
        .map(|member| SignedVote::new(vote, epoch, &*signer(*member)).signature)
        .collect();
    Message::Certificates(vec![Certificate {
        claim,
        first: members.iter().copied().collect(),
        second: MemberSet::EMPTY,
        signatures,
    }])
}

/// Two blocks of view 1, which member 1 leads.
fn two(epoch: &Epoch) -> (SoundBlock, SoundBlock) {
    let start = BlockId::start(epoch);
    (block(epoch, 1, start, b"a"), block(epoch, 1, start, b"b"))
}

#[test]
fn s1_nobody_builds_past_what_is_certified() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    member.hear(
        3,
        &certificate(&epoch, Claim::Notarized(a.id()), &[1, 2, 3]),
    );
    member.hear(3, &certificate(&epoch, Claim::Nullified(1), &[2, 3, 4]));
    assert_eq!(member.replica.view(), 2);
    let past = block(&epoch, 2, BlockId::start(&epoch), b"past");
    member.hear(2, &proposal(&epoch, &past));
    member.wait(BOUND * 5 / 2);
    assert!(!member.voted(Vote::Notarize(past.id())) && member.voted(Vote::Nullify(2)));
}

#[test]
fn s2_a_block_is_handed_on_to_those_who_have_not_voted() {
    let mut member = One::start(0, 5);
    let (a, _) = two(&member.epoch);
    member.hear(1, &proposal(&member.epoch.clone(), &a));
    member.hear_vote(2, Vote::Notarize(a.id()));
    assert!(member.handed_on(a.id()).is_none());
    member.wait(BOUND / 4);
    let (to, _) = member.handed_on(a.id()).unwrap();
    assert_eq!(to, [3, 4].into_iter().collect());
}

#[test]
fn s3_two_blocks_of_a_leader_are_shown_to_all_and_end_its_view() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, b) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    member.hear(2, &proposal(&epoch, &b));
    assert!(member.proved());
    assert_eq!(member.replica.view(), 2);
    member.hear(
        3,
        &certificate(&epoch, Claim::Notarized(a.id()), &[0, 1, 3]),
    );
    member.wait(BOUND * 3);
    assert!(!member.voted(Vote::Finalize(a.id())));
}

#[test]
fn s4_a_block_is_finalized_after_two_bounds_and_on_a_preference_at_once() {
    let mut slow = One::start(0, 5);
    let epoch = slow.epoch.clone();
    let (a, _) = two(&epoch);
    let mut quick = One::start(0, 5);
    for member in [&mut slow, &mut quick] {
        member.hear(1, &proposal(&epoch, &a));
        member.hear_vote(2, Vote::Notarize(a.id()));
    }
    slow.wait(BOUND * 9 / 4 - Duration::from_millis(1));
    assert!(!slow.voted(Vote::Finalize(a.id())));
    slow.wait(Duration::from_millis(1));
    assert!(slow.voted(Vote::Finalize(a.id())) && slow.replica.view() == 2);
    quick.hear_vote(3, Vote::Notarize(a.id()));
    assert!(quick.voted(Vote::Finalize(a.id())) && quick.replica.view() == 2);
}

/// One member settled its block and two liars passed over the next view: the others were moved past the first before its
/// clock had run, and could neither build on its block nor past it.
#[test]
fn s4_a_block_is_settled_by_those_who_were_moved_past_its_view() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    member.hear_vote(2, Vote::Notarize(a.id()));
    member.hear(2, &certificate(&epoch, Claim::Nullified(2), &[2, 3, 4]));
    assert_eq!(member.replica.view(), 3);
    member.wait(BOUND * 9 / 4 - Duration::from_millis(1));
    assert!(!member.voted(Vote::Finalize(a.id())));
    member.wait(Duration::from_millis(1));
    assert!(member.voted(Vote::Finalize(a.id())));
    let next = block(&epoch, 3, a.id(), b"next");
    member.hear(3, &proposal(&epoch, &next));
    assert!(member.voted(Vote::Notarize(next.id())));
}

#[test]
fn s5_who_gave_up_abandons_its_block_or_supports_anothers() {
    let (mut voter, mut late) = (One::start(0, 5), One::start(0, 5));
    let epoch = voter.epoch.clone();
    let (a, _) = two(&epoch);
    voter.hear(1, &proposal(&epoch, &a));
    for member in [&mut voter, &mut late] {
        member.input(Input::Submit(vec!["wanted".into()]));
        member.wait(BOUND * 5);
    }
    assert!(voter.voted(Vote::Abandon(1)) && late.voted(Vote::Nullify(1)));
    late.hear(1, &proposal(&epoch, &a));
    assert!(late.voted(Vote::Support(a.id())) && !late.voted(Vote::Notarize(a.id())));
}

#[test]
fn s6_what_is_known_of_a_void_view_is_passed_on_and_waited_for() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    let notarized = certificate(&epoch, Claim::Notarized(a.id()), &[1, 2, 3]);
    member.hear(3, &notarized);
    member.sent.clear();
    member.hear(4, &certificate(&epoch, Claim::Nullified(1), &[2, 3, 4]));
    let told = member.sent.iter().any(|(to, message)| {
        to.len() == 4 && matches!(message, Message::Certificates(both) if both.len() == 2)
    });
    assert!(told, "its block's certificate goes with the nullification");
    let next = block(&epoch, 2, a.id(), b"next");
    member.hear(2, &proposal(&epoch, &next));
    member.wait(BOUND * 2 - Duration::from_millis(1));
    assert!(!member.voted(Vote::Notarize(next.id())));
    member.wait(Duration::from_millis(1));
    assert!(member.voted(Vote::Notarize(next.id())));
}

/// A member that commits a block on the liars' votes, and its fellow, which passes over the view on theirs.
fn commits(member: &mut One) -> (SoundBlock, Message) {
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    let finalized = certificate(&epoch, Claim::Finalized(a.id()), &[1, 3, 4]);
    member.hear(3, &finalized);
    assert_eq!(member.replica.height(), 1);
    member.sent.clear();
    (a, finalized)
}

fn shown(member: &One, to: Member, what: &Message) -> bool {
    let it = |(by, message): &(MemberSet, Message)| by.contains(to) && message == what;
    member.sent.iter().any(it)
}

/// Of 200,000 schedules one broke agreement: a block was committed with the liars' votes, and a member that had not seen
/// that passed over its view, with their votes too; those who had executed the block did not tell it.
#[test]
fn s6_who_passes_over_an_executed_view_is_shown_what_is_committed() {
    let mut member = One::start(0, 5);
    let (_, finalized) = commits(&mut member);
    let epoch = member.epoch.clone();
    let passed = certificate(&epoch, Claim::Nullified(1), &[2, 3, 4]);
    member.hear(2, &passed);
    assert!(shown(&member, 2, &finalized));

    // Whoever is shown it is bound by it, though the block itself is not here.
    let mut other = One::start(2, 5);
    other.hear(3, &passed);
    other.wait(BOUND * 3 / 2);
    other.hear(0, &finalized);
    other.wait(BOUND / 2);
    let past = block(&epoch, 3, BlockId::start(&epoch), b"past");
    other.hear(3, &certificate(&epoch, Claim::Nullified(2), &[1, 3, 4]));
    other.hear(3, &proposal(&epoch, &past));
    other.wait(BOUND * 4);
    assert!(!other.voted(Vote::Notarize(past.id())) && !other.voted(Vote::Support(past.id())));
}

#[test]
fn s6_who_settles_another_block_of_an_executed_view_is_shown_what_is_committed() {
    let mut member = One::start(0, 5);
    let (_, finalized) = commits(&mut member);
    let epoch = member.epoch.clone();
    let (_, b) = two(&epoch);
    member.hear(2, &proposal(&epoch, &b));
    assert!(shown(&member, 2, &finalized));
    member.sent.clear();
    member.hear(2, &proposal(&epoch, &b));
    assert!(!shown(&member, 2, &finalized), "not again at once");
}

#[test]
fn s7_a_leader_waits_for_what_others_know_once_views_ran_out() {
    let mut member = One::start(3, 5);
    let epoch = member.epoch.clone();
    member.input(Input::Submit(vec!["wanted".into()]));
    // Two views time out, and a third: more than the faulty leaders can cause.
    for view in 1..=7 {
        member.wait(BOUND * 20);
        member.hear(4, &certificate(&epoch, Claim::Nullified(view), &[0, 2, 4]));
    }
    member.sent.clear();
    assert_eq!(member.epoch.leader(member.replica.view()), 3);
    member.wait(BOUND * 4 - Duration::from_millis(1));
    let proposed = |member: &One| {
        (member.sent.iter()).any(|(_, message)| matches!(message, Message::Proposal(_)))
    };
    assert!(!proposed(&member));
    member.wait(Duration::from_millis(1));
    assert!(proposed(&member));
}

#[test]
fn s8_who_hears_of_too_few_says_so_and_proposals_are_answered() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    let answered = |(to, message): &(MemberSet, Message)| {
        matches!(message, Message::Status(_)) && *to == MemberSet::one(1)
    };
    assert!(member.sent.iter().any(answered));
    member.wait(BOUND * 9 / 4 - Duration::from_millis(1));
    assert!(member.alarms.is_empty());
    member.wait(Duration::from_millis(1));
    assert_eq!(member.alarms, [[2, 3, 4].into_iter().collect()]);
}

#[test]
fn s9_who_comes_back_says_nothing_else_than_before() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, b) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    assert!(member.voted(Vote::Notarize(a.id())));
    let mut member = member.restart();
    member.hear(1, &proposal(&epoch, &b));
    member.hear(
        2,
        &certificate(&epoch, Claim::Notarized(b.id()), &[1, 2, 3]),
    );
    member.wait(BOUND * 10);
    assert!(!member.voted(Vote::Notarize(b.id())));
    assert!(!member.voted(Vote::Finalize(b.id())));
}

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

/// A leader that hears of somebody who is new to its view shows its block again.
#[test]
fn who_comes_later_is_shown_the_block() {
    let mut leader = One::start(1, 5);
    leader.input(Input::Submit(vec!["wanted".into()]));
    leader.sent.clear();
    let stuck = Message::Status(Status {
        view: 1,
        height: 0,
        stuck: true,
    });
    leader.hear(0, &stuck);
    let block = |(to, message): &(MemberSet, Message)| {
        to.contains(0) && matches!(message, Message::Proposal(_))
    };
    assert!(leader.sent.iter().any(block));
}

/// Evidence that is made up ends no view.
#[test]
fn a_view_ends_only_by_signatures_of_its_leader() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let (a, b) = two(&epoch);
    let signed = |by: Member, block: &SoundBlock| {
        SignedVote::new(Vote::Notarize(block.id()), &epoch, &*signer(by))
    };
    let evidence = |culprit: Member, by: Member| {
        Message::Evidence(Box::new(Evidence {
            culprit: signer(culprit).id(),
            first: signed(by, &a),
            second: signed(by, &b),
        }))
    };
    member.hear(3, &evidence(1, 3));
    member.hear(4, &evidence(2, 2));
    assert_eq!(member.replica.view(), 1);
    member.hear(2, &evidence(1, 1));
    assert_eq!(member.replica.view(), 2);
}
