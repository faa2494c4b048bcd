//! A stream plays on without a gap while the clusters go from epoch to epoch, slots are dealt anew and members are replaced.

mod town;

use hamlet_consensus::Model;
use hamlet_overlay::{
    agreement::{Part, order::Motion},
    genesis::Parameters,
    identity::PeerId,
    io::{Input, Refusal},
    time::Duration,
};
use std::collections::BTreeMap;
use town::Town;

const CLUSTERS: u8 = 3;
const SIZE: u8 = 6;
const ROUNDS: u8 = 8;
/// The segments of a second.
const PER_SECOND: u64 = 4;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// In every round one member of each cluster is replaced by a newcomer.
fn replace_members(model: Model) {
    let mut town = Town::new(CLUSTERS, SIZE, |parameters: &mut Parameters| {
        parameters.fault_model = model;
        parameters.epoch_ms = 2_000;
        // Shards enough for a cluster that misses a member for a while.
        parameters.k = parameters.n / 2;
    });
    let source = town.network.genesis().publishers[0].stream;
    let mut members: Vec<Vec<PeerId>> = (0..CLUSTERS)
        .map(|cluster| town.cluster(cluster.into()))
        .collect();
    // Since which segment each is a member, and the one at which it was removed.
    let mut since: BTreeMap<PeerId, u64> = members.concat().iter().map(|id| (*id, 0)).collect();
    let mut until: BTreeMap<PeerId, u64> = BTreeMap::new();
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(1));
    let segment =
        |town: &Town| town.now.since(hamlet_overlay::time::Time::ZERO).as_millis() as u64 / 250 - 4;
    town.publish();
    town.run_for(seconds(5));
    for round in 0..ROUNDS {
        for cluster in 0..CLUSTERS {
            let newcomer = town.newcomer(100 + round * CLUSTERS + cluster, cluster.into());
            town.input(newcomer, Input::Subscribe(0));
            let inside = &mut members[usize::from(cluster)];
            let place = inside.iter().position(|id| *id != source).unwrap();
            let leaver = inside.remove(place);
            let supporters = inside.clone();
            inside.push(newcomer);
            let add = Motion::Add(Box::new(town.card(newcomer)));
            town.want(&supporters, &add);
            town.want(&supporters, &Motion::Remove(leaver));
            until.insert(leaver, segment(&town));
        }
        town.run_for(seconds(6));
        for id in members.iter().filter_map(|inside| inside.last()) {
            since.insert(*id, segment(&town));
        }
    }
    town.run_for(seconds(4));
    let end = segment(&town) - 2 * PER_SECOND;
    // Both ends of a link deal alike, since an epoch governs only segments that are still to come.
    let refused = (town.peers.values()).map(|peer| peer.report().refused);
    let not_owed: u64 = refused
        .filter_map(|refused| refused.get(&Refusal::NotOwed).copied())
        .sum();
    assert!(
        not_owed <= 2 * u64::from(CLUSTERS * ROUNDS),
        "{not_owed} shards were not owed"
    );
    for (cluster, inside) in members.iter().enumerate() {
        let logs: Vec<_> = inside.iter().map(|id| town.log(*id)).collect();
        assert!(logs.iter().all(|log| *log == logs[0]), "cluster {cluster}");
        for id in inside {
            let standing = town.peers[id].standing().unwrap();
            assert_eq!(standing.part, Part::Member, "{id:?}");
            assert!(standing.epoch >= u64::from(ROUNDS) / 2, "{standing:?}");
        }
        let view = |id: &PeerId| town.peers[id].view().newest().clone();
        assert!(inside.iter().all(|id| view(id) == view(&inside[0])));
    }
    for (id, first) in since {
        let last = until.get(&id).copied().unwrap_or(end);
        let played = town.played.get(&id).cloned().unwrap_or_default();
        // Newcomers begin within the six seconds that a round takes.
        let began = played.first().copied().unwrap_or(u64::MAX);
        assert!(began <= first, "{id:?} began at {began}, not {first}");
        let played = played.into_iter().filter(|segment| *segment < last);
        let expected: Vec<u64> = (began..last).collect();
        assert_eq!(played.collect::<Vec<u64>>(), expected, "{id:?}");
    }
}

#[test]
fn no_segment_is_lost_while_members_are_replaced() {
    replace_members(Model::PartialSynchrony);
}

#[test]
fn no_segment_is_lost_while_members_are_replaced_under_synchrony() {
    replace_members(Model::Synchrony {
        bound: Duration::from_millis(200),
    });
}
