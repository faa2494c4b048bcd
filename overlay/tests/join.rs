//! Joining in mid-stream where clusters are small and nobody else watches.

mod common;

use common::{World, whole};
use hamlet_overlay::{genesis::Parameters, io::Input, time::Duration};

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
