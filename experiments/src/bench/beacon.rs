//! What a cluster's beacon costs, and what colluders make of it.

use super::row::{self, Row};
use crate::{Outcome, interrupt, json, process};
use clap::Args;
use hamlet_consensus::{
    FaultModel,
    beacon::{Contribution, Key, Round, SecretKey, lottery::Lottery},
    hash::Hash,
    member::Member,
    wire,
};
use hamlet_simulator::beacon::{Game, Setup, choices, suits};
use serde::Serialize;
use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

/// Measures both kinds of beacon: secrets that are dealt and reconstructed, and draws of a verifiable random function.
///
/// Sizes are those of contributions in the log; times are processor time of one thread. Then colluders who hear everything
/// first and order the log try to get a value that suits them, half of all values: the ratio of beacons that do is 0.5
/// if they gain nothing. Rows with one colluder more than may be faulty show that they do try.
///
/// Example:
///   hamlet-lab bench beacon --rounds 400 --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Beacons for each figure of bias.
    #[arg(long, value_name = "COUNT", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The seed that keys follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// What members put into the log for one beacon, and how long that takes.
#[derive(Serialize)]
struct Cost {
    members: u8,
    faults: usize,
    dealing_bytes: usize,
    share_bytes: usize,
    /// Of the `f + 1` dealings and `f + 1` shares that it takes.
    shared_beacon_bytes: usize,
    deal_us: f64,
    verify_dealing_us: f64,
    share_us: f64,
    verify_share_us: f64,
    /// For a member that executes all of it.
    shared_beacon_us: f64,
    draw_bytes: usize,
    /// Of the `n − f` draws that it takes.
    drawn_beacon_bytes: usize,
    draw_us: f64,
    verify_draw_us: f64,
}

impl Row for Cost {
    const HEAD: &str = "members faults  dealing_bytes share_bytes shared_beacon_bytes deal_us verify_dealing_us share_us verify_share_us shared_beacon_us  draw_bytes drawn_beacon_bytes draw_us verify_draw_us";

    fn line(&self) -> String {
        format!(
            "{:7} {:6}  {:13} {:11} {:19} {:7.0} {:17.0} {:8.0} {:15.0} {:16.0}  {:10} {:18} {:7.0} {:14.0}",
            self.members,
            self.faults,
            self.dealing_bytes,
            self.share_bytes,
            self.shared_beacon_bytes,
            self.deal_us,
            self.verify_dealing_us,
            self.share_us,
            self.verify_share_us,
            self.shared_beacon_us,
            self.draw_bytes,
            self.drawn_beacon_bytes,
            self.draw_us,
            self.verify_draw_us
        )
    }
}

/// How often colluders get what suits them.
#[derive(Serialize)]
struct Bias {
    kind: &'static str,
    members: u8,
    faults: usize,
    colluders: usize,
    rounds: u32,
    suited_ratio: f64,
    /// What it is expected to be.
    expected_ratio: f64,
}

impl Row for Bias {
    const HEAD: &str = "kind   members faults colluders rounds  suited_ratio expected_ratio";

    fn line(&self) -> String {
        format!(
            "{:6} {:7} {:6} {:9} {:6}  {:12.4} {:14.4}",
            self.kind,
            self.members,
            self.faults,
            self.colluders,
            self.rounds,
            self.suited_ratio,
            self.expected_ratio
        )
    }
}

#[derive(Default, Serialize)]
struct Figures {
    costs: Vec<Cost>,
    biases: Vec<Bias>,
}

