use super::*;
use crate::push::REMEMBERED;

const ALL: u8 = REMEMBERED;
const FEW: u8 = REMEMBERED / 4 - 1;

/// Seven members, of whom at least two stay.
fn seven() -> ClusterState {
    state_of(1, |genesis| {
        genesis.parameters.g_min = 2;
        genesis.parameters.g_max = 8;
        genesis.founders = (1..=7)
            .map(|number| Founder {
                id: PeerId([number; 32]),
                addresses: Vec::new(),
            })
            .collect();
    })
}

/// A member states that some gave it so much, and all others everything.
fn states(state: &mut ClusterState, by: u8, some: &[(u8, u8)]) -> Result<(), Void> {
    let mut given = vec![ALL; state.members().len()];
    for (number, much) in some {
        let place = state.members().binary_search(&PeerId([*number; 32]));
        given[place.unwrap()] = *much;
    }
    report(state, by, given)
}

fn report(state: &mut ClusterState, by: u8, given: Vec<u8>) -> Result<(), Void> {
    let command = said(state, by, Saying::Given(given));
    match answer(state, &command) {
        Answer::Void(_, why) => Err(why),
        _ => Ok(()),
    }
}

fn leaves(state: &ClusterState) -> Vec<u8> {
    state.shared.leaving.iter().map(|peer| peer.0[0]).collect()
}

#[test]
fn who_gives_most_of_the_others_too_little_is_put_out() {
    let mut state = seven();
    for by in 1..=3 {
        assert_eq!(states(&mut state, by, &[(7, FEW)]), Ok(()));
        assert_eq!(leaves(&state), []);
    }
    assert_eq!(states(&mut state, 3, &[(7, FEW)]), Err(Void::Already));
    assert!(!state.has_reason_to_end());
    assert_eq!(state.median_given_by(PeerId([7; 32])), ALL);
    assert_eq!(states(&mut state, 4, &[(7, FEW)]), Ok(()));
    assert_eq!(leaves(&state), [7]);
    assert!(state.has_reason_to_end());
    let left = state.entries().last().unwrap().act.clone();
    let (peer, why) = (PeerId([7; 32]), crate::agreement::entry::Reason::Withheld);
    assert_eq!(left, Act::Leaves { peer, why });
}

#[test]
fn a_quarter_is_enough() {
    let mut state = seven();
    for by in 1..=6 {
        assert_eq!(states(&mut state, by, &[(7, FEW + 1)]), Ok(()));
    }
    assert_eq!(leaves(&state), []);
    assert_eq!(state.median_given_by(PeerId([7; 32])), FEW + 1);
}

#[test]
fn fewer_than_half_can_put_out_nobody_and_keep_nobody() {
    // Of seven, three lie, the last of whom gives nothing.
    let mut state = seven();
    for by in 5..=7 {
        let slander: Vec<(u8, u8)> = (1..=4).map(|honest| (honest, 0)).collect();
        assert_eq!(states(&mut state, by, &slander), Ok(()));
    }
    assert_eq!(leaves(&state), []);
    for by in 1..=4 {
        assert_eq!(states(&mut state, by, &[(7, 0)]), Ok(()));
    }
    assert_eq!(leaves(&state), [7]);
}

#[test]
fn nobody_speaks_of_himself_and_who_gives_again_stays() {
    let mut state = seven();
    assert_eq!(states(&mut state, 7, &[(7, 0)]), Err(Void::Already));
    for by in 1..=3 {
        assert_eq!(states(&mut state, by, &[(7, FEW), (6, ALL - 1)]), Ok(()));
    }
    assert_eq!(states(&mut state, 1, &[]), Ok(()));
    assert_eq!(states(&mut state, 1, &[]), Err(Void::Already));
    assert_eq!(states(&mut state, 4, &[(7, FEW)]), Ok(()));
    assert_eq!(leaves(&state), []);
}

#[test]
fn a_report_speaks_of_every_member_of_its_epoch() {
    let mut state = seven();
    for wrong in [0, 6, 8, 64] {
        assert_eq!(report(&mut state, 1, vec![0; wrong]), Err(Void::TooLong));
    }
    let command = said(&state, 1, Saying::Given(vec![0; 7]));
    state.shared.epoch += 1;
    assert!(matches!(
        answer(&mut state, &command),
        Answer::Void(_, Void::Stale)
    ));
}

#[test]
fn the_least_that_a_cluster_must_have_stay_whoever_gives_least_goes_first() {
    let mut state = state_of(1, |genesis| genesis.parameters.g_min = 3);
    // All say so at once of two of the four.
    state.shared.giving = wire_giving(&[(1, 3, 2), (2, 3, 2), (1, 4, 1), (2, 4, 1)]);
    state.put_out_withholding(1);
    assert_eq!(leaves(&state), [4]);
}

/// Who states of whom that it gave how much.
fn wire_giving(stated: &[(u8, u8, u8)]) -> giving::Giving {
    let mut all = BTreeMap::<PeerId, BTreeMap<PeerId, u8>>::new();
    for (by, of, given) in stated {
        let of = PeerId([*of; 32]);
        all.entry(PeerId([*by; 32])).or_default().insert(of, *given);
    }
    hamlet_consensus::wire::decode(&wire::encode(&all)).unwrap()
}

#[test]
fn what_is_said_by_those_who_left_and_of_them_is_forgotten() {
    let mut state = seven();
    for by in 1..=3 {
        assert_eq!(states(&mut state, by, &[(6, 0), (7, 0)]), Ok(()));
    }
    state
        .shared
        .members
        .retain(|peer| peer.0[0] != 6 && peer.0[0] != 3);
    state.forget_giving();
    let of = |by: u8, peer: u8| state.given_to(PeerId([by; 32]), PeerId([peer; 32]));
    assert_eq!([of(1, 7), of(2, 7), of(3, 7)], [0, 0, ALL]);
    assert_eq!(of(1, 6), ALL);
}
