//! Small worlds in trouble: links that fail, peers that leave, machines that crash.

use super::{World, tests::settings};
use crate::{
    Figures,
    churn::{Churn, Sessions, State},
    links::{Fault as LinkTrouble, LinkFault, LinkSettings, Loss, Rates, Ways},
    machines::{DiskFate, Fault, MachineFault},
    settings::Settings,
    span::Span,
    targets::Targets,
};
use hamlet_overlay::time::{Duration, Time};

fn run(settings: Settings) -> Figures {
    let mut world = World::new(settings.clone()).unwrap();
    world.run_until(world.end());
    assert_eq!(world.violations(), []);
    let figures = world.figures();
    let mut shared = World::with_threads(settings, 3).unwrap();
    shared.run_until(shared.end());
    assert_eq!(shared.figures(), figures, "on three threads");
    figures
}

fn with_links(links: LinkSettings) -> Figures {
    run(Settings {
        links,
        publishing: Duration::from_secs(6),
        ..settings(1)
    })
}

fn with_churn(sessions: Sessions, state: State, announced: bool) -> Figures {
    run(Settings {
        churn: Churn {
            sessions,
            state,
            announced,
        },
        publishing: Duration::from_secs(20),
        ..settings(1)
    })
}

fn with_machines(of: Targets, faults: &[Fault]) -> Figures {
    let fault = |&fault: &Fault| MachineFault {
        fault,
        of: of.clone(),
    };
    run(Settings {
        machines: faults.iter().map(fault).collect(),
        publishing: Duration::from_secs(6),
        ..settings(1)
    })
}

fn between(from: f64, to: f64) -> Span {
    Span {
        from_s: Some(from),
        to_s: Some(to),
    }
}

fn partition(ways: Ways, during: Span) -> LinkSettings {
    LinkSettings {
        faults: vec![LinkFault {
            fault: LinkTrouble::Partition {
                of: Targets::Count(4),
                ways,
            },
            during,
        }],
        silence_s: 1.5,
        ..LinkSettings::default()
    }
}

#[test]
fn connections_cost_two_round_trips_and_four_kilobytes() {
    let mut world = World::new(settings(1)).unwrap();
    // Every latency is at least 20 ms, and a handshake takes four of them.
    world.run_until(Time::ZERO + Duration::from_millis(79));
    assert_eq!(world.figures().connections_per_peer, 0.0);
    world.run_until(world.end());
    let figures = world.figures();
    let per_peer = figures.control_ratio * figures.stream_bytes as f64;
    assert!(per_peer >= figures.connections_per_peer * 2048.0);
    assert!(per_peer < figures.connections_per_peer * 2048.0 + 500.0);
    assert_eq!(
        figures.handshakes_per_peer_per_min, 0.0,
        "all at the founding"
    );
}

#[test]
fn bursts_and_slow_lines_are_lived_through_or_felt() {
    let burst = with_links(LinkSettings {
        loss: Loss::Burst {
            share: 0.03,
            messages: 4.0,
            share_in_bad: 1.0,
        },
        ..LinkSettings::default()
    });
    assert!(burst.on_time_ratio > 0.9 && burst.repaired_ratio > 0.0);
    let line = |bits_per_s| LinkSettings {
        download: Rates::Constant { bits_per_s },
        ..LinkSettings::default()
    };
    // The stream has 200 kbit/s.
    assert!(with_links(line(2_000_000)).on_time_ratio > 0.99);
    assert!(with_links(line(100_000)).on_time_ratio < 0.5);
}

#[test]
fn who_is_cut_off_misses_the_stream_and_finds_back() {
    // Four of fifteen watchers miss the segments of two of six seconds, and some before they are back.
    let cut = with_links(partition(Ways::Both, between(2.0, 4.0)));
    assert!(
        (0.75..0.93).contains(&cut.on_time_ratio),
        "{}",
        cut.on_time_ratio
    );
    assert!(cut.handshakes_per_peer_per_min > 0.0, "they connect again");
    let whole = with_links(LinkSettings::default());
    assert_eq!(cut.connections_per_peer, whole.connections_per_peer);
    let short = with_links(partition(Ways::Both, between(2.0, 2.5)));
    assert!(short.on_time_ratio > cut.on_time_ratio);
    assert_eq!(
        short.handshakes_per_peer_per_min, 0.0,
        "too short to be noticed"
    );
    let deaf = with_links(partition(Ways::Inward, between(2.0, 4.0)));
    let mute = with_links(partition(Ways::Outward, between(2.0, 4.0)));
    let ratios = [deaf, mute].map(|figures| figures.on_time_ratio);
    // Who cannot speak still hears until it is taken for dead.
    assert!(ratios[0] < 0.99 && ratios[1] > ratios[0], "{ratios:?}");
}

