//! `hamlet-lab giving`: who would be put out of his cluster for giving too little, and what giving less earns.

use crate::{Outcome, interrupt, json, parallel, scenario::Overrides};
use clap::Args;
use hamlet_simulator::{
    Settings, Time, World,
    settings::SettingsError,
    world::{Dealings, MEDIAN_MAX},
};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Show who would be put out for giving too little, and what giving less earns
///
/// Every second it takes, for each peer, the median of what its fellow members would report of it: how many of the last 16
/// shards that it owed it gave (rules G7 and W11). Byzantine members report the worst: that honest ones gave nothing, and Byzantine
/// ones everything. Nobody is put out here, so all are judged to the end. The first table shows whose median was ever below
/// some threshold (the protocol's is 4). The second shows the mean share that medians lack, and what peers sent and
/// received over the stream's bytes. `modelled` are false removals per peer and hour if a peer lacked each shard by itself with the
/// probability that it showed: then two new shards a second are owed, and each may be the one that leaves fewer than 4 of 16.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    hamlet-lab giving --peers 960 --byzantine 0.3 --seconds 40 --seeds 1..5\n  \
    hamlet-lab giving --peers 960 --loss 0.02 --seconds 60 --json -\n  \
    hamlet-lab giving --peers 960 --byzantine 0.01 --behavior partial:45")]
