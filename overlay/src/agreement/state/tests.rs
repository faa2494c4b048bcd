use super::*;
use crate::{
    agreement::{
        card::Card,
        order::{Motion, Progress},
    },
    genesis::{Founder, Genesis},
    identity::{Signer, SimulatedAuthority},
};
use hamlet_consensus::beacon::SecretKey;
use proptest::prelude::*;

mod bars;
mod giving;
mod silence;
mod splitting;
mod walks;

const FOUNDERS: u8 = 4;

fn authority() -> SimulatedAuthority {
    SimulatedAuthority::new([9; 32])
}

fn state() -> ClusterState {
    state_of(1, |_| {})
}

/// The state of the first of so many clusters.
fn state_of(clusters: u8, change: impl FnOnce(&mut Genesis)) -> ClusterState {
    let mut genesis = Genesis {
        admission: Default::default(),
        name: "test".into(),
        parameters: Parameters {
            g_min: FOUNDERS,
            g_max: FOUNDERS,
            n: 8,
            k: 4,
            ..Parameters::for_peers(16)
        },
        seed: Hash([5; 32]),
        founders: (1..=FOUNDERS * clusters)
            .map(|number| Founder {
                id: PeerId([number; 32]),
                addresses: Vec::new(),
            })
            .collect(),
        publishers: Vec::new(),
    };
    change(&mut genesis);
    let network = genesis.found().unwrap();
    ClusterState::founding(&network, &network.clusters()[0], Arc::new(authority()))
}

fn said(state: &ClusterState, by: u8, saying: Saying) -> Vec<u8> {
    let signer = authority().signer(PeerId([by; 32]));
    let (cluster, epoch) = (state.shared.cluster, state.shared.epoch);
    let said = Said::sign(state.ground.network, &signer, cluster, epoch, saying);
    wire::encode(&Order::Said(Box::new(said)))
}

fn card(state: &ClusterState, number: u8) -> Card {
    let signer = authority().signer(PeerId([number; 32]));
    let secret = SecretKey::derive(&signer.id().0, state.ground.network);
    let addresses = vec!["here".to_owned()];
    Card::sign(state.ground.network, &signer, &secret, addresses, 1)
}

fn answer(state: &mut ClusterState, command: &[u8]) -> Answer {
    Answer::decode(&state.execute(1, command)).unwrap()
}

#[test]
fn the_largest_context_fits_an_epoch() {
    let mut state = state();
    state.shared.heads = (0..64).map(|stream| (stream, u64::MAX - 1)).collect();
    let lost = (1..=FOUNDERS).map(|number| (PeerId([number; 32]), [7; 16]));
    state.shared.lost = lost.collect();
    let charter = state.next_charters().remove(0);
    assert!(
        charter
            .found(state.ground.network, Default::default())
            .is_ok()
    );
}

#[test]
fn motions_are_bounded_and_say_why_they_are_void() {
    let mut state = state();
    for number in 10..14 {
        let add = Saying::Wants(Motion::Add(Box::new(card(&state, number))));
        let command = said(&state, 1, add);
        assert!(matches!(answer(&mut state, &command), Answer::Entered(_)));
        assert!(matches!(
            answer(&mut state, &command),
            Answer::Void(_, Void::Already)
        ));
    }
    let mut void = |saying| {
        let command = said(&state, 1, saying);
        match answer(&mut state, &command) {
            Answer::Void(_, why) => Some(why),
            _ => None,
        }
    };
    let fifth = Motion::Remove(PeerId([2; 32]));
    assert_eq!(void(Saying::Wants(fifth)), Some(Void::Busy));
    let stranger = Motion::Remove(PeerId([77; 32]));
    assert_eq!(void(Saying::Wants(stranger)), Some(Void::Already));
    assert_eq!(
        void(Saying::Turn {
            heads: Vec::new(),
            unix_ms: 0,
        }),
        Some(Void::NoReason)
    );
    let mut forged = card(&self::state(), 20);
    forged.addresses.push("elsewhere".into());
    let add = Saying::Wants(Motion::Add(Box::new(forged)));
    assert_eq!(void(add), Some(Void::Card));
}

