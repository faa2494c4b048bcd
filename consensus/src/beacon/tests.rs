use super::{
    group::{Transcript, weights},
    lottery::Lottery,
    *,
};
use crate::{hash::Hash, identity::PeerId, member::Member};
use proptest::prelude::*;

const NETWORK: Hash = Hash([9; 32]);
const NAME: Hash = Hash([4; 32]);

fn secret(member: usize) -> SecretKey {
    SecretKey::derive(&[member as u8 + 1; 32], NETWORK)
}

fn keys(members: usize) -> Vec<Key> {
    (0..members).map(|member| secret(member).key()).collect()
}

fn round(members: usize, faults: usize) -> Round {
    Round::new(NAME, keys(members), faults).unwrap()
}

/// What members with these numbers have to say, one after the other.
fn speak(round: &mut Round, members: &[usize]) -> Vec<Result<(), Refused>> {
    let say = |member: &usize| {
        let me = *member as Member;
        let said = round.contribution(me, &secret(*member));
        said.map(|said| round.take(me, &said))
    };
    members.iter().filter_map(say).collect()
}

/// A round of seven with two faulty whose dealings, of members 0 to 2, are fixed.
fn fixed() -> Round {
    let mut round = round(7, 2);
    assert_eq!(speak(&mut round, &[0, 1, 2]), [Ok(()); 3]);
    round
}

#[test]
fn any_shares_of_enough_members_give_one_value_and_fewer_none() {
    for (members, faults) in [(1, 0), (2, 0), (3, 1), (4, 1), (7, 2), (7, 3), (10, 3)] {
        let mut dealt = round(members, faults);
        let dealers: Vec<usize> = (0..=faults).collect();
        speak(&mut dealt, &dealers);
        assert!(dealt.is_fixed());
        let mut values = Vec::new();
        for first in 0..members {
            let mut round = dealt.clone();
            let some: Vec<usize> = (0..faults).map(|more| (first + more) % members).collect();
            speak(&mut round, &some);
            assert_eq!(round.value(), None, "{faults} colluders know nothing");
            speak(&mut round, &[(first + faults) % members]);
            values.push(round.value().unwrap());
        }
        assert!(values.iter().all(|value| *value == values[0]));
    }
}

#[test]
fn the_set_is_fixed_before_anything_is_shown() {
    let mut open = round(7, 2);
    let other = fixed();
    let share = other.contribution(3, &secret(3)).unwrap();
    assert_eq!(open.take(3, &share), Err(Refused::TooEarly));
    let fourth = open.contribution(3, &secret(3)).unwrap();
    let mut round = fixed();
    assert_eq!(round.take(3, &fourth), Err(Refused::TooLate));
    let first = open.contribution(0, &secret(0)).unwrap();
    assert_eq!(open.take(0, &first), Ok(()));
    assert_eq!(open.take(0, &first), Err(Refused::Again));
    assert_eq!(open.take(7, &first), Err(Refused::NotAMember));
    assert!(matches!(
        round.contribution(3, &secret(3)),
        Some(Contribution::Share(_))
    ));
}

#[test]
fn a_dealing_is_its_dealers_and_its_rounds_alone() {
    let mut one = round(7, 2);
    let dealing = one.contribution(0, &secret(0)).unwrap();
    assert_eq!(one.take(1, &dealing), Err(Refused::Unproved));
    let mut other = Round::new(Hash([5; 32]), keys(7), 2).unwrap();
    assert_eq!(other.take(0, &dealing), Err(Refused::Unproved));
    let mut fewer = round(6, 2);
    assert_eq!(fewer.take(0, &dealing), Err(Refused::Unproved));
    assert_eq!(one.take(0, &dealing), Ok(()));
}

/// With a polynomial of a higher degree the value would depend on whose shares come first.
#[test]
fn shares_that_are_not_of_one_small_polynomial_are_refused() {
    let mut round = round(7, 2);
    let deal = |degree: usize| {
        let coefficients = Transcript::new(b"test").scalars(degree + 1);
        let dealing = Dealing::of(round.id(), &keys(7), &coefficients, 0, &secret(0));
        Contribution::Dealing(dealing)
    };
    let (high, right) = (deal(3), deal(2));
    assert_eq!(round.take(0, &high), Err(Refused::Unproved));
    assert_eq!(round.take(0, &right), Ok(()));
}

