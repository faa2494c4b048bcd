//! How fast a cluster agrees.

mod certificates;
mod decisions;
mod latency;
mod rest;
mod throughput;

use super::row::{self, Row};
use crate::{Outcome, interrupt, json, process};
use clap::Args;
use hamlet_consensus::{FaultModel, Model, member::Member};
use hamlet_simulator::agreement::{Cluster, Setup};
use serde::Serialize;
use std::{ops::ControlFlow, path::PathBuf, process::ExitCode, time::Duration};

/// Measures how fast a cluster agrees, with nobody silent and with as many silent members as may be faulty.
///
/// Latencies are given for both fault models: partial synchrony, and synchrony with a bound of 500 ms on delays. They
/// are of a cluster whose members have a machine each: links have a fixed delay in virtual time, and the processor
/// time that members take (Ed25519, encoding, hashing) passes in the world too.
///
/// Throughput is of one process that does the work of all members on one thread and on two, which hand each other
/// encoded messages, without disk and network. Each figure is the best of the runs; beside the time of the wall, which
/// needs a quiet machine, the processor time says what the work takes, and the busiest thread what it would take if
/// each had a core to itself.
///
/// Example:
///   hamlet-lab bench consensus --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Commands ordered for each figure of throughput; latencies take a hundredth, between 10 and 100.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    commands: u64,
    /// How often throughput is measured.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure these alone.
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// How long a command takes, under partial synchrony.
    Latency,
    /// The same under synchrony.
    Synchrony,
    /// Commands per second.
    Throughput,
    /// What is said at rest, and what dead leaders cost.
    Rest,
    /// Decisions of the simulator.
    Decisions,
    /// Sizes and times of certificates.
    Certificates,
}

#[derive(Default, Serialize)]
struct Figures {
    latency: Vec<latency::Latency>,
    throughput: Vec<throughput::Throughput>,
    idle: Vec<rest::Idle>,
    dead_leaders: Vec<rest::DeadLeaders>,
    decisions: Vec<decisions::Decisions>,
    certificates: Vec<certificates::Size>,
}

/// Sizes that waste no member under partial synchrony, and under synchrony.
const SIZES: [u8; 4] = [4, 7, 16, 32];
const SIZES_IN_TIME: [u8; 4] = [3, 7, 15, 31];
const LINKS_MS: [u64; 4] = [0, 1, 20, 100];
const COMMAND_BYTES: usize = 256;
/// Δ of the rows of synchrony.
const BOUND: Duration = Duration::from_millis(500);

/// Measures and prints.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut figures = Figures::default();
    let asked_to_stop = measure(&arguments, &mut figures)?.is_break();
    row::print(&figures.latency);
    row::print(&figures.throughput);
    row::print(&figures.idle);
    row::print(&figures.dead_leaders);
    row::print(&figures.decisions);
    row::print(&figures.certificates);
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
    }
    Ok(match asked_to_stop {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

/// Measures what was asked for, until the user wants no more.
fn measure(
    arguments: &Arguments,
    figures: &mut Figures,
) -> Result<ControlFlow<()>, Box<dyn std::error::Error>> {
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let few = (arguments.commands as usize / 100).clamp(10, 100);
    let models = [
        (Part::Latency, Model::PartialSynchrony, SIZES),
        (
            Part::Synchrony,
            Model::Synchrony { bound: BOUND },
            SIZES_IN_TIME,
        ),
    ];
    for (part, model, sizes) in models {
        for members in sizes.into_iter().filter(|_| wanted(part)) {
            for (silent, link_ms) in with_silent(members, model.kind()).flat_map(every_link) {
                if tell(&format!(
                    "{part:?}, {members} members, {silent} silent, {link_ms} ms"
                )) {
                    return Ok(ControlFlow::Break(()));
                }
                let row = latency::measure(model, members, silent, link_ms, few);
                figures.latency.push(row);
            }
        }
    }
    for members in SIZES {
        for silent in with_silent(members, FaultModel::PartialSynchrony) {
            for threads in [1, 2].into_iter().filter(|_| wanted(Part::Throughput)) {
                if tell(&format!(
                    "throughput, {members} members, {silent} silent, {threads} threads"
                )) {
                    return Ok(ControlFlow::Break(()));
                }
                let (commands, runs) = (arguments.commands as usize, arguments.runs);
                let row = throughput::measure(members, silent, threads, commands, runs)?;
                figures.throughput.push(row);
            }
            if wanted(Part::Rest) {
                if tell(&format!("rest, {members} members, {silent} silent")) {
                    return Ok(ControlFlow::Break(()));
                }
                figures.idle.push(rest::idle(members, silent));
                // One, and then all that may be.
                let dead = silent.max(1);
                if silent != 1 {
                    figures.dead_leaders.push(rest::dead_leaders(members, dead));
                }
            }
        }
    }
    for silent in with_silent(10, FaultModel::PartialSynchrony).filter(|_| wanted(Part::Decisions))
    {
        if tell(&format!("simulated decisions, {silent} silent")) {
            return Ok(ControlFlow::Break(()));
        }
        let row = decisions::measure(10, silent, arguments.commands);
        figures.decisions.push(row);
    }
    if wanted(Part::Certificates) {
        figures.certificates = [4, 7, 10, 16, 32, 64].map(certificates::measure).into();
    }
    Ok(ControlFlow::Continue(()))
}

/// Says what is measured next; whether the user wants to stop.
fn tell(what: &str) -> bool {
    eprintln!("measuring {what}");
    interrupt::asked()
}

/// Nobody silent, and as many as may be faulty.
fn with_silent(members: u8, model: FaultModel) -> impl Iterator<Item = usize> {
    [0, model.faults(members.into())].into_iter()
}

fn every_link(silent: usize) -> impl Iterator<Item = (usize, u64)> {
    LINKS_MS.into_iter().map(move |link_ms| (silent, link_ms))
}

/// The last members of a cluster are the silent ones.
fn setup(members: u8, silent: usize, link: Duration) -> Setup {
    let mut setup = Setup::new(members, link);
    setup.silent = (members - silent as u8..members).collect();
    setup
}

fn command(number: usize) -> Vec<u8> {
    let mut bytes = vec![7; COMMAND_BYTES];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    bytes
}

/// Who of those alive leads next, seen from the view that the first of them is in.
fn next_leader(cluster: &Cluster, members: u8) -> Member {
    let alive = cluster.alive();
    let view = alive
        .first()
        .and_then(|first| cluster.view(*first))
        .unwrap_or(1);
    let leader = |view: u64| (view % u64::from(members)) as Member;
    (view..view + u64::from(members))
        .map(leader)
        .find(|leader| alive.contains(leader))
        .unwrap_or(0)
}

/// The processor time that this thread has used.
fn cpu() -> Duration {
    process::thread_cpu_time().unwrap_or_default()
}

/// The processor time that this thread has used since then, in seconds.
fn cpu_since(began: Duration) -> f64 {
    (cpu() - began).as_secs_f64()
}