/// Has members say what the beacon wants of them until nothing is due, or its dealings are fixed.
fn draw(state: &mut ClusterState, until_fixed: bool) {
    for by in 1..=FOUNDERS {
        if until_fixed && state.is_fixed() {
            return;
        }
        let secret = SecretKey::derive(&[by; 32], state.ground.network);
        if let Some(due) = state.contribution(PeerId([by; 32]), &secret) {
            let command = said(state, by, Saying::Beacon(Box::new(due)));
            answer(state, &command);
        }
    }
}

fn want(state: &mut ClusterState, motion: &Motion) {
    for by in 1..=2 {
        let command = said(state, by, Saying::Wants(motion.clone()));
        assert!(matches!(answer(state, &command), Answer::Entered(_)));
    }
}

#[test]
fn members_stay_as_they_are_once_what_deals_their_slots_is_fixed() {
    let mut state = state();
    for by in 1..=FOUNDERS {
        let network = state.ground.network;
        let shown = SecretKey::derive(&[by; 32], network).register(network, PeerId([by; 32]));
        let command = said(&state, by, Saying::Key(shown));
        assert_eq!(answer(&mut state, &command), Answer::Noted);
    }
    want(&mut state, &Motion::Remove(PeerId([4; 32])));
    draw(&mut state, true);
    assert!(state.is_fixed() && !state.can_deal());
    let late = card(&state, 30);
    want(&mut state, &Motion::Add(Box::new(late.clone())));
    for by in 1..=2 {
        let command = said(
            &state,
            by,
            Saying::Turn {
                heads: Vec::new(),
                unix_ms: 0,
            },
        );
        assert_eq!(answer(&mut state, &command), Answer::Noted);
    }
    // Enough have said that the epoch is to end, and its slots cannot be dealt yet.
    assert!(state.successors().is_empty());
    draw(&mut state, false);
    let charter = state.successors().pop().unwrap();
    let members: Vec<PeerId> = (1..4).map(|number| PeerId([number; 32])).collect();
    assert_eq!(charter.members, members);
    let epoch = charter
        .found(state.ground.network, Default::default())
        .unwrap();
    state.begin(&epoch);
    // What came too late comes with the epoch after.
    assert!(state.has_reason_to_end() && state.shared.joining.contains_key(&late.peer));
}

proptest! {
    #[test]
    fn no_command_breaks_the_state(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(), with: u8, by in 1u8..6,
    ) {
        let mut state = state();
        let before = state.shared.members.clone();
        prop_assert!(matches!(answer(&mut state, &bytes), Answer::Void(..)));
        let sayings = [
            Saying::Lost { nonce: [3; 16] },
            Saying::Key(SecretKey::derive(&[by; 32], state.ground.network)
                .register(state.ground.network, PeerId([by; 32]))),
            Saying::Wants(Motion::Add(Box::new(card(&state, 30)))),
        ];
        for saying in sayings {
            let mut command = said(&state, by, saying);
            let place = at.index(command.len());
            let changed = std::mem::replace(&mut command[place], with) != with;
            let answered = answer(&mut state, &command);
            // Nothing that was changed on its way is what a member said.
            prop_assert!(!changed || matches!(answered, Answer::Void(..)), "{:?}", answered);
        }
        prop_assert_eq!(&state.shared.members, &before);
        let _ = Context::of(&Charter { context: bytes.clone().into(), ..state.next_charters().remove(0) });
        let _ = hamlet_consensus::wire::decode::<Vec<Progress>>(&bytes);
        let mut restored = self::state();
        prop_assert!(restored.restore(&state.snapshot()).is_ok());
        prop_assert_eq!(restored.snapshot(), state.snapshot());
    }
}