#[test]
fn a_flooded_source_and_clogged_links_do_harm_while_they_last() {
    let fault = |fault| LinkSettings {
        faults: vec![LinkFault {
            fault,
            during: between(1.0, 2.0),
        }],
        ..LinkSettings::default()
    };
    let flooded = with_links(fault(LinkTrouble::DenialOfService {
        of: Targets::Source,
        share: 1.0,
    }));
    assert!(
        (0.7..0.95).contains(&flooded.on_time_ratio),
        "{}",
        flooded.on_time_ratio
    );
    let clogged = with_links(fault(LinkTrouble::Clogging {
        share: 1.0,
        clear_s: 0.0,
        clogged_s: 0.7,
    }));
    let plain = with_links(LinkSettings::default());
    assert!(clogged.latency_ms.max > plain.latency_ms.max);
    assert_eq!(clogged.delivered_ratio, 1.0, "nothing is lost");
}

#[test]
fn who_comes_back_is_served_again_whatever_it_remembers() {
    let leave = Sessions::MassDeparture {
        share: 0.25,
        at_s: 2.0,
        back_after_s: Some(3.0),
    };
    for (state, announced) in [
        (State::Lost, false),
        (State::Lost, true),
        (State::Kept, false),
        (State::Kept, true),
    ] {
        let figures = with_churn(leave.clone(), state, announced);
        assert_eq!(figures.departures, 4);
        // Away for 3 s, settling for 10 s, and 1.5 s before they left, of 20 s, a quarter of the peers.
        assert!(
            (0.15..0.21).contains(&figures.absent_ratio),
            "{}",
            figures.absent_ratio
        );
        assert!(figures.on_time_ratio > 0.99, "{state:?} {announced}");
        assert!(figures.handshakes_per_peer_per_min > 1.0);
        assert!(figures.bytes_identical);
    }
}

#[test]
fn a_crowd_that_comes_at_once_is_taken_in() {
    let crowd = Sessions::FlashCrowd {
        share: 0.5,
        at_s: 3.0,
        within_s: 1.0,
    };
    let figures = with_churn(crowd, State::Lost, false);
    assert!((0.2..0.4).contains(&figures.absent_ratio));
    assert!(figures.on_time_ratio > 0.99, "{}", figures.on_time_ratio);
}

#[test]
fn those_who_stay_are_served_while_others_come_and_go() {
    let poisson = Sessions::Poisson {
        per_minute: 1.0,
        away_s: 3.0,
    };
    let figures = with_churn(poisson, State::Lost, false);
    assert!(figures.departures > 2, "{}", figures.departures);
    assert!(figures.on_time_ratio > 0.98, "{}", figures.on_time_ratio);
}

#[test]
fn a_source_that_crashes_never_uses_a_number_twice() {
    let slow = Fault::SlowDisk {
        write_ms: 400.0,
        during: Span::default(),
    };
    let crash = |at_s, disk| Fault::Crash {
        at_s,
        back_after_s: Some(1.0),
        disk,
    };
    // While the first numbers are being noted, and long after.
    for at_s in [0.2, 2.1] {
        for disk in [DiskFate::Kept, DiskFate::Torn] {
            let figures = with_machines(Targets::Source, &[slow, crash(at_s, disk)]);
            // It is away for a second, and what waited for the disk is lost.
            let published = figures.segments_published;
            assert!((18..=20).contains(&published), "{published}");
            assert!(figures.bytes_identical);
            assert!(figures.delivered_ratio > 0.9, "{}", figures.delivered_ratio);
        }
    }
    let slow = with_machines(Targets::Source, &[slow]);
    assert_eq!(slow.segments_published, 24);
    let (slowest, usual) = (slow.latency_ms.max, run(settings(1)).latency_ms.max);
    assert!(
        slowest > usual.map(|ms| ms + 200.0),
        "{slowest:?} {usual:?}"
    );
}

#[test]
fn wrong_clocks_and_pauses_are_lived_through() {
    let jump = |by_ms| Fault::ClockJump { at_s: 2.0, by_ms };
    let drift = Fault::ClockDrift { ppm: 200_000.0 };
    for faults in [[jump(30_000.0), drift], [jump(-800.0), drift]] {
        let figures = with_machines(Targets::Share(0.3), &faults);
        assert!(figures.on_time_ratio > 0.95, "{}", figures.on_time_ratio);
    }
    let pause = |for_ms| Fault::Pause {
        every_s: 2.0,
        for_ms,
        during: Span::default(),
    };
    let short = with_machines(Targets::Share(0.3), &[pause(100.0)]);
    let long = with_machines(Targets::Share(0.3), &[pause(3_000.0)]);
    assert!(short.on_time_ratio > 0.97, "{}", short.on_time_ratio);
    assert!(long.on_time_ratio < short.on_time_ratio);
}
