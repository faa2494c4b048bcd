//! The coded push between whole peers.

mod common;

use common::{World, whole};
use hamlet_overlay::{
    genesis::Parameters,
    io::{Class, Event},
    time::Duration,
};

#[test]
fn everybody_gets_the_stream_whole_and_in_order_and_sends_little_more_than_it() {
    let mut world = World::new(32, Parameters::for_peers(32));
    world.run_for(Duration::from_millis(500));
    let payloads = world.publish(40, 31_250);
    world.run_for(Duration::from_secs(3));
    for number in 0..32 {
        let got: Vec<Vec<u8>> = world.delivered[number].iter().map(whole).collect();
        assert_eq!(got.len(), payloads.len(), "peer {number}");
        assert!(
            got.iter()
                .zip(&payloads)
                .all(|(got, payload)| *got == *payload),
            "peer {number}"
        );
    }
    let stream = 40.0 * 31_250.0;
    let mean = world.sent_bytes.iter().sum::<u64>() as f64 / 32.0 / stream;
    println!(
        "mean upload {mean:.3}, source {:.3}",
        world.sent_bytes[0] as f64 / stream
    );
    for class in Class::ALL {
        let sum: u64 = world
            .peers
            .iter()
            .flatten()
            .map(|p| p.report().sent_bytes.get(&class).copied().unwrap_or(0))
            .sum();
        println!("{class:?} {:.4}", sum as f64 / 32.0 / stream);
    }
    assert!(mean < 1.5, "mean upload {mean}");
}

#[test]
fn a_third_of_silent_peers_does_not_stop_it() {
    let mut world = World::new(64, Parameters::for_peers(64));
    let silent = |number: usize| number % 10 >= 7;
    world.filter = Box::new(move |from, _, class, _| {
        !silent(from) || matches!(class, Class::Control | Class::Notice)
    });
    world.run_for(Duration::from_millis(500));
    let payloads = world.publish(80, 31_250);
    world.run_for(Duration::from_secs(3));
    for (at, number, event) in &world.events {
        match event {
            Event::Skipped { .. } => println!("{at:?} {number} {event:?}"),
            Event::Restored {
                segment,
                after,
                repaired,
                ..
            } if *after > Duration::from_millis(700) && *segment >= 4 && !silent(*number) => {
                println!("{number} {segment} {after:?} {repaired}")
            }
            _ => {}
        }
    }
    for number in (0..64).filter(|&number| !silent(number)) {
        let got = &world.delivered[number];
        assert_eq!(got.len(), payloads.len(), "peer {number}");
        assert!(
            got.iter()
                .zip(&payloads)
                .all(|(got, payload)| whole(got) == *payload)
        );
    }
    let honest: Vec<usize> = (0..64).filter(|&number| !silent(number)).collect();
    let sum: u64 = honest.iter().map(|&number| world.sent_bytes[number]).sum();
    println!(
        "mean upload {:.3}",
        sum as f64 / honest.len() as f64 / (80.0 * 31_250.0)
    );
}

#[test]
fn a_cluster_with_too_few_relays_lives_on_its_neighbours() {
    let mut world = World::new(64, Parameters::for_peers(64));
    let (clusters, k) = (world.network.clusters(), world.network.parameters().k);
    let poor = clusters
        .iter()
        .find(|cluster| cluster.place(world.ids[0]).is_none())
        .expect("the source is in one cluster only");
    let numbers = poor.members().iter().map(|&member| {
        let number = world.ids.iter().position(|&id| id == member);
        number.expect("members are peers")
    });
    let members: Vec<usize> = numbers.collect();
    let (giving, silent) = members.split_at(usize::from(k) - 1);
    let (giving, silent) = (giving.to_vec(), silent.to_vec());
    world.filter = Box::new(move |from, _, class, _| {
        !silent.contains(&from) || matches!(class, Class::Control | Class::Notice)
    });
    world.run_for(Duration::from_millis(500));
    world.publish(60, 31_250);
    world.run_for(Duration::from_secs(3));
    let mut restored = 0;
    for (_, number, event) in &world.events {
        if let Event::Restored { segment, after, .. } = event
            && *segment >= 12
            && giving.contains(number)
        {
            restored += 1;
            assert!(
                *after < Duration::from_millis(600),
                "peer {number} had segment {segment} after {after:?}"
            );
        }
    }
    assert_eq!(restored, giving.len() * 48);
}

#[test]
fn a_newcomer_joins_at_a_segment_that_a_decoder_can_start_with() {
    let mut world = World::new(24, Parameters::for_peers(24));
    world.kill(7);
    world.run_for(Duration::from_millis(500));
    let before = world.publish(18, 20_000);
    world.start(7, 0);
    let after = world.publish(20, 20_000);
    world.run_for(Duration::from_secs(3));
    let payloads = [before, after].concat();
    let got = &world.delivered[7];
    let first = got.first().expect("the newcomer plays").number;
    // Segment 16 is the last before it came that a decoder can start with.
    assert_eq!(first, 16);
    assert_eq!(got.len(), payloads.len() - 16);
    assert!(
        got.iter()
            .all(|segment| whole(segment) == payloads[segment.number as usize])
    );
    assert!(got[0].random_access);
}

#[test]
fn a_source_that_comes_back_goes_on_under_the_same_key() {
    let mut world = World::new(24, Parameters::for_peers(24));
    world.run_for(Duration::from_millis(500));
    world.publish(10, 20_000);
    world.kill(0);
    world.run_for(Duration::from_secs(3));
    world.start(0, 256);
    world.publish(10, 20_000);
    world.run_for(Duration::from_secs(3));
    for number in 1..24 {
        let numbers: Vec<u64> = world.delivered[number]
            .iter()
            .map(|segment| segment.number)
            .collect();
        let expected: Vec<u64> = (0..10).chain(256..266).collect();
        assert_eq!(numbers, expected, "peer {number}");
        assert!(world.delivered[number][10].discontinuity);
    }
}

#[test]
fn killed_members_are_worked_around_without_a_gap() {
    let mut world = World::new(32, Parameters::for_peers(32));
    world.run_for(Duration::from_millis(500));
    world.publish(10, 20_000);
    for number in [3, 9, 14, 20, 27] {
        world.kill(number);
    }
    world.publish(30, 20_000);
    world.run_for(Duration::from_secs(3));
    for number in (1..32).filter(|&number| world.peers[number].is_some()) {
        assert_eq!(world.delivered[number].len(), 40, "peer {number}");
    }
}

#[test]
fn the_stream_plays_on_while_slots_are_dealt_anew_and_members_move() {
    let mut world = World::new(32, Parameters::for_peers(32));
    world.run_for(Duration::from_millis(500));
    world.publish(10, 20_000);
    let clusters = world.network.clusters();
    let number_of = |peer| world.ids.iter().position(|&id| id == peer).unwrap();
    let mover = |cluster: usize| number_of(*clusters[cluster].members().last().unwrap());
    let swapped = (mover(0), mover(1));
    // The new epoch is known a second before its first segment.
    world.begin_epoch(14, swapped);
    world.publish(20, 20_000);
    world.run_for(Duration::from_secs(3));
    for number in 0..32 {
        assert_eq!(world.delivered[number].len(), 30, "peer {number}");
    }
}
