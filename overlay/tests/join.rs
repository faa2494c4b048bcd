//! Joining in mid-stream where clusters are small and nobody else watches.

mod common;

use common::{World, id, whole};
use hamlet_overlay::{genesis::Parameters, io::Input, time::Duration, view::View};

#[test]
fn the_only_one_who_watches_comes_back_and_misses_nothing_wherever_it_is() {
    // Clusters of one, of two and of three: also the one of the source.
    for peers in [4, 8, 12] {
        for number in 1..peers {
            let mut world = World::new(peers, Parameters::for_peers(peers));
            for other in 0..peers {
                world.input(other, Input::Unsubscribe(0));
            }
            world.run_for(Duration::from_millis(500));
            let mut payloads = world.publish(4, 8_000);
            world.kill(number);
            world.run_for(Duration::from_millis(500));
            payloads.extend(world.publish(4, 8_000));
            world.start(number, 0);
            payloads.extend(world.publish(20, 8_000));
            world.run_for(Duration::from_secs(3));
            let got = &world.delivered[number];
            let numbers: Vec<u64> = got.iter().map(|segment| segment.number).collect();
            let first = numbers.first().copied().unwrap_or(u64::MAX);
            assert!(first <= 9, "peer {number} of {peers} begins at {first}");
            assert!(
                numbers.iter().copied().eq(first..28),
                "peer {number} of {peers}: {numbers:?}"
            );
            assert!(
                got.iter()
                    .all(|segment| whole(segment) == payloads[segment.number as usize])
            );
        }
    }
}

#[test]
fn two_who_come_back_and_watch_later_miss_nothing_whoever_they_are() {
    let peers = 10;
    for pair in 0..36 {
        let (a, b) = (1 + pair / 9, 1 + pair % 9);
        if a == b {
            continue;
        }
        let mut world = World::new(peers, Parameters::for_peers(peers));
        world.run_for(Duration::from_millis(500));
        let mut payloads = world.publish(12, 12_000);
        [a, b].iter().for_each(|&number| world.kill(number));
        payloads.extend(world.publish(8, 12_000));
        for number in [a, b] {
            world.delivered[number].clear();
            let view = View::founding(&world.network, id(number)).unwrap();
            world.start_relay(number, 0, view);
        }
        payloads.extend(world.publish(2 + pair as u64 % 3, 12_000));
        // Also so late that the newest segment would have been asked for already.
        world.run_for(Duration::from_millis(97 * (pair as u64 % 7)));
        let from = payloads.len() as u64;
        for number in [a, b] {
            world.input(number, Input::Subscribe(0));
        }
        // The past is told before the next segment comes.
        world.run_for(Duration::from_millis(150));
        payloads.extend(world.publish(20, 12_000));
        world.run_for(Duration::from_secs(3));
        for number in [a, b] {
            let got = &world.delivered[number];
            let numbers: Vec<u64> = got.iter().map(|segment| segment.number).collect();
            let first = numbers.first().copied().unwrap_or(u64::MAX);
            assert!(
                first <= from,
                "peer {number} begins at {first} after {from}"
            );
            assert!(
                numbers.iter().copied().eq(first..payloads.len() as u64),
                "peer {number} of {a} and {b}: {numbers:?} since {from}"
            );
        }
    }
}

#[test]
fn who_begins_to_watch_while_a_segment_is_on_its_way_misses_nothing() {
    let peers = 10;
    for number in 1..peers {
        // A frame takes 20 ms, so a segment is on its way in every state that there is.
        for after_ms in (0..120).step_by(10) {
            let mut world = World::new(peers, Parameters::for_peers(peers));
            world.input(number, Input::Unsubscribe(0));
            world.run_for(Duration::from_millis(500));
            let mut payloads = world.publish(5 + after_ms / 10, 12_000);
            let from = payloads.len() as u64;
            payloads.push(world.publish_one(12_000));
            world.run_for(Duration::from_millis(after_ms));
            world.input(number, Input::Subscribe(0));
            world.run_for(Duration::from_millis(250 - after_ms));
            payloads.extend(world.publish(12, 12_000));
            world.run_for(Duration::from_secs(3));
            let got = &world.delivered[number];
            let numbers: Vec<u64> = got.iter().map(|segment| segment.number).collect();
            let first = numbers.first().copied().unwrap_or(u64::MAX);
            let context = format!("peer {number} that watches {after_ms} ms after {from}");
            assert!(first <= from, "{context} begins at {first}");
            assert!(
                numbers.iter().copied().eq(first..payloads.len() as u64),
                "{context}: {numbers:?}"
            );
        }
    }
}

#[test]
fn who_begins_to_watch_while_the_source_rests_still_gets_what_came_last() {
    let peers = 10;
    for number in 1..peers {
        for rest_ms in [1_000, 1_900, 2_500, 10_000] {
            let mut world = World::new(peers, Parameters::for_peers(peers));
            world.input(number, Input::Unsubscribe(0));
            world.run_for(Duration::from_millis(500));
            world.publish(7, 12_000);
            world.run_for(Duration::from_millis(rest_ms));
            world.input(number, Input::Subscribe(0));
            world.run_for(Duration::from_secs(3));
            world.publish(3, 12_000);
            world.run_for(Duration::from_secs(3));
            let got = &world.delivered[number];
            let numbers: Vec<u64> = got.iter().map(|segment| segment.number).collect();
            let first = numbers.first().copied().unwrap_or(u64::MAX);
            let context = format!("peer {number} that watches after {rest_ms} ms");
            assert!(first <= 4, "{context} begins at {first}");
            assert!(
                numbers.iter().copied().eq(first..10),
                "{context}: {numbers:?}"
            );
        }
    }
}
