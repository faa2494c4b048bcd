//! Newcomers walk to a place that nobody chose, members whose leases run out walk to another, and a stream plays on.

mod town;

use hamlet_overlay::{
    agreement::Part, genesis::Parameters, identity::PeerId, io::Input,
    membership::admission::Admission, time::Duration,
};
use town::Town;

const CLUSTERS: u8 = 4;
const SIZE: u8 = 5;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn town(lease_ms: Option<u32>) -> Town {
    let mut town = Town::found(CLUSTERS, SIZE, Admission::Open, |parameters| {
        *parameters = Parameters {
            epoch_ms: 1_000,
            lease_ms,
            g_min: 3,
            n: 16,
            k: 6,
            ..*parameters
        };
    });
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(1));
    town.publish();
    town.run_for(seconds(4));
    town
}

fn cluster_of(town: &Town, peer: PeerId) -> (u64, Part) {
    let standing = town.peers[&peer].standing().unwrap();
    (standing.cluster, standing.part)
}

#[test]
fn newcomers_watch_at_once_and_find_a_place_by_walking() {
    let mut town = town(None);
    let newcomers: Vec<PeerId> = (0..6)
        .map(|number| {
            let id = town.newcomer(100 + number, u64::from(number % CLUSTERS));
            town.input(id, Input::Subscribe(0));
            id
        })
        .collect();
    town.run_for(seconds(5));
    for id in &newcomers {
        let played = town.played.get(id).map_or(0, Vec::len);
        assert!(played > 4, "{id:?} has played {played} segments as a guest");
    }
    town.run_for(seconds(50));
    let mut ends = Vec::new();
    for id in &newcomers {
        let (cluster, part) = cluster_of(&town, *id);
        assert_eq!(part, Part::Member, "{id:?} in {cluster}");
        ends.push(cluster);
        let played = &town.played[id];
        let gaps = played.windows(2).filter(|pair| pair[0] + 1 != pair[1]);
        let gaps: Vec<&[u64]> = gaps.collect();
        assert!(gaps.is_empty(), "{id:?} has gaps: {gaps:?}");
    }
    ends.dedup();
    assert!(ends.len() > 1, "all went to the same cluster");
}

#[test]
fn members_whose_leases_run_out_move_on_and_miss_nothing() {
    let mut town = town(Some(80_000));
    let before: Vec<(PeerId, u64)> = (0..CLUSTERS)
        .flat_map(|cluster| {
            let members = town.cluster(cluster.into()).into_iter();
            members.map(move |id| (id, u64::from(cluster)))
        })
        .collect();
    town.run_for(seconds(80));
    let moved = before
        .iter()
        .filter(|(id, cluster)| cluster_of(&town, *id).0 != *cluster);
    let moved = moved.count();
    assert!(
        moved >= before.len() / 4,
        "{moved} of {} moved",
        before.len()
    );
    let source = town.network.genesis().publishers[0].stream;
    for (id, _) in &before {
        if *id == source {
            continue;
        }
        let played = &town.played[id];
        let gaps = played.windows(2).filter(|pair| pair[0] + 1 != pair[1]);
        let gaps: Vec<&[u64]> = gaps.collect();
        assert!(gaps.is_empty(), "{id:?} has gaps: {gaps:?}");
        assert!(
            played.last() > Some(&320),
            "{id:?} {:?} stopped at {:?}",
            cluster_of(&town, *id),
            played.last()
        );
    }
}