pub struct Arguments {
    /// What world
    #[command(flatten)]
    world: Overrides,
    /// Where to write the figures as JSON; `-` is the standard output, and then the tables go nowhere
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// The thresholds shown.
const THRESHOLDS: [u8; 6] = [2, 4, 6, 8, 10, 12];
/// The protocol's: below it a peer is put out.
const PUT_OUT: u8 = 4;
/// How long accounts take to fill.
const FILLING: Duration = Duration::from_secs(20);
/// Shards that a peer owes a fellow in an hour, at four segments a second, half of whose shards are owed.
const OWED_PER_HOUR: f64 = 7_200.0;

/// The figures of one world.
#[derive(Serialize)]
struct Figures {
    seed: u64,
    peers: usize,
    byzantine: usize,
    seconds: f64,
    honest_peer_hours: f64,
    honest_median_lowest: u8,
    thresholds: Vec<Threshold>,
    honest: Part,
    byzantine_part: Part,
}

/// Who fell below a threshold.
#[derive(Clone, Serialize)]
struct Threshold {
    below: u8,
    honest: usize,
    honest_per_peer_hour: f64,
    byzantine_ratio: f64,
    /// From the first segment until half of the Byzantine peers had been below.
    half_of_byzantine_ms: Option<u64>,
}

/// How some of the peers fared.
#[derive(Clone, Copy, Default, Serialize)]
struct Part {
    peers: usize,
    lacking_ratio_mean: f64,
    lacking_ratio_worst: f64,
    modelled_removals_per_peer_hour: f64,
    received_ratio: f64,
    sent_ratio: f64,
    /// Stream received per byte sent.
    received_per_sent_ratio: f64,
}

/// What is known of one peer.
#[derive(Clone, Default)]
struct Seen {
    /// How often it was below a threshold first, by the threshold: the time, in milliseconds.
    below_ms: [Option<u64>; THRESHOLDS.len()],
    lowest: u8,
    lacking: u64,
    looks: u64,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let scenario = arguments.world.scenario()?;
    interrupt::listen()?;
    let seeds: Vec<u64> = scenario.seeds.iter().collect();
    let all = parallel::map(&seeds, |&seed| {
        watch(scenario.settings(seed)).map_err(|problem| problem.to_string())
    });
    let all = all.into_iter().collect::<Result<Vec<Figures>, String>>()?;
    if let Some(path) = &arguments.json {
        json::write(path, &all)?;
    }
    if arguments.json.as_deref() != Some("-".as_ref()) {
        all.iter().for_each(print);
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn watch(settings: Settings) -> Result<Figures, SettingsError> {
    let began = Time::ZERO + Settings::WARM_UP;
    let (seed, publishing) = (settings.seed, settings.publishing);
    let mut world = World::new(settings)?;
    let mut seen = vec![
        Seen {
            lowest: MEDIAN_MAX,
            ..Seen::default()
        };
        world.settings().peers
    ];
    let end = began + publishing;
    let mut now = began;
    while now < end && !interrupt::asked() {
        now = end.min(now + Duration::from_secs(1));
        world.run_until(now);
        let since = now.since(began);
        for (seen, median) in seen.iter_mut().zip(world.medians()) {
            seen.look(median, since);
        }
    }
    let streamed = world.scene().all_published().iter();
    let streamed: usize = streamed.map(|segment| segment.first.payload.len()).sum();
    let peers: Vec<(Seen, Dealings)> = seen.into_iter().zip(world.dealings()).collect();
    let byzantine = peers.iter().filter(|(_, of)| of.byzantine).count();
    let hours = (peers.len() - byzantine) as f64 * now.since(began).as_secs_f64() / 3600.0;
    let thresholds = (0..THRESHOLDS.len()).map(|number| threshold(&peers, number, hours));
    let honest = peers.iter().filter(|(_, of)| !of.byzantine);
    Ok(Figures {
        seed,
        peers: peers.len(),
        byzantine,
        seconds: now.since(began).as_secs_f64(),
        honest_peer_hours: hours,
        honest_median_lowest: honest
            .map(|(seen, _)| seen.lowest)
            .min()
            .unwrap_or(MEDIAN_MAX),
        thresholds: thresholds.collect(),
        honest: part(&peers, streamed, false),
        byzantine_part: part(&peers, streamed, true),
    })
}

impl Seen {
    fn look(&mut self, median: u8, since: Duration) {
        for (below, threshold) in self.below_ms.iter_mut().zip(THRESHOLDS) {
            if median < threshold {
                below.get_or_insert(since.as_millis() as u64);
            }
        }
        self.lowest = self.lowest.min(median);
        if since > FILLING {
            self.lacking += u64::from(MEDIAN_MAX - median);
            self.looks += 1;
        }
    }

    /// The share of what it owed that its medians lack, in the mean over time.
    fn lacking_ratio(&self) -> f64 {
        let all = self.looks * u64::from(MEDIAN_MAX);
        self.lacking as f64 / all.max(1) as f64
    }
}

fn threshold(peers: &[(Seen, Dealings)], number: usize, hours: f64) -> Threshold {
    let of = |byzantine: bool| {
        let some = peers
            .iter()
            .filter(move |(_, of)| of.byzantine == byzantine);
        some.map(|(seen, _)| seen.below_ms[number])
    };
    let honest = of(false).flatten().count();
    let byzantine = of(true).count();
    let mut times: Vec<u64> = of(true).flatten().collect();
    times.sort_unstable();
    Threshold {
        below: THRESHOLDS[number],
        honest,
        honest_per_peer_hour: honest as f64 / hours.max(f64::MIN_POSITIVE),
        byzantine_ratio: times.len() as f64 / byzantine.max(1) as f64,
        half_of_byzantine_ms: byzantine
            .div_ceil(2)
            .checked_sub(1)
            .and_then(|half| times.get(half).copied()),
    }
}

fn part(peers: &[(Seen, Dealings)], streamed: usize, byzantine: bool) -> Part {
    let some = peers.iter();
    let some = some.filter(|(_, of)| of.byzantine == byzantine && !of.source);
    let some: Vec<&(Seen, Dealings)> = some.collect();
    let count = some.len().max(1) as f64;
    let lacking = || some.iter().map(|(seen, _)| seen.lacking_ratio());
    let bytes = |of: &dyn Fn(&Dealings) -> u64| {
        let bytes: u64 = some.iter().map(|(_, dealings)| of(dealings)).sum();
        bytes as f64 / count / streamed.max(1) as f64
    };
    let (received, sent) = (bytes(&|of| of.received_bytes), bytes(&|of| of.sent_bytes));
    Part {
        peers: some.len(),
        lacking_ratio_mean: lacking().sum::<f64>() / count,
        lacking_ratio_worst: lacking().fold(0.0, f64::max),
        modelled_removals_per_peer_hour: lacking().map(modelled).sum::<f64>() / count,
        received_ratio: received,
        sent_ratio: sent,
        received_per_sent_ratio: received / sent.max(f64::MIN_POSITIVE),
    }
}

/// How often in an hour fewer than the threshold of the last shards were given, at most, where each is missing by itself with
/// this probability.
fn modelled(lacking: f64) -> f64 {
    OWED_PER_HOUR * tail(MEDIAN_MAX, MEDIAN_MAX - PUT_OUT + 1, lacking)
}

/// The chance of at least so many hits in so many tries.
fn tail(tries: u8, least: u8, chance: f64) -> f64 {
    let exactly = |hits: u8| {
        let ways = (0..hits).fold(1.0, |ways, number| {
            ways * f64::from(tries - number) / f64::from(number + 1)
        });
        ways * chance.powi(hits.into()) * (1.0 - chance).powi((tries - hits).into())
    };
    (least..=tries).map(exactly).sum()
}

fn print(figures: &Figures) {
    println!(
        "seed {}: {} peers, {} of them Byzantine, {:.0} s, {:.2} honest peer-hours; the lowest median of an honest peer is {}",
        figures.seed,
        figures.peers,
        figures.byzantine,
        figures.seconds,
        figures.honest_peer_hours,
        figures.honest_median_lowest,
    );
    println!("| below | honest | per peer and hour | of Byzantine | half of them after, s |");
    for row in &figures.thresholds {
        let half = row.half_of_byzantine_ms;
        let half = half.map_or("–".to_owned(), |ms| format!("{:.0}", ms as f64 / 1e3));
        println!(
            "| {:5} | {:6} | {:17.4} | {:12.3} | {half:>21} |",
            row.below, row.honest, row.honest_per_peer_hour, row.byzantine_ratio,
        );
    }
    println!(
        "|           | lacking, mean | worst  | modelled  | received | sent   | received per sent |"
    );
    for (name, part) in [
        ("honest", &figures.honest),
        ("Byzantine", &figures.byzantine_part),
    ] {
        println!(
            "| {name:9} | {:13.4} | {:.4} | {:.3e} | {:8.4} | {:6.3} | {:17.3} |",
            part.lacking_ratio_mean,
            part.lacking_ratio_worst,
            part.modelled_removals_per_peer_hour,
            part.received_ratio,
            part.sent_ratio,
            part.received_per_sent_ratio,
        );
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_the_binomial_distribution() {
        assert!((tail(32, 0, 0.3) - 1.0).abs() < 1e-12);
        assert!((tail(3, 2, 0.5) - 0.5).abs() < 1e-12);
        assert!((tail(2, 1, 0.1) - 0.19).abs() < 1e-12);
        assert_eq!(tail(16, 13, 0.0), 0.0);
        assert!(modelled(0.02) < 1e-12 && modelled(0.5) > 1.0);
    }
}
