//! Small worlds with several sources, with sources that lie, and with sources that are moved.

use super::{World, tests::settings};
use crate::{
    Figures,
    behaviour::{Conduct, Kind},
    links::{Line, LinkSettings, Rates},
    machines::{DiskFate, Fault, MachineFault},
    moves::Move,
    publisher::{Publishing, SourceSettings},
    settings::{Adversaries, Settings, Signatures},
    targets::Targets,
};
use hamlet_overlay::{genesis::Parameters, io::Refusal, time::Duration};

/// The figures, which are the same on three threads; no rule is broken.
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

fn with_source(behavior: Publishing, from_s: f64, streams: usize) -> Figures {
    run(Settings {
        streams,
        source: SourceSettings { behavior, from_s },
        publishing: Duration::from_secs(6),
        ..settings(1)
    })
}

#[test]
fn several_streams_are_served_at_once() {
    let figures = with_source(Publishing::Honest, 0.0, 3);
    assert_eq!((figures.streams, figures.segments_published), (3, 72));
    assert_eq!(figures.stream_bytes, 3 * 24 * 6_250);
    assert_eq!(figures.on_time_ratio, 1.0);
    assert!(figures.bytes_identical);
    assert_eq!(figures.stopped_ratio, 0.0);
    // A source publishes one of the streams and relays two, so it gives less than one who publishes all.
    let alone = with_source(Publishing::Honest, 0.0, 1);
    assert!(figures.source_upload_ratio < alone.source_upload_ratio);
}

#[test]
fn a_source_with_two_stories_is_stopped_by_all_and_the_other_streams_go_on() {
    let figures = with_source(Publishing::Equivocating, 2.0, 2);
    assert_eq!((figures.byzantine, figures.stopped_ratio), (1, 1.0));
    // A path through the network takes a few links of at most 100 ms.
    assert!(figures.stopped_after_ms.unwrap() < 600.0, "{figures:?}");
    // Of the first stream a third is told truly, until both stories meet; nothing of the other is lost.
    let whole = with_source(Publishing::Honest, 2.0, 2);
    assert_eq!(whole.delivered_ratio, 1.0);
    let told = figures.segments_published;
    assert!(
        told > 24 && told < 48,
        "a stopped stream cannot be published: {told}"
    );
    let of_other = 24.0 / told as f64;
    assert!(
        figures.delivered_ratio > of_other,
        "{}",
        figures.delivered_ratio
    );
    let first = with_source(Publishing::Equivocating, 2.0, 1);
    assert!(first.delivered_ratio > 0.5, "{}", first.delivered_ratio);
}

#[test]
fn a_source_over_its_rate_is_cut_down_to_it() {
    let figures = with_source(Publishing::OverRate(8), 1.0, 1);
    assert_eq!(figures.byzantine, 1);
    assert!(figures.refused[&Refusal::OverRate] > 0);
    assert_eq!(figures.stopped_ratio, 0.0, "that proves nothing");
    assert!(figures.delivered_ratio < 0.9, "{}", figures.delivered_ratio);
    // What relays carry is bound by the certificate (E2), whatever the source sends.
    let certified = 200_000.0 * 1.25 / 8.0;
    let most = certified * (10.0 + 1.1 * 12.0);
    let carried = figures.upload_ratio_mean * figures.stream_bytes as f64;
    assert!(carried < 2.0 * most, "{carried} bytes, of {most} certified");
}

#[test]
fn a_source_that_lost_its_disk_goes_on_above_all_that_it_said_before() {
    let crash = MachineFault {
        of: Targets::Source,
        fault: Fault::Crash {
            at_s: 2.1,
            back_after_s: Some(1.0),
            disk: DiskFate::Lost,
        },
    };
    let figures = run(Settings {
        machines: vec![crash],
        publishing: Duration::from_secs(8),
        ..settings(1)
    });
    assert_eq!(figures.byzantine, 0, "it is unlucky, not malicious");
    assert_eq!(figures.stopped_ratio, 0.0, "{figures:?}");
    assert!(figures.bytes_identical && figures.delivered_ratio > 0.9);
}

#[test]
fn a_source_whose_fellows_are_liars_is_heard_all_the_same() {
    let captured = Adversaries {
        among: Some(Targets::SourceCluster),
        ..Adversaries::new(1.0, Conduct::only(Kind::Silent))
    };
    let figures = run(Settings {
        adversaries: vec![captured],
        publishing: Duration::from_secs(6),
        ..settings(1)
    });
    assert_eq!(
        figures.byzantine, 3,
        "all fellow members in a cluster of four"
    );
    assert!(figures.captured_cluster_share > 0.0);
    assert!(figures.on_time_ratio > 0.99, "{}", figures.on_time_ratio);
}

#[test]
fn liars_around_a_source_cannot_talk_it_out_of_its_parity() {
    let silent = |share, among| Adversaries {
        among,
        ..Adversaries::new(share, Conduct::only(Kind::Silent))
    };
    let usual = Settings::usual(256, Duration::from_secs(5));
    let mut world = World::new(Settings {
        adversaries: vec![
            silent(0.667, Some(Targets::SourceCluster)),
            silent(0.3, None),
        ],
        bits_per_s: 200_000,
        parameters: Parameters {
            g_min: 16,
            g_max: 32,
            n: 32,
            k: 16,
            ..usual.parameters
        },
        ..usual
    })
    .unwrap();
    world.run_until(world.end());
    assert_eq!(world.violations(), []);
    let on_time = world.figures().on_time_ratio;
    assert!(on_time > 0.95, "{on_time}");
}

#[test]
fn a_source_and_others_that_are_moved_miss_nothing() {
    let moves = |of| Move {
        at_s: 1.0,
        every_s: Some(3.5),
        of,
    };
    for of in [Targets::Source, Targets::Share(0.5)] {
        let figures = run(Settings {
            moves: vec![moves(of)],
            publishing: Duration::from_secs(9),
            ..settings(1)
        });
        assert!(
            figures.handshakes_per_peer_per_min > 0.0,
            "they connect anew"
        );
        assert_eq!(figures.delivered_ratio, 1.0);
        assert!(figures.on_time_ratio > 0.99, "{}", figures.on_time_ratio);
    }
}

#[test]
fn who_uploads_half_the_stream_is_not_taken_for_a_liar() {
    let line = |share, bits_per_s| Line { share, bits_per_s };
    let slow = |share| {
        run(Settings {
            links: LinkSettings {
                upload: Rates::Classes {
                    classes: vec![line(share, Some(100_000)), line(1.0 - share, None)],
                },
                ..LinkSettings::default()
            },
            bits_per_s: 200_000,
            signatures: Signatures::Simulated,
            ..Settings::usual(32, Duration::from_secs(8))
        })
    };
    let figures = slow(0.3);
    // Nobody counts on the slow any more, they send no more than they can, and are served like all others.
    let called = figures.honest_called_silent_ratio;
    assert!((0.1..0.4).contains(&called), "{called}");
    assert_eq!(figures.delivered_ratio, 1.0);
    let worst = figures.on_time_ratio_worst_peer;
    assert!(worst > 0.95, "{worst}");
    assert_eq!(figures.refused.get(&Refusal::Distrusted), None);
    assert_eq!(slow(0.0).honest_called_silent_ratio, 0.0, "nobody is slow");
}
