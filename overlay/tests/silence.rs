//! Members that crash are put out by their fellows, and come back; slow is not dead; who leaves is let go.

mod town;

use hamlet_overlay::{
    agreement::{
        Agreed, Part,
        entry::{Act, Reason},
    },
    genesis::Parameters,
    identity::PeerId,
    io::Input,
    membership::admission::Admission,
    time::Duration,
};
use town::Town;

const SIZE: u8 = 5;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn town() -> Town {
    let mut town = Town::found(2, SIZE, Admission::Open, |parameters| {
        *parameters = Parameters {
            epoch_ms: 1_000,
            silence_ms: Some(6_000),
            g_min: 3,
            n: 12,
            k: 4,
            ..*parameters
        };
    });
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(2));
    town
}

fn part(town: &Town, peer: PeerId) -> Part {
    town.peers[&peer].standing().unwrap().part
}

/// Who was put out, and why, as a member's log has it.
fn put_out(town: &Town, asked: PeerId) -> Vec<(PeerId, Reason)> {
    let left = town
        .log(asked)
        .into_iter()
        .filter_map(|entry| match entry.act {
            Act::Leaves { peer, why } => Some((peer, why)),
            _ => None,
        });
    left.collect()
}

/// The second cluster's members: the source is in the first.
fn quiet_cluster(town: &Town) -> Vec<PeerId> {
    let source = town.network.genesis().publishers[0].stream;
    let clusters = (0..2).map(|number| town.cluster(number));
    let mut away = clusters.filter(|cluster| !cluster.contains(&source));
    away.next().unwrap()
}

#[test]
fn one_that_crashes_is_put_out_and_gets_a_place_when_it_is_back() {
    let mut town = town();
    town.publish();
    let members = quiet_cluster(&town);
    let (dead, witness) = (members[1], members[2]);
    town.kill(dead);
    town.run_for(seconds(5));
    assert_eq!(put_out(&town, witness), []);
    town.run_for(seconds(10));
    assert_eq!(put_out(&town, witness), [(dead, Reason::Silent)]);
    let left = town.peers[&witness].standing().unwrap().members;
    assert!(left.iter().all(|(peer, _)| *peer != dead) && left.len() == 4);
    town.start(dead);
    town.run_for(seconds(40));
    assert_eq!(part(&town, dead), Part::Member);
    for peer in town.founders() {
        assert!(put_out(&town, peer).len() <= 1, "{peer:?} was in a hurry");
    }
}

#[test]
fn who_is_heard_by_some_stays_and_so_does_everybody_after_a_pause() {
    let mut town = town();
    let members = quiet_cluster(&town);
    // Two of four fellows do not hear the first: that is no quorum.
    for &deaf in &members[1..3] {
        town.cut.insert((members[0], deaf));
    }
    town.run_for(seconds(30));
    for &peer in &members {
        assert_eq!(put_out(&town, peer), []);
    }
    town.pause(seconds(60));
    town.run_for(seconds(20));
    for &peer in &members {
        assert_eq!(
            (put_out(&town, peer), part(&town, peer)),
            (vec![], Part::Member)
        );
    }
}

#[test]
fn who_leaves_is_let_go_and_does_not_come_back() {
    let mut town = town();
    let members = quiet_cluster(&town);
    let (leaver, witness) = (members[3], members[0]);
    town.input(leaver, Input::Leave);
    town.run_for(seconds(10));
    assert_eq!(put_out(&town, witness), [(leaver, Reason::Said)]);
    let told = |agreed: &Agreed| matches!(agreed, Agreed::PutOut(_));
    assert!(town.agreed[&leaver].iter().any(told));
    town.run_for(seconds(30));
    assert_eq!(part(&town, leaver), Part::Outside);
}

#[test]
fn what_is_left_of_a_cluster_that_can_decide_nothing_joins_others() {
    let mut town = town();
    town.publish();
    let members = quiet_cluster(&town);
    for &dead in &members[2..] {
        town.kill(dead);
    }
    town.run_for(seconds(60));
    let newest = town.played.values().filter_map(|played| played.last());
    let newest = *newest.max().unwrap();
    for peer in &members[..2] {
        let standing = town.peers[peer].standing().unwrap();
        assert_eq!(standing.part, Part::Member);
        // Together they may be so many that they have split.
        let mut all = standing.members.iter();
        let others = all.any(|(peer, _)| !members.contains(peer));
        assert!(others, "{:?}", standing.members);
        let played = town.played[peer].iter().rev().take(20);
        let played: Vec<u64> = played.copied().collect();
        let last = played[0];
        assert!(
            newest <= last + 4,
            "{peer:?} has stopped at {last} of {newest}"
        );
        assert_eq!(played[19] + 19, last, "{peer:?} has gaps: {played:?}");
    }
}
