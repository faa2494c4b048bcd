//! Where liars come to sit: how many clusters they capture in an hour, and how far they get in one that they all want to join.

use super::row::{self, Row};
use crate::{Outcome, interrupt, json};
use clap::Args;
use hamlet_consensus::FaultModel;
use hamlet_simulator::placement::{Crossing, Placed, Placement, Policy, Settings};
use serde::Serialize;
use std::{fmt, path::PathBuf, process::ExitCode};

/// Models joins, leaves and moves of a large network, and shows where liars come to sit.
///
/// Memberships alone are modelled, by the walks of the protocol over random cycles. Liars never leave a captured cluster of
/// their own will. What such a cluster can do with their walks that come to it: pass, nothing; keep, it lets them end there;
/// shove, it sends them to the neighbour that is nearest to being captured, as if that were the last step. The policies: none; own-lease, members walk again when a
/// lease has run out, but captured clusters let their own stay (as the protocol does now); lease, others notice who has none;
/// swap, one member changes places for every join and leave; cuckoo, for every join two walk elsewhere; exchange, for
/// every join and leave all members change places (as in Atum).
///
/// The first table: the clusters over their bound at the founding, after the time modelled and at most, and moves per
/// peer and hour. The second: all liars who are not in one cluster leave and join again, one after the other, until so many
/// have; the highest share of liars in it, and the highest where as many
/// join, whoever they are.
///
/// Example:
///   hamlet-lab bench placement --byzantine 0.3 --minutes 60 --seeds 5
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Clusters of the network.
    #[arg(long, value_name = "COUNT", default_value_t = 320, value_parser = clap::value_parser!(u32).range(8..=10_000))]
    clusters: u32,
    /// Members of a cluster; it takes half as many more.
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u8).range(4..=128))]
    size: u8,
    /// Shares of Byzantine peers.
    #[arg(long, value_name = "SHARE,…", value_delimiter = ',', default_value = "0.2,0.3", value_parser = share)]
    byzantine: Vec<f64>,
    /// How much time is modelled, in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// How long a lease lasts, in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    lease_minutes: u32,
    /// This share of the honest peers leaves every minute, and as many join.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    churn_per_minute: f64,
    /// Shares of liars who attack one cluster.
    #[arg(long, value_name = "SHARE,…", value_delimiter = ',', default_value = "0.1,0.2", value_parser = share)]
    attackers: Vec<f64>,
    /// How often one of them joins, all told, and per minute.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    joins: u32,
    #[arg(long, value_name = "COUNT", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    joins_per_minute: u32,
    /// How many seeds, from --seed on: means, and the worst.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.5).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 0.5".to_owned()),
    }
}

const POLICIES: [(&str, Policy); 6] = [
    ("none", Policy::None),
    ("own-lease", Policy::OwnLease),
    ("lease", Policy::Lease),
    ("swap", Policy::Swap),
    ("cuckoo", Policy::Cuckoo(2)),
    ("exchange", Policy::ExchangeAll),
];

const CROSSINGS: [(&str, Crossing); 3] = [
    ("pass", Crossing::Pass),
    ("keep", Crossing::Keep),
    ("shove", Crossing::Shove),
];

/// What is modelled in one row.
#[derive(Clone, Copy)]
struct Case {
    byzantine: f64,
    policy: (&'static str, Policy),
    crossing: (&'static str, Crossing),
}

/// Clusters that are captured in time.
#[derive(Serialize)]
struct Held {
    byzantine_ratio: f64,
    policy: &'static str,
    crossing: &'static str,
    captured_first_ratio: f64,
    captured_last_ratio: f64,
    captured_most_ratio: f64,
    worst_seed: u64,
    honest_in_captured_ratio: f64,
    moves_per_peer_per_hour: f64,
}

impl Row for Held {
    const HEAD: &str = "byzantine policy    crossing captured_first captured_last captured_most worst_seed  honest_in_captured moves_per_peer_per_hour";

    fn line(&self) -> String {
        format!(
            "{:9.2} {:9} {:8} {:14.4} {:13.4} {:13.4} {:10}  {:18.4} {:23.1}",
            self.byzantine_ratio,
            self.policy,
            self.crossing,
            self.captured_first_ratio,
            self.captured_last_ratio,
            self.captured_most_ratio,
            self.worst_seed,
            self.honest_in_captured_ratio,
            self.moves_per_peer_per_hour
        )
    }
}

/// How far an attack on one cluster gets.
#[derive(Serialize)]
struct Attacked {
    byzantine_ratio: f64,
    policy: &'static str,
    crossing: &'static str,
    joins: u32,
    highest_ratio: f64,
    worst_seed: u64,
    by_chance_ratio: f64,
    moves_per_join: f64,
}

impl Row for Attacked {
    const HEAD: &str = "byzantine policy    crossing   joins highest_ratio worst_seed by_chance_ratio  moves_per_join";

    fn line(&self) -> String {
        format!(
            "{:9.2} {:9} {:8} {:7} {:13.3} {:10} {:15.3} {:15.1}",
            self.byzantine_ratio,
            self.policy,
            self.crossing,
            self.joins,
            self.highest_ratio,
            self.worst_seed,
            self.by_chance_ratio,
            self.moves_per_join
        )
    }
}

#[derive(Serialize)]
struct Figures {
    clusters: u32,
    size: u8,
    minutes: u32,
    lease_minutes: u32,
    churn_per_minute: f64,
    seeds: u64,
    held: Vec<Held>,
    attacked: Vec<Attacked>,
}

/// Runs the model and prints what it came to.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut figures = Figures {
        clusters: arguments.clusters,
        size: arguments.size,
        minutes: arguments.minutes,
        lease_minutes: arguments.lease_minutes,
        churn_per_minute: arguments.churn_per_minute,
        seeds: arguments.seeds,
        held: Vec::new(),
        attacked: Vec::new(),
    };
    for case in cases(&arguments.byzantine) {
        eprintln!("{case}");
        figures.held.extend(hold(&arguments, case));
    }
    for case in cases(&arguments.attackers) {
        eprintln!("{case}, who attack one cluster");
        figures.attacked.extend(attack(&arguments, case));
    }
    row::print(&figures.held);
    row::print(&figures.attacked);
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn cases(shares: &[f64]) -> impl Iterator<Item = Case> {
    shares.iter().flat_map(|&byzantine| {
        POLICIES.into_iter().flat_map(move |policy| {
            CROSSINGS.into_iter().map(move |crossing| Case {
                byzantine,
                policy,
                crossing,
            })
        })
    })
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (policy, crossing) = (self.policy.0, self.crossing.0);
        write!(
            f,
            "policy {policy}, crossing {crossing}, {} Byzantine",
            self.byzantine
        )
    }
}