#[test]
fn a_share_is_what_its_member_must_read() {
    let mut round = fixed();
    let share = round.contribution(3, &secret(3)).unwrap();
    assert_eq!(round.take(4, &share), Err(Refused::Unproved));
    assert_eq!(round.contribution(4, &secret(3)), None, "another's key");
    assert_eq!(round.take(3, &share), Ok(()));
    assert_eq!(round.take(3, &share), Err(Refused::Again));
    assert_eq!(round.contribution(3, &secret(3)), None);
}

#[test]
fn a_restarted_member_says_the_same_again() {
    let said = |round: &Round| round.contribution(5, &secret(5));
    assert_eq!(said(&round(7, 2)), said(&round(7, 2)));
    let stored: Round = crate::wire::decode(&crate::wire::encode(&fixed())).unwrap();
    assert_eq!(stored, fixed());
    assert_eq!(said(&stored), said(&fixed()));
}

#[test]
fn every_rank_is_one_members() {
    let round = round(7, 2);
    let mut ranks: Vec<usize> = (0..7).map(|member| round.rank(member)).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn impossible_rounds_are_refused() {
    for (members, faults) in [(0, 0), (2, 1), (65, 21)] {
        assert_eq!(Round::new(NAME, keys(members), faults), Err(Impossible));
    }
    assert!(Lottery::new(NAME, keys(0), 0).is_err());
}

#[test]
fn a_key_is_taken_from_who_has_its_secret_alone() {
    let peer = PeerId([3; 32]);
    let registration = secret(0).register(NETWORK, peer);
    assert_eq!(registration.verify(NETWORK, peer), Some(secret(0).key()));
    assert_eq!(registration.verify(NETWORK, PeerId([2; 32])), None);
    assert_eq!(registration.verify(Hash([8; 32]), peer), None);
}

#[test]
fn a_member_draws_one_number() {
    let new = || Lottery::new(NAME, keys(4), 1).unwrap();
    let mut lottery = new();
    let draws: Vec<_> = (0..4)
        .map(|member| lottery.draw(member, &secret(member.into())))
        .collect();
    assert_eq!(lottery.take(1, &draws[0]), Err(Refused::Unproved));
    for member in [2, 0, 3] {
        assert_eq!(lottery.value(), None);
        assert_eq!(lottery.take(member, &draws[usize::from(member)]), Ok(()));
    }
    assert_eq!(lottery.take(1, &draws[1]), Err(Refused::TooLate));
    let counted = [0, 2, 3].map(|member| (member, draws[usize::from(member)]));
    assert_eq!(lottery.value(), Some(lottery.value_of(&counted.into())));
    let others = [0, 1, 2].map(|member| (member, draws[usize::from(member)]));
    assert_ne!(lottery.value(), Some(lottery.value_of(&others.into())));
}

#[test]
fn weights_restore_the_constant() {
    use super::group::{evaluate, place};
    use curve25519_dalek::scalar::Scalar;
    let polynomial = Transcript::new(b"test").scalars(3);
    let members = [4, 0, 2];
    let sum: Scalar = (weights(&members).into_iter().zip(members))
        .map(|(weight, member)| weight * evaluate(&polynomial, place(member)))
        .sum();
    assert_eq!(sum, polynomial[0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contributions_survive_the_wire_and_damaged_ones_change_nothing(
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
        shown in any::<bool>(),
    ) {
        let mut round = if shown { fixed() } else { round(7, 2) };
        let said = round.contribution(3, &secret(3)).unwrap();
        let mut bytes = said.encode();
        prop_assert!(bytes.len() <= round::MAX_CONTRIBUTION_BYTES);
        prop_assert_eq!(Contribution::decode(&bytes), Ok(said));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(damaged) = Contribution::decode(&bytes) {
            let before = round.clone();
            prop_assert!(round.take(3, &damaged).is_err());
            prop_assert_eq!(round, before);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(said) = Contribution::decode(&bytes) {
            prop_assert!(fixed().take(0, &said).is_err());
        }
    }
}
