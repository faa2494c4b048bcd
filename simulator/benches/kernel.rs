//! The bare kernel: how many events per second pass through the calendar and the links, without peers.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hamlet_overlay::time::Time;
use hamlet_simulator::{
    calendar::{Calendar, Entry},
    links::{Ends, Fate, Lines, LinkSettings},
    targets::Cast,
};
use std::hint::black_box;

/// Links of a peer, and messages that each has under way.
const LINKS: usize = 45;
const UNDER_WAY: usize = 10;
/// Windows between two measurements.
const WINDOWS: u64 = 10;

/// Peers on a ring, each linked with those next to it.
fn ring(peers: usize, lines: &Lines) -> Vec<Ends> {
    let ends = |peer: usize| {
        let mut ends = Ends::new(peer as u32);
        for step in 1..=LINKS / 2 {
            for other in [peer + step, peer + peers - step] {
                let other = (other % peers) as u32;
                ends.want(lines, other, Time::ZERO);
                ends.offered(lines, other, 1, Time::ZERO);
                ends.come_up(other, 1, Time::ZERO);
            }
        }
        ends
    };
    (0..peers).map(ends).collect()
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    for peers in [1_000, 10_000] {
        let cast = Cast {
            seed: 1,
            source: 0,
            clusters: vec![0; peers],
        };
        let lines = Lines::new(&cast, &LinkSettings::default());
        let mut ends = ring(peers, &lines);
        let mut calendar = Calendar::new(lines.shortest_micros());
        let mut number = 0;
        let mut pass_on = |calendar: &mut Calendar<()>, now: Time, from: u32| {
            number += 1;
            let step = number as usize % (LINKS / 2) + 1;
            let to = ((from as usize + step) % peers) as u32;
            if let Fate::Arrives(after) = ends[from as usize].send(&lines, to, now) {
                let entry = Entry {
                    time: now + after,
                    to,
                    from,
                    number,
                    event: (),
                };
                calendar.enter(entry);
            }
        };
        for peer in 0..peers as u32 {
            for _ in 0..UNDER_WAY {
                pass_on(&mut calendar, Time::ZERO, peer);
            }
        }
        let mut taken = Vec::new();
        let mut run = |calendar: &mut Calendar<()>| {
            let mut events = 0;
            for _ in 0..WINDOWS {
                let Some(window) = calendar.next() else { break };
                calendar.take(window, Time::NEVER, &mut taken);
                events += taken.len() as u64;
                for entry in taken.drain(..) {
                    pass_on(calendar, entry.time, black_box(entry.to));
                }
            }
            events
        };
        // Messages are under way for 60 ms in the mean, so as many pass in each window.
        group.throughput(Throughput::Elements(run(&mut calendar)));
        group.bench_function(BenchmarkId::new("pass on", peers), |bencher| {
            bencher.iter(|| run(&mut calendar));
        });
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
