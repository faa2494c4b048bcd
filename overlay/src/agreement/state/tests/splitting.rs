use super::{
    walks::{NOW, ask, carry_out, end, open, show_keys},
    *,
};
use crate::membership::cycle::Split;
use hamlet_consensus::epoch::Origin;

/// A cluster of four that is about to have so many members more, with walks that are on their way, and the epochs that follow.
fn grown(clusters: u8, more: u8) -> (ClusterState, Vec<Epoch>) {
    let mut state = open(clusters, None);
    show_keys(&mut state);
    for number in 60..64 {
        ask(&mut state, number).unwrap();
    }
    for number in 30..30 + more {
        let card = card(&state, number);
        assert!(state.give_place(card));
    }
    let next = end(&mut state, NOW);
    (state, next)
}

#[test]
fn a_cluster_that_grows_too_large_splits_in_two_that_know_each_other() {
    let (state, next) = grown(3, 4);
    let [old, new] = &next[..] else {
        panic!("it has not split: {} follow", next.len());
    };
    let (mut stays, mut goes) = (state.clone(), state.clone());
    stays.begin(old);
    goes.begin(new);
    assert_eq!((old.size(), new.size()), (4, 4));
    assert!(
        old.members()
            .iter()
            .all(|peer| new.position(*peer).is_none())
    );
    for (state, epoch) in [(&stays, old), (&goes, new)] {
        assert_eq!(state.members(), epoch.members());
        assert_eq!(
            number_of(state.ground.network, epoch.charter()),
            Some(state.shared.cluster)
        );
        assert_eq!(state.clusters(), 6);
        let own = state
            .own_cards()
            .all(|card| epoch.position(card.peer).is_some());
        assert!(own, "cards of others are kept");
    }
    assert_eq!(goes.shared.cluster, stays.shared.cluster + 3);
    // Each knows the other as it is, and is beside it on every cycle.
    for (here, there, epoch) in [(&stays, &goes, new), (&goes, &stays, old)] {
        let number = there.shared.cluster;
        let mut neighbours = here.neighbours().iter();
        let known = neighbours.find(|neighbour| neighbour.cluster() == number);
        assert_eq!(
            known.unwrap().epoch(here.ground.network).as_ref(),
            Some(epoch)
        );
        let cards = known.unwrap().cards().map(|card| card.peer);
        assert!(cards.eq(there.own_cards().map(|card| card.peer)));
        let beside = |place: &crate::membership::cycle::Place| {
            place.before == number || place.after == number
        };
        assert!(here.places().iter().all(beside));
    }
    // Walks are in one of them.
    assert_eq!(goes.walks_left().count(), 0);
    let gone: usize = (0..3)
        .filter_map(|to| stays.batch(to, 1))
        .map(|batch| batch.walks.len())
        .sum();
    assert_eq!(stays.walks_left().count() + gone, 4);
    // Nobody else splits: they are few again.
    assert!(!stays.wants_to_split() && !goes.wants_to_split());
}

#[test]
fn a_cluster_splits_only_into_large_enough_ones_and_where_somebody_needs_room() {
    let (_, next) = grown(2, 3);
    assert_eq!(next.len(), 1, "three could bear no crash");
    let mut closed = state_of(2, |genesis| genesis.parameters.g_min = 2);
    for number in 30..34 {
        let card = card(&closed, number);
        closed.give_place(card);
    }
    assert!(!closed.wants_to_split(), "operators choose");
    let mut state = open(2, None);
    Arc::get_mut(&mut state.ground).unwrap().parameters.g_min = 5;
    for number in 30..34 {
        let card = card(&state, number);
        state.give_place(card);
    }
    assert!(!state.wants_to_split(), "half of eight is less than g_min");
    let mut state = open(2, None);
    let ground = Arc::get_mut(&mut state.ground).unwrap();
    ground.parameters.g_max = ground.parameters.n;
    for number in 30..34 {
        let card = card(&state, number);
        assert!(state.give_place(card));
    }
    assert!(!state.wants_to_split());
    let card = card(&state, 34);
    assert!(!state.give_place(card), "every member needs a slot");
    assert!(state.wants_to_split());
}

#[test]
fn neighbours_see_it_and_no_cluster_begins_another_than_its_own() {
    let (state, next) = grown(3, 4);
    let old = state.shared.cluster;
    let mut beside = open(3, None);
    // The state of a cluster beside it: all that matters is where it lies.
    beside.shared.cluster = (old + 1) % 3;
    for place in &mut beside.shared.walks.places {
        place.before = old;
        place.after = (old + 2) % 3;
    }
    let charter = next[1].charter();
    let split = Context::of(charter).unwrap().split.unwrap();
    let seen = |split: Split, charter: &Charter| {
        let mut beside = beside.clone();
        beside.neighbour_splits(split, charter, Origin::default());
        let known = beside.neighbours().iter().map(Neighbour::cluster);
        known.collect::<Vec<u64>>()
    };
    let before = 0;
    assert!(seen(Split { before, ..split }, charter).contains(&split.new));
    let all: Vec<u64> = beside.neighbours().iter().map(Neighbour::cluster).collect();
    let elsewhere = Split {
        before: u8::MAX,
        ..split
    };
    assert_eq!(seen(elsewhere, charter), all, "it is on the other side");
    let another = Split {
        before,
        new: (old + 2) % 3,
        ..split
    };
    assert_eq!(seen(another, charter), all, "that is there already");
    let another = Split {
        before,
        new: split.new + 3,
        ..split
    };
    assert_eq!(seen(another, charter), all, "that is no child of it");
    let own = next[0].charter();
    assert_eq!(
        seen(Split { before, ..split }, own),
        all,
        "that is another cluster's charter"
    );
}

#[test]
fn what_lies_beside_no_more_is_followed_for_some_epochs() {
    let mut state = open(3, None);
    show_keys(&mut state);
    let next = |state: &mut ClusterState| {
        let next = end(state, NOW);
        state.begin(&next[0]);
    };
    for place in &mut state.shared.walks.places {
        (place.before, place.after) = (1, 1);
    }
    let mut all = state.neighbours().iter().map(Neighbour::cluster);
    assert!(all.any(|cluster| cluster == 2));
    state.look_who_is_next_to(0);
    for number in 30..42 {
        // A walk is a reason to end an epoch.
        let _ = ask(&mut state, number);
        let order = Order::Said(Box::new(Said::sign(
            state.ground.network,
            &authority().signer(state.shared.members[0]),
            state.shared.cluster,
            state.shared.epoch,
            Saying::Lost {
                nonce: [number; 16],
            },
        )));
        let _ = carry_out(&mut state, &order);
        next(&mut state);
        let there = state
            .neighbours()
            .iter()
            .any(|neighbour| neighbour.cluster() == 2);
        assert_eq!(there, state.epoch() < 8, "epoch {}", state.epoch());
    }
}
