use super::*;
use crate::{
    agreement::order::{Ask, Claim},
    membership::{
        admission::{Admission, Credential},
        walk::{Batch, Walk},
    },
};

pub(super) const NOW: u64 = 1_700_000_000_000;

pub fn open(clusters: u8, lease_ms: Option<u32>) -> ClusterState {
    state_of(clusters, |genesis| {
        genesis.admission = Admission::Open;
        genesis.parameters.lease_ms = lease_ms;
        genesis.parameters.g_min = 2;
    })
}

fn asked(state: &ClusterState, number: u8, cluster: u64, credential: Credential) -> Order {
    let signer = authority().signer(PeerId([number; 32]));
    let network = state.ground.network;
    let epoch = state.shared.epoch;
    let ask = Ask::sign(
        network,
        &signer,
        card(state, number),
        credential,
        cluster,
        epoch,
    );
    Order::Ask(Box::new(ask))
}

pub fn carry_out(state: &mut ClusterState, order: &Order) -> Result<(), Void> {
    match answer(state, &wire::encode(order)) {
        Answer::Void(_, why) => Err(why),
        _ => Ok(()),
    }
}

pub fn ask(state: &mut ClusterState, number: u8) -> Result<(), Void> {
    let order = asked(state, number, state.shared.cluster, Credential::Key);
    carry_out(state, &order)
}

/// The members show their keys, so that beacons are drawn.
pub fn show_keys(state: &mut ClusterState) {
    let network = state.ground.network;
    for id in state.shared.members.clone() {
        let shown = SecretKey::derive(&id.0, network).register(network, id);
        let command = said(state, id.0[0], Saying::Key(shown));
        assert_eq!(answer(state, &command), Answer::Noted);
    }
}

/// Ends the epoch at a time, with a beacon if there is a round, and begins the next one.
pub fn turn(state: &mut ClusterState, unix_ms: u64) {
    let mut next = end(state, unix_ms);
    state.begin(&next.remove(0));
}

/// Ends the epoch: what follows it.
pub(super) fn end(state: &mut ClusterState, unix_ms: u64) -> Vec<Epoch> {
    for id in state.shared.members.clone() {
        let saying = Saying::Turn {
            heads: Vec::new(),
            unix_ms,
        };
        let command = said(state, id.0[0], saying);
        answer(state, &command);
    }
    while !state.can_deal() {
        for id in state.shared.members.clone() {
            let secret = SecretKey::derive(&id.0, state.ground.network);
            if let Some(due) = state.contribution(id, &secret) {
                let command = said(state, id.0[0], Saying::Beacon(Box::new(due)));
                answer(state, &command);
            }
        }
    }
    let found = |charter: Charter| charter.found(state.ground.network, Default::default());
    let next = state.successors().into_iter();
    next.map(|charter| found(charter).unwrap()).collect()
}

#[test]
fn who_is_not_admitted_or_asks_again_or_elsewhere_gets_no_walk() {
    let mut closed = state_of(2, |_| {});
    assert_eq!(ask(&mut closed, 30), Err(Void::NotAdmitted));
    let mut state = open(2, None);
    let cluster = state.shared.cluster;
    let elsewhere = asked(&state, 30, cluster + 1, Credential::Key);
    assert_eq!(carry_out(&mut state, &elsewhere), Err(Void::Stranger));
    let Order::Ask(mut forged) = asked(&state, 30, cluster, Credential::Key) else {
        unreachable!();
    };
    forged.card = card(&state, 31);
    assert_eq!(
        carry_out(&mut state, &Order::Ask(forged)),
        Err(Void::Stranger)
    );
    assert_eq!(ask(&mut state, 30), Ok(()));
    assert_eq!(ask(&mut state, 30), Err(Void::Already));
    for number in 31..46 {
        assert_eq!(ask(&mut state, number), Ok(()));
    }
    assert_eq!(ask(&mut state, 46), Err(Void::Busy));
    let guests: Vec<PeerId> = (30..46).map(|number| PeerId([number; 32])).collect();
    assert_eq!(state.guests().collect::<Vec<_>>(), guests);
}

#[test]
fn members_do_not_all_walk_away() {
    let mut state = open(2, None);
    let members = state.shared.members.clone();
    let asked: Vec<_> = members.iter().map(|id| ask(&mut state, id.0[0])).collect();
    let busy = Err(Void::Busy);
    assert_eq!(asked, [Ok(()), Ok(()), busy, busy]);
}

#[test]
fn no_walk_makes_a_step_by_a_beacon_that_everybody_knew() {
    let mut state = open(2, None);
    ask(&mut state, 30).unwrap();
    turn(&mut state, NOW);
    // No keys were known, so there was no round.
    assert_eq!(state.batch(1 - state.shared.cluster, 1), None);
    assert!(state.has_asked(PeerId([30; 32])) && state.has_walks());
    show_keys(&mut state);
    ask(&mut state, 31).unwrap();
    let left: Vec<u8> = waiting(&state);
    turn(&mut state, NOW);
    let other = 1 - state.shared.cluster;
    let gone = state.batch(other, 2).map_or(0, |batch| batch.walks.len());
    let here = waiting(&state);
    assert_eq!(here.len() + gone, 2);
    assert!(here.iter().all(|steps| *steps == left[0] - 1));
}

fn waiting(state: &ClusterState) -> Vec<u8> {
    state.walks_left().collect()
}

