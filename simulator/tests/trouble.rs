//! All that can happen to links and machines, read from text, in one world: it comes out the same however it is
//! run.

use hamlet_simulator::{
    Settings, World,
    behaviour::{Conduct, Kind},
    churn::Churn,
    links::LinkSettings,
    machines::MachineFault,
    settings::{Adversaries, Signatures},
    targets::Targets,
};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trouble {
    links: LinkSettings,
    churn: Churn,
    machines: Vec<MachineFault>,
}

const TROUBLE: &str = r#"
[links]
jitter_ms = 3.5
silence_s = 1.5
source_upload_bits_per_s = 4_000_000

[links.latency]
kind = "geographic"
shares = { london = 0.5, frankfurt = 0.3, toronto = 0.2 }

[links.loss]
kind = "burst"
share = 0.01
messages = 3

[links.upload]
kind = "classes"
classes = [{ share = 0.8 }, { share = 0.2, bits_per_s = 1_000_000 }]

[links.download]
kind = "lognormal"
median_bits_per_s = 8_000_000
sigma = 0.5
low_bits_per_s = 2_000_000

[[links.faults]]
fault = { kind = "partition", of = { clusters = 1 } }
during = { from_s = 1, to_s = 2.5 }

[[links.faults]]
fault = { kind = "one_way", share = 0.05 }

[[links.faults]]
fault = { kind = "flapping", share = 0.1, up_s = 2, down_s = 0.5 }

[[links.faults]]
fault = { kind = "clogging", share = 0.1, clear_s = 2, clogged_s = 0.5 }

[[links.faults]]
fault = { kind = "denial_of_service", of = { count = 1 }, share = 0.5 }

[churn]
sessions = { kind = "poisson", per_minute = 3, away_s = 2 }
state = "lost"
announced = false

[[machines]]
of = "source"
fault = { kind = "slow_disk", write_ms = 30 }

[[machines]]
of = { share = 0.1 }
fault = { kind = "crash", at_s = 2, back_after_s = 1, disk = "torn" }

[[machines]]
of = { share = 0.2 }
fault = { kind = "clock_drift", ppm = 300 }

[[machines]]
of = "all"
fault = { kind = "clock_jump", at_s = 3, by_ms = -20 }

[[machines]]
of = { share = 0.2 }
fault = { kind = "pause", every_s = 1, for_ms = 100 }
"#;

fn settings(verify_all: bool) -> Settings {
    let Trouble {
        links,
        churn,
        machines,
    } = toml::from_str(TROUBLE).unwrap();
    Settings {
        seed: 11,
        bits_per_s: 200_000,
        adversaries: vec![Adversaries::new(0.1, Conduct::only(Kind::Silent))],
        signatures: Signatures::Simulated,
        links,
        churn,
        machines,
        verify_all,
        ..Settings::usual(32, Duration::from_secs(4))
    }
}

#[test]
fn a_world_in_all_trouble_at_once_comes_out_the_same_however_it_is_run() {
    let run = |verify_all, threads| {
        let mut world = World::with_threads(settings(verify_all), threads).unwrap();
        world.run_until(world.end());
        assert_eq!(world.violations(), []);
        world.figures()
    };
    let first = run(false, 1);
    assert!(first.departures > 3 && first.handshakes_per_peer_per_min > 1.0);
    assert!(first.bytes_identical && first.delivered_ratio > 0.1);
    for (verify_all, threads) in [(false, 1), (false, 1), (false, 2), (true, 1), (true, 2)] {
        assert_eq!(run(verify_all, threads), first, "{verify_all} {threads}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_its_place() {
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(false);
        change(&mut settings);
        World::new(settings).err().unwrap().to_string()
    };
    let error = refused(&|settings| settings.links.silence_s = -1.0);
    assert!(error.starts_with("links.silence_s: "), "{error}");
    let error = refused(&|settings| settings.links.faults[3].during.from_s = Some(f64::NAN));
    assert!(
        error.starts_with("links.faults[3].during.from_s: "),
        "{error}"
    );
    let error = refused(&|settings| settings.machines[1].of = Targets::Share(2.0));
    assert!(error.starts_with("machines[1].of.share: "), "{error}");
}

#[test]
fn unknown_words_are_refused() {
    for wrong in [
        "latency = { kind = 'constant', ms = 3, s = 1 }",
        "latency = { kind = 'magic' }",
        "los = { kind = 'none' }",
    ] {
        assert!(toml::from_str::<LinkSettings>(wrong).is_err(), "{wrong}");
    }
}
