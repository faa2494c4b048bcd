use super::{
    walks::{ask, carry_out, open, show_keys, turn},
    *,
};
use crate::{
    agreement::{entry::Reason, order::Claim},
    evidence::{Evidence, Votes},
    membership::admission::{Admission, Credential},
};
use hamlet_consensus::vote::{SignedVote, Vote};

const NOW: u64 = 1_700_000_000_000;
const BAR_MS: u64 = 3_600_000;

/// Two votes of one view: a pair for each view.
pub fn two_votes(network: Hash, number: u8, view: u64, credential: Credential) -> Evidence {
    let signer = authority().signer(PeerId([number; 32]));
    let members = vec![signer.id(), PeerId([99; 32])];
    let epoch = Epoch::new(network, Hash([4; 32]), 7, Terms::default(), members).unwrap();
    let block = |hash| hamlet_consensus::block::BlockId {
        view,
        height: 2,
        hash: Hash([hash; 32]),
    };
    let signed = |hash| SignedVote::new(Vote::Notarize(block(hash)), &epoch, &signer);
    Evidence::Votes(Box::new(Votes {
        epoch: epoch.id(),
        votes: hamlet_consensus::evidence::Evidence {
            culprit: signer.id(),
            first: signed(1),
            second: signed(2),
        },
        credential,
    }))
}

fn convict(state: &mut ClusterState, number: u8, view: u64) -> Result<(), Void> {
    let evidence = two_votes(state.ground.network, number, view, Credential::Key);
    carry_out(state, &Order::Evidence(Box::new(evidence)))
}

fn left(state: &ClusterState, peer: PeerId) -> Vec<Reason> {
    let acts = state.entries().map(|entry| &entry.act);
    let left = acts.filter_map(|act| match act {
        Act::Leaves { peer: who, why } if *who == peer => Some(*why),
        _ => None,
    });
    left.collect()
}

#[test]
fn a_member_that_is_proved_guilty_is_put_out_and_comes_back_after_its_term() {
    let mut state = open(2, None);
    let culprit = state.shared.members[0];
    assert!(!state.has_reason_to_end());
    convict(&mut state, culprit.0[0], 3).unwrap();
    assert!(state.is_barred(culprit) && state.has_reason_to_end());
    assert_eq!(left(&state, culprit), [Reason::Barred]);
    assert_eq!(ask(&mut state, culprit.0[0]), Err(Void::Barred));
    let add = Motion::Add(Box::new(card(&state, culprit.0[0])));
    let by = state.shared.members[1];
    turn(&mut state, NOW);
    assert!(!state.is_member(culprit) && state.is_barred(culprit));
    let want = said(&state, by.0[0], Saying::Wants(add));
    assert!(matches!(
        answer(&mut state, &want),
        Answer::Void(_, Void::Barred)
    ));
    // The clock moves on by itself when the term is over, and not before.
    assert!(!state.has_reason_to_end() && !state.is_overdue(NOW + BAR_MS - 1));
    assert!(state.is_overdue(NOW + BAR_MS));
    assert_eq!(ask(&mut state, culprit.0[0]), Err(Void::Barred));
    turn(&mut state, NOW + BAR_MS);
    assert!(!state.is_barred(culprit) && !state.is_overdue(NOW + 2 * BAR_MS));
    let served = Act::Served { peer: culprit };
    assert!(state.entries().any(|entry| entry.act == served));
    assert_eq!(ask(&mut state, culprit.0[0]), Ok(()));
    // Nobody is barred twice for one thing, and everybody is for another.
    assert_eq!(convict(&mut state, culprit.0[0], 3), Err(Void::Already));
    assert_eq!(convict(&mut state, culprit.0[0], 4), Ok(()));
    assert!(state.is_barred(culprit));
}

#[test]
fn the_term_begins_with_the_epoch_after_however_long_the_clock_stood_still() {
    let mut state = open(1, None);
    convict(&mut state, 1, 3).unwrap();
    turn(&mut state, NOW);
    let late = NOW + 10 * BAR_MS;
    convict(&mut state, 2, 3).unwrap();
    turn(&mut state, late);
    assert!(state.is_barred(PeerId([2; 32])) && !state.is_barred(PeerId([1; 32])));
    assert!(!state.is_overdue(late + BAR_MS - 1) && state.is_overdue(late + BAR_MS));
}

#[test]
fn evidence_that_proves_nothing_bars_nobody() {
    let mut state = open(1, None);
    let network = state.ground.network;
    let mut void = |evidence: Evidence| {
        let order = Order::Evidence(Box::new(evidence));
        carry_out(&mut state, &order).unwrap_err()
    };
    assert_eq!(
        void(two_votes(Hash([8; 32]), 1, 3, Credential::Key)),
        Void::Unproved
    );
    let Evidence::Votes(proof) = two_votes(network, 1, 3, Credential::Key) else {
        unreachable!();
    };
    let mut swapped = proof.clone();
    swapped.votes.culprit = PeerId([2; 32]);
    assert_eq!(void(Evidence::Votes(swapped)), Void::Unproved);
    let mut elsewhere = proof.clone();
    elsewhere.epoch = Hash([1; 32]);
    assert_eq!(void(Evidence::Votes(elsewhere)), Void::Unproved);
    let mut same = proof;
    same.votes.second = same.votes.first;
    assert_eq!(void(Evidence::Votes(same)), Void::Unproved);
    assert_eq!(state.bars().count(), 0);
}

