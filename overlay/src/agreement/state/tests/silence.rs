use super::*;

fn states(state: &mut ClusterState, by: u8, silent: &[u8]) -> Result<(), Void> {
    let silent = silent.iter().map(|&number| PeerId([number; 32])).collect();
    let command = said(state, by, Saying::Silent(silent));
    match answer(state, &command) {
        Answer::Void(_, why) => Err(why),
        _ => Ok(()),
    }
}

fn leaves(state: &ClusterState) -> Vec<u8> {
    state.shared.leaving.iter().map(|peer| peer.0[0]).collect()
}

#[test]
fn a_quorum_that_hears_nothing_of_a_member_puts_it_out() {
    // Of four, three are a quorum.
    let mut state = state();
    assert_eq!(states(&mut state, 1, &[4]), Ok(()));
    assert_eq!(states(&mut state, 1, &[4]), Err(Void::Already));
    assert_eq!(states(&mut state, 2, &[3, 4]), Ok(()));
    assert_eq!(leaves(&state), []);
    assert!(!state.has_reason_to_end());
    assert_eq!(states(&mut state, 3, &[4]), Ok(()));
    assert_eq!(leaves(&state), [4]);
    assert!(state.has_reason_to_end());
}

#[test]
fn who_is_heard_again_stays() {
    let mut state = state();
    for by in [1, 2] {
        assert_eq!(states(&mut state, by, &[4]), Ok(()));
    }
    assert_eq!(states(&mut state, 1, &[]), Ok(()));
    assert_eq!(states(&mut state, 1, &[]), Err(Void::Already));
    assert_eq!(states(&mut state, 3, &[4]), Ok(()));
    assert_eq!(leaves(&state), []);
    let heard: Vec<PeerId> = state.unheard_by(PeerId([1; 32])).collect();
    assert_eq!(heard, []);
}

#[test]
fn strangers_are_neither_counted_nor_kept() {
    let mut state = state();
    assert_eq!(states(&mut state, 1, &[77]), Err(Void::Already));
    assert_eq!(states(&mut state, 1, &[2, 3, 4, 5, 6]), Err(Void::TooLong));
    assert_eq!(states(&mut state, 1, &[4, 77]), Ok(()));
    let kept: Vec<PeerId> = state.unheard_by(PeerId([1; 32])).collect();
    assert_eq!(kept, [PeerId([4; 32])]);
}

#[test]
fn what_is_said_too_late_for_an_epoch_counts_in_the_next() {
    let mut state = state();
    for by in 1..=FOUNDERS {
        let network = state.ground.network;
        let shown = SecretKey::derive(&[by; 32], network).register(network, PeerId([by; 32]));
        let command = said(&state, by, Saying::Key(shown));
        assert_eq!(answer(&mut state, &command), Answer::Noted);
    }
    let motion = Motion::Remove(PeerId([3; 32]));
    want(&mut state, &motion);
    draw(&mut state, true);
    assert!(state.is_fixed());
    for by in 1..=3 {
        assert_eq!(states(&mut state, by, &[4]), Ok(()));
    }
    assert_eq!(leaves(&state), [3]);
    draw(&mut state, false);
    let charter = state.next_charters().remove(0);
    assert!(charter.members.contains(&PeerId([4; 32])));
    let epoch = charter.found(state.ground.network, Default::default());
    state.begin(&epoch.unwrap());
    // Of three, two are a quorum.
    assert_eq!(leaves(&state), [4]);
    assert_eq!(state.unheard_by(PeerId([3; 32])).count(), 0);
}