fn model(arguments: &Arguments, case: Case, seed: u64) -> Placement {
    let size = usize::from(arguments.size);
    Placement::new(Settings {
        clusters: arguments.clusters as usize,
        size,
        slots: size * 3 / 2,
        cycles: 3,
        byzantine: case.byzantine,
        model: FaultModel::Synchrony,
        lease_minutes: arguments.lease_minutes.into(),
        churn_per_minute: arguments.churn_per_minute,
        policy: case.policy.1,
        crossing: case.crossing.1,
        seed,
    })
}

/// What liars hold after a while; nothing if Ctrl-C was pressed meanwhile.
fn hold(arguments: &Arguments, case: Case) -> Option<Held> {
    let mut row = Held {
        byzantine_ratio: case.byzantine,
        policy: case.policy.0,
        crossing: case.crossing.0,
        captured_first_ratio: 0.0,
        captured_last_ratio: 0.0,
        captured_most_ratio: 0.0,
        worst_seed: 0,
        honest_in_captured_ratio: 0.0,
        moves_per_peer_per_hour: 0.0,
    };
    let share = 1.0 / arguments.seeds as f64;
    let peers = f64::from(arguments.clusters) * f64::from(arguments.size);
    let hours = f64::from(arguments.minutes) / 60.0;
    for seed in arguments.seed..arguments.seed + arguments.seeds {
        let mut model = model(arguments, case, seed);
        row.captured_first_ratio += share * model.placed().captured_ratio;
        for _ in 0..arguments.minutes {
            if interrupt::asked() {
                return None;
            }
            model.pass(1.0);
            let now = model.placed().captured_ratio;
            if now > row.captured_most_ratio || row.worst_seed == 0 {
                (row.captured_most_ratio, row.worst_seed) = (now, seed);
            }
        }
        let Placed {
            captured_ratio,
            honest_in_captured_ratio,
            moves,
            ..
        } = model.placed();
        row.captured_last_ratio += share * captured_ratio;
        row.honest_in_captured_ratio += share * honest_in_captured_ratio;
        row.moves_per_peer_per_hour += share * moves as f64 / peers / hours;
    }
    Some(row)
}

/// How far liars get who all want to come to one cluster; nothing if Ctrl-C was pressed meanwhile.
fn attack(arguments: &Arguments, case: Case) -> Option<Attacked> {
    let mut row = Attacked {
        byzantine_ratio: case.byzantine,
        policy: case.policy.0,
        crossing: case.crossing.0,
        joins: arguments.joins,
        highest_ratio: 0.0,
        worst_seed: 0,
        by_chance_ratio: 0.0,
        moves_per_join: 0.0,
    };
    for seed in arguments.seed..arguments.seed + arguments.seeds {
        let highest = |attacks: bool| {
            let mut model = model(arguments, case, seed);
            let mut highest: f64 = 0.0;
            for join in 1..=arguments.joins {
                match attacks {
                    true => model.attack(),
                    false => model.wander(),
                }
                if join % arguments.joins_per_minute.div_ceil(6).max(1) == 0 {
                    if interrupt::asked() {
                        return None;
                    }
                    model.pass(1.0 / 6.0);
                }
                highest = highest.max(model.placed().target_ratio);
            }
            Some((highest, model.placed().moves))
        };
        let (attacked, moves) = highest(true)?;
        let (quiet, _) = highest(false)?;
        if attacked > row.highest_ratio || row.worst_seed == 0 {
            (row.highest_ratio, row.worst_seed) = (attacked, seed);
        }
        row.by_chance_ratio = row.by_chance_ratio.max(quiet);
        row.moves_per_join += moves as f64 / f64::from(arguments.joins) / arguments.seeds as f64;
    }
    Some(row)
}