#[test]
fn walks_go_to_the_neighbour_that_the_charter_names_and_count_once() {
    let mut here = open(2, None);
    show_keys(&mut here);
    for number in 30..46 {
        ask(&mut here, number).unwrap();
    }
    turn(&mut here, NOW);
    let batch = here.batch(1 - here.shared.cluster, 1).unwrap();
    // Four ways of five lead to the only other cluster.
    assert!(batch.walks.len() > 7, "{} of 16 went on", batch.walks.len());
    let mut state = open(2, None);
    // The same cluster takes the place of the other one: all that matters is whom it is owed by.
    state.shared.neighbours[0]
        .owed
        .note(2, Batch::hash(&batch.walks));
    let from = state.shared.neighbours[0].cluster();
    let of = |walks: Vec<Walk>, epoch| {
        let batch = Batch { from, epoch, walks };
        Order::Walks(Box::new(batch))
    };
    let fewer = batch.walks[1..].to_vec();
    for (walks, epoch) in [(fewer, 2), (batch.walks.clone(), 1), (Vec::new(), 2)] {
        assert_eq!(
            carry_out(&mut state, &of(walks, epoch)),
            Err(Void::Unproved)
        );
    }
    let right = of(batch.walks.clone(), 2);
    assert_eq!(carry_out(&mut state, &right), Ok(()));
    assert_eq!(waiting(&state).len(), batch.walks.len());
    assert_eq!(carry_out(&mut state, &right), Err(Void::Unproved));
}

#[test]
fn a_walk_ends_with_a_place_where_there_is_room_and_a_captured_cluster_admits_nobody() {
    let mut state = open(2, None);
    let walk = |state: &ClusterState, number: u8, forged: bool| {
        let mut card = card(state, number);
        if forged {
            card.addresses.push("elsewhere".into());
        }
        Walk {
            id: Hash([number; 32]),
            card,
            credential: Credential::Key,
            left: 0,
        }
    };
    let ground = Arc::get_mut(&mut state.ground).unwrap();
    ground.parameters.g_max = ground.parameters.n;
    let room = usize::from(state.ground.parameters.n) - state.shared.members.len();
    let mut walks: Vec<Walk> = (0..=room as u8)
        .map(|more| walk(&state, 30 + more, false))
        .collect();
    walks.push(walk(&state, 60, true));
    state.shared.neighbours[0].owed.note(5, Batch::hash(&walks));
    let batch = Batch {
        from: state.shared.neighbours[0].cluster(),
        epoch: 5,
        walks,
    };
    carry_out(&mut state, &Order::Walks(Box::new(batch))).unwrap();
    assert_eq!(state.offered().count(), room);
    // The last one goes on, for one step, and the forged one is forgotten.
    assert_eq!(waiting(&state), [1]);
    // All but one claim their places, each for itself and once.
    let claim = |state: &ClusterState, number: u8, cluster: u64| {
        let signer = authority().signer(PeerId([number; 32]));
        let claim = Claim::sign(state.ground.network, &signer, cluster, state.shared.epoch);
        Order::Claim(Box::new(claim))
    };
    let elsewhere = claim(&state, 30, state.shared.cluster + 1);
    assert_eq!(carry_out(&mut state, &elsewhere), Err(Void::Stranger));
    for number in 31..30 + room as u8 {
        let claim = claim(&state, number, state.shared.cluster);
        assert_eq!(carry_out(&mut state, &claim), Ok(()));
        assert_eq!(carry_out(&mut state, &claim), Err(Void::NoPlace));
    }
    let late = claim(&state, 30, state.shared.cluster);
    turn(&mut state, NOW);
    let members = usize::from(state.ground.parameters.n) - 1;
    assert_eq!(state.shared.members.len(), members);
    // It may claim its place for a few epochs more; then that is for others.
    let guests: Vec<PeerId> = state.guests().collect();
    assert!(guests.contains(&PeerId([30; 32])));
    for _ in 0..4 {
        turn(&mut state, NOW);
    }
    assert_eq!(carry_out(&mut state, &late), Err(Void::Stale));
    let late = claim(&state, 30, state.shared.cluster);
    assert_eq!(carry_out(&mut state, &late), Err(Void::NoPlace));
}

#[test]
fn leases_follow_a_clock_that_no_liar_can_set_and_spare_the_last_members() {
    let lease = 600_000;
    let mut state = open(1, Some(lease));
    show_keys(&mut state);
    assert!(state.has_reason_to_end(), "nobody knows the time");
    // One of four may lie: it states a time far ahead.
    let liar = PeerId([1; 32]);
    state.take_clock(liar, NOW * 2);
    turn(&mut state, NOW);
    let until: Vec<u64> = (1..=4)
        .filter_map(|id| state.lease_of(PeerId([id; 32])))
        .collect();
    assert_eq!(until.len(), 4);
    let range = NOW + u64::from(lease) / 2..=NOW + u64::from(lease);
    assert!(until.iter().all(|until| range.contains(until)), "{until:?}");
    let first = *until.iter().min().unwrap();
    assert_eq!(state.next_overdue(), Some(first));
    let too_early = said(
        &state,
        2,
        Saying::Turn {
            heads: Vec::new(),
            unix_ms: first - 1,
        },
    );
    assert!(matches!(
        answer(&mut state, &too_early),
        Answer::Void(_, Void::NoReason)
    ));
    turn(&mut state, NOW + 2 * u64::from(lease));
    assert_eq!(state.shared.leaving.len(), 2, "g_min stay");
    turn(&mut state, NOW + 2 * u64::from(lease));
    assert_eq!(state.shared.members.len(), 2);
    assert_eq!(state.next_overdue(), None);
}
