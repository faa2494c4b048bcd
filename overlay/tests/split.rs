//! A network grows out of one cluster: clusters that become too large split, the cycles stay whole, and a stream plays on.

mod town;

use hamlet_overlay::{
    agreement::Part,
    genesis::Parameters,
    identity::PeerId,
    io::Input,
    membership::{admission::Admission, cycle::Place},
    time::{Duration, Time},
};
use std::collections::{BTreeMap, BTreeSet};
use town::Town;

const G_MIN: u8 = 4;
const G_MAX: u8 = 7;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A town of one cluster, where more and more want a place.
fn grown(newcomers: u8) -> (Town, Vec<PeerId>, Vec<PeerId>) {
    let mut town = Town::found(1, 4, Admission::Open, |parameters| {
        *parameters = Parameters {
            epoch_ms: 1_000,
            g_min: G_MIN,
            g_max: G_MAX,
            n: 16,
            k: 6,
            h: 2,
            ..*parameters
        };
    });
    let mut all = Vec::new();
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(1));
    town.publish();
    town.run_for(seconds(4));
    for number in 0..newcomers {
        let id = town.newcomer(100 + number, 0);
        town.input(id, Input::Subscribe(0));
        all.push(id);
        town.run_for(seconds(4));
    }
    town.run_for(seconds(30));
    let founders = town.founders();
    (town, founders, all)
}

/// The clusters in which peers are members: who, and where they lie on the cycles, which all members know alike.
fn clusters(town: &Town, all: &[PeerId]) -> BTreeMap<u64, (BTreeSet<PeerId>, Vec<Place>)> {
    let mut clusters = BTreeMap::new();
    for id in all {
        let Some(peer) = town.peers.get(id) else {
            continue;
        };
        let standing = peer.standing().unwrap();
        assert_eq!(
            standing.part,
            Part::Member,
            "{id:?} in {}",
            standing.cluster
        );
        let places = peer.state().unwrap().places().to_vec();
        let known = clusters.entry(standing.cluster);
        let (members, known) = known.or_insert_with(|| (BTreeSet::new(), places.clone()));
        assert_eq!(*known, places, "{id:?} in {}", standing.cluster);
        members.insert(*id);
    }
    clusters
}

fn assert_cycles_are_whole(clusters: &BTreeMap<u64, (BTreeSet<PeerId>, Vec<Place>)>) {
    for cycle in 0..2 {
        let place = |cluster: &u64| clusters[cluster].1[cycle];
        let first = *clusters.keys().next().unwrap();
        let mut seen = BTreeSet::new();
        let mut at = first;
        while seen.insert(at) {
            let after = place(&at).after;
            assert_eq!(
                place(&after).before,
                at,
                "cycle {cycle}: {after} comes after {at}"
            );
            at = after;
        }
        assert_eq!(seen.len(), clusters.len(), "cycle {cycle} visits {seen:?}");
    }
}

/// How many segments a peer missed between the first and the last that it played, and how many it played.
fn missed(town: &Town, id: PeerId) -> (u64, u64) {
    let played = town.played.get(&id).map_or(&[][..], |played| played);
    let (Some(first), Some(last)) = (played.first(), played.last()) else {
        panic!("{id:?} has played nothing");
    };
    let newest = town.now.since(Time::ZERO).as_millis() as u64 / 250;
    assert!(last + 20 > newest, "{id:?} stopped at {last} of {newest}");
    let count = played.len() as u64;
    (last - first + 1 - count, count)
}

#[test]
fn a_network_grows_out_of_one_cluster_while_a_stream_plays_on() {
    let (town, founders, newcomers) = grown(16);
    let all = [&founders[..], &newcomers].concat();
    let clusters = clusters(&town, &all);
    assert!(clusters.len() >= 3, "{} clusters", clusters.len());
    for (cluster, (members, _)) in &clusters {
        // Fewer than g_min are left where somebody had found a place elsewhere meanwhile.
        assert!(members.len() <= G_MAX.into(), "{cluster}: {members:?}");
    }
    assert_cycles_are_whole(&clusters);
    let source = town.network.genesis().publishers[0].stream;
    for id in founders.into_iter().filter(|id| *id != source) {
        assert_eq!(missed(&town, id).0, 0, "{id:?} was a member all the time");
    }
    let (missed, played) = newcomers
        .iter()
        .map(|id| missed(&town, *id))
        .fold((0, 0), |(a, b), (missed, played)| (a + missed, b + played));
    assert!(
        missed * 100 <= played,
        "newcomers missed {missed} and played {played}"
    );
}
