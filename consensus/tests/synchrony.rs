//! The rules of synchrony, S1 to S10, one by one.

mod common;

use common::{
    in_time::{BOUND, One, block, certificate, proposal, two},
    signer,
};
use hamlet_consensus::{
    Input, Message,
    block::{BlockId, SoundBlock},
    certificate::Claim,
    evidence::Evidence,
    identity::Signer,
    member::{Member, MemberSet},
    message::{Status, Welcome},
    time::Time,
    vote::{SignedVote, Vote},
};
use std::time::Duration;

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

/// What a member says that has spoken of blocks up to this view, and what shows that it may have come so far.
fn welcome(spoken: u64, shown: Option<Message>) -> Message {
    let certificates = match shown {
        Some(Message::Certificates(certificates)) => certificates,
        _ => Vec::new(),
    };
    Message::Welcome(Box::new(Welcome {
        spoken,
        certificates,
        proofs: Vec::new(),
    }))
}

#[test]
fn s10_who_begins_listens_first_and_votes_only_where_nobody_spoke_before() {
    let begin = || One::wake(0, 5, Vec::new(), Time::ZERO);
    let epoch = begin().epoch;
    let (a, _) = two(&epoch);
    let next = |view| block(&epoch, view, BlockId::start(&epoch), b"next");
    let passed = |view| certificate(&epoch, Claim::Nullified(view), &[1, 2, 3]);
    let greets =
        |(to, message): &(MemberSet, Message)| *message == Message::Greeting && to.len() == 4;

    // Two bounds of silence, and the block of the first view is as good as any.
    let mut alone = begin();
    assert_eq!(alone.sent.iter().filter(|sent| greets(sent)).count(), 1);
    alone.hear(1, &proposal(&epoch, &a));
    alone.hear(
        1,
        &certificate(&epoch, Claim::Preferred(a.id()), &[1, 2, 3, 4]),
    );
    assert!(!alone.voted(Vote::Finalize(a.id())));
    let mut alone = begin();
    alone.hear(1, &proposal(&epoch, &a));
    alone.wait(BOUND * 2 - Duration::from_millis(1));
    assert!(!alone.voted(Vote::Notarize(a.id())));
    alone.wait(Duration::from_millis(1));
    assert!(alone.voted(Vote::Notarize(a.id())));

    // Somebody spoke in the first view, and shows that it could: with it the time is over when all have answered.
    let mut late = begin();
    for other in 1..4 {
        late.hear(other, &welcome(0, None));
    }
    late.hear(4, &welcome(2, Some(passed(1))));
    late.hear(2, &proposal(&epoch, &next(2)));
    late.wait(BOUND * 5 / 2);
    assert!(!late.voted(Vote::Notarize(next(2).id())), "missed");
    late.hear(4, &passed(2));
    late.hear(3, &proposal(&epoch, &next(3)));
    late.wait(BOUND * 2);
    assert!(late.voted(Vote::Notarize(next(3).id())));

    // Who claims more than it shows is believed what it shows.
    let mut fooled = begin();
    fooled.hear(4, &welcome(u64::MAX, Some(passed(1))));
    fooled.wait(BOUND * 2);
    fooled.hear(4, &passed(2));
    fooled.hear(3, &proposal(&epoch, &next(3)));
    fooled.wait(BOUND * 2);
    assert!(fooled.voted(Vote::Notarize(next(3).id())));
}

#[test]
fn s10_who_greets_is_told_how_far_others_have_spoken() {
    let mut member = One::start(0, 5);
    let epoch = member.epoch.clone();
    let answer = |member: &mut One| {
        member.sent.clear();
        member.hear(4, &Message::Greeting);
        let answers = member
            .sent
            .iter()
            .filter_map(|(to, message)| match message {
                Message::Welcome(welcome) if *to == MemberSet::one(4) => Some((**welcome).clone()),
                _ => None,
            });
        answers.last().unwrap()
    };
    assert_eq!(answer(&mut member).spoken, 0);
    let (a, b) = two(&epoch);
    member.hear(1, &proposal(&epoch, &a));
    assert_eq!(answer(&mut member).spoken, 1);
    // The proof against the leader leads it to the second view, so that is what it shows.
    member.hear(1, &proposal(&epoch, &b));
    let told = answer(&mut member);
    assert_eq!((told.spoken, told.proofs.len()), (1, 1));
    member.hear(3, &certificate(&epoch, Claim::Nullified(2), &[1, 2, 3]));
    let told = answer(&mut member);
    assert_eq!(
        (told.spoken, told.certificates.len(), told.proofs.len()),
        (2, 1, 0)
    );
}

/// What it was told to all before is told once more to those who were not there.
#[test]
fn s10_who_comes_later_is_shown_what_is_certified_in_a_void_view() {
    let mut member = One::wake(0, 5, Vec::new(), Time::ZERO);
    let epoch = member.epoch.clone();
    let (a, _) = two(&epoch);
    let notarized = certificate(&epoch, Claim::Notarized(a.id()), &[1, 2, 3]);
    let passed = certificate(&epoch, Claim::Nullified(1), &[2, 3, 4]);
    member.hear(3, &notarized);
    member.hear(3, &passed);
    member.sent.clear();
    member.hear(3, &passed);
    assert!(!shown(&member, 3, &notarized), "it was there");
    member.hear(2, &passed);
    assert!(shown(&member, 2, &notarized));
    member.sent.clear();
    member.hear(2, &passed);
    assert!(!shown(&member, 2, &notarized), "once is enough");
}
