//! The bare kernel: how many events per second pass through the calendar and the links, without peers.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hamlet_overlay::time::Time;
use hamlet_simulator::{
    calendar::Calendar,
    links::{Fate, Links},
    settings::LinkSettings,
};
use std::hint::black_box;

/// Links of a peer, and messages that each has under way.
const LINKS: usize = 45;
const UNDER_WAY: usize = 10;
/// Events between two measurements.
const EVENTS: u64 = 100_000;

/// Peers on a ring, each linked with those next to it.
fn ring(peers: usize) -> Links {
    let mut links = Links::new(1, peers, &LinkSettings::default());
    for peer in 0..peers {
        for step in 1..=LINKS / 2 {
            let other = (peer + step) % peers;
            links.want(peer, other);
            links.want(other, peer);
            links.connect(peer, other);
        }
    }
    links
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(EVENTS));
    for peers in [1_000, 10_000] {
        let mut links = ring(peers);
        let mut calendar = Calendar::new();
        let mut step = 0;
        let mut pass_on = |calendar: &mut Calendar<u32>, now: Time, from: u32| {
            step = step % (LINKS / 2) + 1;
            let to = (from as usize + step) % peers;
            if let Fate::Arrives(after) = links.send(from as usize, to) {
                calendar.enter(now + after, to as u32);
            }
        };
        for peer in 0..peers as u32 {
            for _ in 0..UNDER_WAY {
                pass_on(&mut calendar, Time::ZERO, peer);
            }
        }
        group.bench_function(BenchmarkId::new("pass on", peers), |bencher| {
            bencher.iter(|| {
                for _ in 0..EVENTS {
                    if let Some((now, at)) = calendar.take(Time::NEVER) {
                        pass_on(&mut calendar, now, black_box(at));
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