/// Measures and prints.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut figures = Figures::default();
    for members in [4, 7, 16, 32, 64] {
        eprintln!("measuring costs, {members} members");
        figures.costs.push(cost(members)?);
    }
    'all: for members in [4, 7, 16] {
        let faults = FaultModel::PartialSynchrony.faults(members.into());
        for (kind, colluders) in [
            ("shared", 0),
            ("shared", faults),
            ("shared", faults + 1),
            ("drawn", 0),
            ("drawn", faults),
        ] {
            if interrupt::asked() {
                break 'all;
            }
            eprintln!("measuring bias, {kind}, {members} members, {colluders} colluders");
            let setup = Setup {
                members,
                faults,
                colluders,
            };
            (figures.biases).push(bias(kind, setup, arguments.seed, arguments.rounds));
        }
    }
    row::print(&figures.costs);
    row::print(&figures.biases);
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn bias(kind: &'static str, setup: Setup, seed: u64, rounds: u32) -> Bias {
    let mut game = Game::new(setup, seed);
    let play = match kind {
        "shared" => Game::shared,
        _ => Game::drawn,
    };
    let mut done = 0;
    let mut suited = 0;
    while done < rounds && !interrupt::asked() {
        done += 1;
        suited += u32::from(suits(play(&mut game)));
    }
    // Who can choose among so many values gets one that suits unless none does.
    let choices = match (kind, setup.colluders) {
        ("drawn", 1..) => choices(setup.members, setup.faults),
        ("shared", colluders) if colluders > setup.faults => setup.members as usize - colluders,
        _ => 1,
    };
    Bias {
        kind,
        members: setup.members,
        faults: setup.faults,
        colluders: setup.colluders,
        rounds: done,
        suited_ratio: f64::from(suited) / f64::from(done.max(1)),
        expected_ratio: 1.0 - 0.5f64.powi(choices as i32),
    }
}

/// The processor time of one of some runs, in microseconds, and what the last gave.
fn timed<T>(runs: u32, mut run: impl FnMut() -> T) -> (f64, T) {
    let cpu = || process::thread_cpu_time().unwrap_or_default();
    let began: Duration = cpu();
    for _ in 1..runs {
        std::hint::black_box(run());
    }
    let last = run();
    (1e6 * (cpu() - began).as_secs_f64() / f64::from(runs), last)
}

fn cost(members: u8) -> Result<Cost, Box<dyn Error>> {
    const RUNS: u32 = 20;
    let faults = FaultModel::PartialSynchrony.faults(members.into());
    let secrets: Vec<SecretKey> = (0..members)
        .map(|member| SecretKey::derive(&[member + 1; 32], Hash::default()))
        .collect();
    let keys: Vec<Key> = secrets.iter().map(SecretKey::key).collect();
    let open = Round::new(Hash::default(), keys.clone(), faults)?;
    let say = |round: &Round, member: usize| {
        (round.contribution(member as Member, &secrets[member]))
            .ok_or("a member has nothing to say")
    };
    let take = |round: &Round, said: &Contribution| round.clone().take(0, said);
    let (deal_us, dealing) = timed(RUNS, || say(&open, 0));
    let dealing = dealing?;
    let (verify_dealing_us, taken) = timed(RUNS, || take(&open, &dealing));
    taken?;
    let mut fixed = open;
    for dealer in 0..=faults {
        let said = say(&fixed, dealer)?;
        fixed.take(dealer as Member, &said)?;
    }
    let (share_us, share) = timed(RUNS, || say(&fixed, 0));
    let share = share?;
    let (verify_share_us, taken) = timed(RUNS, || take(&fixed, &share));
    taken?;
    let lottery = Lottery::new(Hash::default(), keys, faults)?;
    let (draw_us, draw) = timed(RUNS, || lottery.draw(0, &secrets[0]));
    let (verify_draw_us, taken) = timed(RUNS, || lottery.clone().take(0, &draw));
    taken?;
    let (dealing_bytes, share_bytes) = (dealing.encode().len(), share.encode().len());
    let draw_bytes = wire::encode(&draw).len();
    let quorum = usize::from(members) - faults;
    let needed = faults + 1;
    Ok(Cost {
        members,
        faults,
        dealing_bytes,
        share_bytes,
        shared_beacon_bytes: needed * (dealing_bytes + share_bytes),
        deal_us,
        verify_dealing_us,
        share_us,
        verify_share_us,
        shared_beacon_us: deal_us
            + share_us
            + needed as f64 * (verify_dealing_us + verify_share_us),
        draw_bytes,
        drawn_beacon_bytes: quorum * draw_bytes,
        draw_us,
        verify_draw_us,
    })
}
