//! The coded push between whole peers.

mod common;

use common::{World, whole};
use hamlet_overlay::{genesis::Parameters, io::Class, time::Duration};

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
        use hamlet_overlay::io::Event;
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