#[test]
fn keys_that_are_not_admitted_take_no_room() {
    let mut closed = state_of(2, |_| {});
    assert_eq!(convict(&mut closed, 60, 3), Err(Void::NotAdmitted));
    // A member is put out whatever it was admitted by.
    let member = closed.shared.members[0];
    assert_eq!(convict(&mut closed, member.0[0], 3), Ok(()));
    let invited = |genesis: &mut Genesis| {
        genesis.admission = Admission::Invitation {
            by: vec![PeerId([1; 32])],
        };
    };
    let mut state = state_of(2, invited);
    let network = state.ground.network;
    let host = authority().signer(PeerId([1; 32]));
    let credential = Credential::invite(network, &host, PeerId([60; 32]));
    let evidence = two_votes(network, 60, 3, credential);
    let order = Order::Evidence(Box::new(evidence));
    assert_eq!(carry_out(&mut state, &order), Ok(()));
}

#[test]
fn an_offer_is_taken_back_and_walks_end() {
    let mut state = open(1, None);
    ask(&mut state, 30).unwrap();
    ask(&mut state, 31).unwrap();
    let offered: Vec<PeerId> = state.offered().collect();
    assert_eq!(offered, [PeerId([30; 32]), PeerId([31; 32])]);
    convict(&mut state, 30, 3).unwrap();
    assert_eq!(state.offered().count(), 1);
    assert!(!state.guests().any(|guest| guest == PeerId([30; 32])));
    let signer = authority().signer(PeerId([30; 32]));
    let (network, cluster, epoch) = (state.ground.network, state.shared.cluster, state.epoch());
    let claim = Claim::sign(network, &signer, cluster, epoch);
    let order = Order::Claim(Box::new(claim));
    assert_eq!(carry_out(&mut state, &order), Err(Void::Barred));
    turn(&mut state, NOW);
    assert!(!state.is_member(PeerId([30; 32])));
}

#[test]
fn from_the_beacon_on_members_do_not_change_and_the_epoch_after_does_without_the_culprit() {
    let mut state = open(2, None);
    show_keys(&mut state);
    ask(&mut state, 30).unwrap();
    turn(&mut state, NOW);
    // A reason to end the epoch, and then dealings enough.
    ask(&mut state, 31).unwrap();
    while !state.is_fixed() {
        for id in state.shared.members.clone() {
            let secret = SecretKey::derive(&id.0, state.ground.network);
            if let Some(due) = state.contribution(id, &secret) {
                let command = said(&state, id.0[0], Saying::Beacon(Box::new(due)));
                answer(&mut state, &command);
            }
        }
    }
    let culprit = state.shared.members[0];
    convict(&mut state, culprit.0[0], 3).unwrap();
    assert!(left(&state, culprit).is_empty() && state.is_barred(culprit));
    turn(&mut state, NOW);
    assert!(state.is_member(culprit) && state.has_reason_to_end());
    turn(&mut state, NOW);
    assert!(!state.is_member(culprit));
}

#[test]
fn the_last_member_stays() {
    let mut state = open(1, None);
    for id in state.shared.members.clone() {
        convict(&mut state, id.0[0], 3).unwrap();
    }
    assert_eq!(state.next_charters()[0].members.len(), 1);
}

#[test]
fn what_a_cluster_remembers_is_bounded_and_what_is_over_goes_first() {
    let mut state = open(1, None);
    convict(&mut state, 1, 3).unwrap();
    turn(&mut state, NOW);
    turn(&mut state, NOW + BAR_MS);
    let key = |number: u16| {
        let mut key = [7; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        PeerId(key)
    };
    let network = state.ground.network;
    for number in 0..MAX_BARS as u16 {
        let Evidence::Votes(mut proof) = two_votes(network, 2, 3, Credential::Key) else {
            unreachable!();
        };
        let signer = authority().signer(key(number));
        let sign = |vote: Vote| SignedVote {
            vote,
            signature: signer.sign(vote.text_in(network, Hash([6; 32])).statement()),
        };
        proof.epoch = Hash([6; 32]);
        proof.votes.culprit = signer.id();
        proof.votes.first = sign(proof.votes.first.vote);
        proof.votes.second = sign(proof.votes.second.vote);
        let order = Order::Evidence(Box::new(Evidence::Votes(proof)));
        assert_eq!(carry_out(&mut state, &order), Ok(()), "{number}");
    }
    assert_eq!(state.bars().count(), MAX_BARS);
    assert!((0..MAX_BARS as u16).all(|number| state.is_barred(key(number))));
    assert!(state.snapshot().len() < 128 << 10);
}
