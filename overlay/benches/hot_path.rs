//! The hot path: shards relayed per second and core, and coding a segment at the sizes in use.
//!
//! A 1 Mbit/s stream in segments of 250 ms is 31,250 bytes a segment: shards of 7.6 KiB in clusters of 8
//! (k = 4 of n = 8), of 1.9 KiB in clusters of 32 (k = 16 of n = 32).

#[path = "../tests/common/mod.rs"]
mod common;

use bytes::Bytes;
use common::World;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hamlet_overlay::{
    coding::Coder,
    genesis::Parameters,
    identity::PeerId,
    io::{Class, Cut, Input, Output},
    peer::{Peer, Setup},
    time::{Duration, Time},
    view::View,
    wire::Frame,
    work::Compute,
};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};
use std::{cell::RefCell, hint::black_box, rc::Rc, sync::Arc};

const SEGMENT_BYTES: usize = 31_250;
/// Peers in each network: four clusters.
const NETWORKS: [usize; 2] = [32, 128];
/// The peer that is measured; the source is peer 0.
const RELAY: usize = 5;
const SEGMENTS: u64 = 40;

/// What came to one peer of a network during a stream: when, from whom, what.
type Recording = Vec<(Time, PeerId, Frame)>;

fn payload(segment: u64) -> Vec<u8> {
    let byte = |place: usize| (place as u64 * 31 / 7 + segment) as u8;
    (0..SEGMENT_BYTES).map(byte).collect()
}

fn record(peers: usize) -> (World, Recording) {
    let recording = Rc::new(RefCell::new(Recording::new()));
    let mut world = World::new(peers, Parameters::for_peers(peers));
    let clock = Rc::new(RefCell::new(Time::ZERO));
    let (frames, now) = (recording.clone(), clock.clone());
    world.filter = Box::new(move |from, to, _, frame| {
        if to == RELAY {
            let joined = [&frame.head[..], &frame.body[..]].concat();
            let frame = Frame::received(joined.into());
            let arrival = *now.borrow() + common::DELAY;
            frames.borrow_mut().push((arrival, common::id(from), frame));
        }
        true
    });
    let step = Duration::from_millis(1);
    let run = |world: &mut World, steps: u32| {
        for _ in 0..steps {
            world.run_for(step);
            *clock.borrow_mut() = world.now;
        }
    };
    run(&mut world, 500);
    for segment in 0..SEGMENTS {
        let payload = Bytes::from(payload(segment));
        let cut = Cut {
            payload,
            random_access: segment.is_multiple_of(4),
            cut_unix_ms: 0,
        };
        world.input(0, Input::Publish(cut));
        run(&mut world, 250);
    }
    world.filter = Box::new(|_, _, _, _| true);
    let recording = recording.take();
    (world, recording)
}

/// The peer that is measured, connected with everybody it wants.
fn fresh(world: &World) -> Peer {
    let id = common::id(RELAY);
    let view = View::founding(&world.network, id).expect("a founder");
    let links = view.links(id);
    let setup = Setup {
        view,
        signer: Box::new(world.authority.signer(id)),
        verifier: Arc::new(world.authority.clone()),
        work: Arc::new(Compute),
        publish_from: 0,
    };
    let mut peer = Peer::new(Time::ZERO, setup);
    for link in links {
        peer.handle(Time::ZERO, Input::Connected(link));
    }
    peer.handle(Time::ZERO, Input::Subscribe(0));
    while peer.poll().is_some() {}
    peer
}

/// Lets a peer live through a recording; returns how many shards it sent and segments it played.
fn replay(peer: &mut Peer, recording: &Recording) -> (u64, u64) {
    let (mut shards, mut played) = (0, 0);
    let mut wake_at = Time::NEVER;
    let mut drain = |peer: &mut Peer, wake_at: &mut Time| {
        while let Some(output) = peer.poll() {
            match output {
                Output::Send {
                    to,
                    class: Class::Live | Class::Pull | Class::Backlog,
                    ..
                } => {
                    shards += to.len() as u64;
                }
                Output::WakeAt(at) => *wake_at = at,
                Output::Deliver(_) => played += 1,
                _ => {}
            }
        }
    };
    for (time, from, frame) in recording {
        while wake_at <= *time {
            let now = std::mem::replace(&mut wake_at, Time::NEVER);
            peer.handle(now, Input::Wake);
            drain(peer, &mut wake_at);
        }
        let (from, frame) = (*from, frame.clone());
        peer.handle(*time, Input::Frame { from, frame });
        drain(peer, &mut wake_at);
    }
    (shards, played)
}

fn relay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shards relayed");
    group.sample_size(20);
    for peers in NETWORKS {
        let (world, recording) = record(peers);
        let (shards, played) = replay(&mut fresh(&world), &recording);
        assert!(
            shards > 0 && played + 5 > SEGMENTS,
            "{shards} shards, {played} segments"
        );
        group.throughput(Throughput::Elements(shards));
        group.bench_function(BenchmarkId::new("peers", peers), |bencher| {
            let replay = |mut peer: Peer| black_box(replay(&mut peer, &recording));
            bencher.iter_batched(|| fresh(&world), replay, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn coding(criterion: &mut Criterion) {
    let payload = payload(0);
    for peers in NETWORKS {
        let Parameters { n, k, .. } = Parameters::for_peers(peers);
        let coder = Coder::new(k, n).expect("a code");
        let mut group = criterion.benchmark_group(format!("segment, {k} of {n}"));
        group.throughput(Throughput::Bytes(SEGMENT_BYTES as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| coder.encode(black_box(&payload)));
        });
        let shards = coder.encode(&payload);
        let lost = usize::from(k / 4);
        let mut some: Vec<_> = shards.iter().cloned().map(Some).collect();
        some[..lost].fill(None);
        some[usize::from(k) + lost..].fill(None);
        group.bench_function("restore a quarter", |bencher| {
            bencher.iter(|| coder.restore(black_box(&some)));
        });

        // The alternative that was not taken, measured at the same sizes.
        let (data, parity) = (usize::from(k), usize::from(n - k));
        // It codes in units of 64 bytes.
        let len = coder.shard_len(SEGMENT_BYTES).next_multiple_of(64);
        let padded: Vec<Vec<u8>> = shards[..data]
            .iter()
            .map(|shard| [&shard[..], &vec![0; len - shard.len()]].concat())
            .collect();
        let encode = || {
            let mut encoder = ReedSolomonEncoder::new(data, parity, len)?;
            for shard in &padded {
                encoder.add_original_shard(shard)?;
            }
            let parity: Vec<Vec<u8>> = encoder
                .encode()?
                .recovery_iter()
                .map(<[u8]>::to_vec)
                .collect();
            Ok::<_, reed_solomon_simd::Error>(parity)
        };
        let recovery = encode().expect("a code");
        group.bench_function("encode, reed-solomon-simd", |bencher| {
            bencher.iter(|| encode().map(|parity| black_box(parity).len()));
        });
        group.bench_function("restore a quarter, reed-solomon-simd", |bencher| {
            bencher.iter(|| {
                let mut decoder = ReedSolomonDecoder::new(data, parity, len)?;
                for (place, shard) in padded.iter().enumerate().skip(lost) {
                    decoder.add_original_shard(place, shard)?;
                }
                for (place, shard) in recovery.iter().enumerate().take(lost) {
                    decoder.add_recovery_shard(place, shard)?;
                }
                let restored = decoder.decode()?.restored_original_iter().count();
                Ok::<_, reed_solomon_simd::Error>(black_box(restored))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, relay, coding);
criterion_main!(benches);
