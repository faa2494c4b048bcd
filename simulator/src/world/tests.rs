//! Whole worlds, small enough for every test run.

use super::{World, actor::Actor};
use crate::{
    Figures,
    behaviour::{Conduct, Kind},
    ledger::Arrivals,
    links::{Latency, LinkSettings, Loss, Rates},
    scene::Scene,
    settings::{Adversaries, Settings, Signatures},
};
use hamlet_overlay::{
    genesis::Parameters,
    time::{Duration, Time},
};

pub(super) fn settings(seed: u64) -> Settings {
    Settings {
        seed,
        bits_per_s: 200_000,
        signatures: Signatures::Simulated,
        ..Settings::usual(16, Duration::from_secs(3))
    }
}

/// Peers that take and never give.
fn silent(share: f64) -> Vec<Adversaries> {
    vec![Adversaries::new(share, Conduct::only(Kind::Silent))]
}

/// What is true in a small world before anything was published.
pub fn scene() -> Scene {
    World::new(settings(1)).unwrap().scene
}

fn run(settings: Settings) -> (World, Figures) {
    let mut world = World::new(settings).unwrap();
    world.run_until(world.end());
    let figures = world.figures();
    assert_eq!(world.violations(), []);
    (world, figures)
}

#[test]
fn an_honest_world_is_served_on_time_and_to_the_byte() {
    let (_, figures) = run(settings(1));
    assert_eq!(figures.segments_published, 12);
    assert_eq!(figures.stream_bytes, 75_000);
    assert_eq!(figures.delivered_ratio, 1.0);
    assert_eq!(figures.on_time_ratio, 1.0);
    assert!(figures.bytes_identical);
    assert!(figures.upload_ratio_mean > 0.9 && figures.upload_ratio_mean < 4.0);
    let max = figures.latency_ms.max.unwrap();
    assert!(max > 40.0 && max < 1500.0, "{max} ms");
}

#[test]
fn equal_seeds_give_equal_events_and_others_do_not() {
    let shaky = |seed| Settings {
        adversaries: silent(0.2),
        links: LinkSettings {
            jitter_ms: 9.0,
            loss: Loss::Random { share: 0.02 },
            upload: Rates::Constant {
                bits_per_s: 4_000_000,
            },
            source_upload_bits_per_s: Some(4_000_000),
            ..LinkSettings::default()
        },
        ..settings(seed)
    };
    let (_, one) = run(shaky(5));
    let (_, again) = run(shaky(5));
    let (_, other) = run(shaky(6));
    assert_eq!(one, again);
    assert_ne!(one.trace_hash, other.trace_hash);
    assert!(one.events > 1000);
}

#[test]
fn computing_once_for_all_changes_nothing() {
    let with = |verify_all| {
        run(Settings {
            adversaries: silent(0.2),
            verify_all,
            ..settings(9)
        })
        .1
    };
    assert_eq!(with(true), with(false));
}

#[test]
fn on_how_many_threads_a_world_runs_changes_nothing() {
    let shaky = || Settings {
        adversaries: silent(0.2),
        links: LinkSettings {
            latency: Latency::Uniform {
                low_ms: 3.0,
                high_ms: 60.0,
            },
            jitter_ms: 9.0,
            loss: Loss::Random { share: 0.02 },
            upload: Rates::Constant {
                bits_per_s: 4_000_000,
            },
            source_upload_bits_per_s: Some(4_000_000),
            ..LinkSettings::default()
        },
        ..settings(8)
    };
    let (_, alone) = run(shaky());
    for threads in [2, 5] {
        let mut world = World::with_threads(shaky(), threads).unwrap();
        world.run_until(world.end());
        assert_eq!(world.figures(), alone, "{threads} threads");
    }
}

#[test]
fn how_far_a_world_is_run_at_once_changes_nothing() {
    let (_, at_once) = run(settings(2));
    let mut world = World::new(settings(2)).unwrap();
    while world.now() < world.end() {
        let slice = world.now() + Duration::from_micros(12_345);
        world.run_until(slice.min(world.end()));
    }
    assert_eq!(world.figures(), at_once);
}

#[test]
fn ed25519_gives_the_same_picture() {
    let (_, figures) = run(Settings {
        signatures: Signatures::Ed25519,
        ..settings(3)
    });
    assert_eq!(figures.delivered_ratio, 1.0);
}

#[test]
fn silent_peers_are_counted_out_and_cost_the_others_something() {
    let with = |share, kind| {
        run(Settings {
            adversaries: vec![Adversaries::new(share, Conduct::only(kind))],
            ..settings(4)
        })
        .1
    };
    let none = with(0.0, Kind::Silent);
    let silent = with(0.25, Kind::Silent);
    let posing = with(0.25, Kind::Honest);
    assert_eq!(silent.byzantine, 4);
    assert!(silent.delivered_ratio > 0.9);
    assert!(silent.upload_ratio_mean > none.upload_ratio_mean);
    // Byzantine peers that behave are no different from honest ones.
    assert_eq!(posing.trace_hash, none.trace_hash);
}

/// How many peers take themselves for connected with this one.
fn linked(world: &World, peer: usize) -> usize {
    let with = |actor: &&Actor| actor.ends.is_up(peer as u32);
    world.actors().filter(with).count()
}

#[test]
fn who_crashes_is_missed_by_its_neighbours_and_nobody_else_stops() {
    let quick = LinkSettings {
        silence_s: 0.5,
        ..LinkSettings::default()
    };
    let mut world = World::new(Settings {
        links: quick,
        ..settings(7)
    })
    .unwrap();
    let victim = (world.scene.sources[0] + 1) % 16;
    let at = Time::ZERO + Duration::from_secs(2);
    world.crash(victim, at);
    world.run_until(at + Duration::from_millis(400));
    assert!(linked(&world, victim) > 0, "nobody noticed yet");
    world.run_until(world.end());
    assert_eq!(linked(&world, victim), 0);
    let ledger = world.ledger();
    let by_segment = ledger.by_segment();
    let delivered = |range: std::ops::Range<usize>| {
        let count = |of: &Arrivals| (0..16).filter(|&peer| of.was_delivered(peer)).count();
        by_segment[range].iter().map(count).min()
    };
    assert_eq!(delivered(0..3), Some(15));
    assert_eq!(delivered(5..12), Some(14), "all but the one that crashed");
    assert_eq!(world.violations(), []);
}

#[test]
fn an_interrupted_run_counts_only_what_had_time_to_arrive() {
    let mut world = World::new(settings(1)).unwrap();
    let first_cut = Time::ZERO + Settings::WARM_UP;
    world.run_until(first_cut + Settings::DRAIN + Duration::from_millis(1100));
    let figures = world.figures();
    assert_eq!(figures.delivered_ratio, 1.0);
    let mut world = World::new(settings(1)).unwrap();
    world.run_until(first_cut + Duration::from_millis(10));
    assert_eq!(
        world.figures().delivered_ratio,
        0.0,
        "nothing had time to arrive"
    );
}

#[test]
fn settings_that_make_no_world_are_refused() {
    let lonely = Settings {
        peers: 1,
        ..settings(1)
    };
    let unsure = Settings {
        adversaries: silent(f64::NAN),
        ..settings(1)
    };
    let uncoded = Settings {
        parameters: Parameters {
            k: 0,
            ..settings(1).parameters
        },
        ..settings(1)
    };
    for wrong in [lonely, unsure, uncoded] {
        assert!(World::new(wrong).is_err());
    }
}
