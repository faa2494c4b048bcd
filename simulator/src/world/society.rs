//! Whole worlds in which membership lives, small enough for every test run.

use super::World;
use crate::{
    Figures,
    behaviour::{Conduct, Kind},
    churn::{Churn, Sessions, State},
    machines::{DiskFate, Fault, MachineFault},
    settings::{Adversaries, Membership, Settings, Signatures},
    targets::Targets,
};
use hamlet_overlay::{
    agreement::Part,
    genesis::Parameters,
    time::{Duration, Time},
};

/// Three clusters of five, in which half of the peers is replaced within 40 s.
fn settings(seed: u64) -> Settings {
    Settings {
        seed,
        membership: Membership::Living,
        bits_per_s: 100_000,
        signatures: Signatures::Simulated,
        parameters: Parameters {
            g_min: 1,
            g_max: 5,
            n: 12,
            k: 4,
            epoch_ms: 1_000,
            silence_ms: Some(6_000),
            ..Parameters::for_peers(15)
        },
        churn: Churn {
            sessions: Sessions::Poisson {
                per_minute: 1.0,
                away_s: 3.0,
            },
            ..Churn::default()
        },
        ..Settings::usual(15, Duration::from_secs(40))
    }
}

fn run(settings: Settings, threads: usize) -> (World, Figures) {
    let mut world = World::with_threads(settings, threads).unwrap();
    world.run_until(world.end());
    let figures = world.figures();
    assert_eq!(world.violations(), []);
    (world, figures)
}

/// How many honest peers are there that say this of their place.
fn count(world: &World, part: Part) -> usize {
    let there = world.actors().filter(|actor| !actor.is_away());
    there
        .filter(|actor| actor.place().is_some_and(|(_, is)| is == part))
        .count()
}

#[test]
fn who_comes_finds_a_place_and_who_is_gone_is_put_out() {
    let (world, figures) = run(settings(1), 1);
    let joins = figures.joins.unwrap();
    assert!(figures.departures >= 4 && joins.newcomers >= 4, "{joins:?}");
    assert!(joins.epochs_per_min > 6.0, "{joins:?}");
    assert!(joins.playing_ms_p50.unwrap() < 5_000.0, "{joins:?}");
    assert!(count(&world, Part::Member) >= 7);
    assert!(figures.on_time_ratio > 0.99, "{}", figures.on_time_ratio);
    // Nobody who left long ago is a member.
    let newest = world.unity.newest();
    let gone = newest.iter().flat_map(|cluster| cluster.members());
    let early = Time::ZERO + world.now().since(Time::ZERO + Duration::from_secs(20));
    let gone = gone.filter(|id| {
        let peer = world.scene.directory.index(**id).unwrap();
        let mut away = world.scene.absences[peer].iter();
        away.any(|away| away.from < early && world.now() < away.to)
    });
    assert_eq!(gone.count(), 0);
}

#[test]
fn a_living_world_is_the_same_however_it_is_run() {
    let with = |threads, verify_all| {
        let settings = Settings {
            verify_all,
            publishing: Duration::from_secs(20),
            adversaries: vec![Adversaries::new(0.2, "silent+mute".parse().unwrap())],
            ..settings(3)
        };
        run(settings, threads).1
    };
    let alone = with(1, false);
    assert_eq!(alone, with(2, false));
    assert_eq!(alone, with(1, true));
}

#[test]
fn who_takes_leave_is_let_go_before_it_would_be_missed() {
    let (world, figures) = run(
        Settings {
            churn: Churn {
                announced: true,
                state: State::Lost,
                sessions: Sessions::MassDeparture {
                    share: 0.2,
                    at_s: 5.0,
                    back_after_s: None,
                },
            },
            publishing: Duration::from_secs(20),
            parameters: Parameters {
                silence_ms: None,
                ..settings(2).parameters
            },
            ..settings(2)
        },
        1,
    );
    assert_eq!(figures.departures, 3);
    let members = world.unity.newest();
    let members: usize = members.iter().map(|cluster| cluster.members().len()).sum();
    assert_eq!(members, 12);
    assert!(figures.on_time_ratio > 0.999, "{}", figures.on_time_ratio);
}

#[test]
fn who_crashes_comes_back_with_its_disk_or_as_one_that_lost_it() {
    // A cluster of five bears the loss of one member's disk.
    for (disk, struck) in [
        (DiskFate::Kept, 3),
        (DiskFate::Torn, 3),
        (DiskFate::Lost, 1),
    ] {
        let crash = |at_s| MachineFault {
            of: Targets::Count(struck),
            fault: Fault::Crash {
                at_s,
                back_after_s: Some(2.0),
                disk,
            },
        };
        let (world, figures) = run(
            Settings {
                churn: Churn::default(),
                machines: vec![crash(4.0), crash(12.0)],
                publishing: Duration::from_secs(25),
                ..settings(4)
            },
            1,
        );
        assert!(figures.departures >= 2 * struck as u64 - 1, "{disk:?}");
        assert_eq!(count(&world, Part::Member), 15, "{disk:?}");
    }
}

#[test]
fn mute_members_keep_their_places() {
    let (world, _) = run(
        Settings {
            adversaries: vec![Adversaries {
                among: Some(Targets::Peers(vec![2])),
                ..Adversaries::new(1.0, Conduct::only(Kind::Mute))
            }],
            churn: Churn::default(),
            publishing: Duration::from_secs(20),
            ..settings(5)
        },
        1,
    );
    let mute = world.actors().find(|actor| actor.me == 2).unwrap();
    assert!(mute.is_away() || mute.place().unwrap().1 == Part::Member);
}
