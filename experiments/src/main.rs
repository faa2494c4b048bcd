//! `hamlet-lab`: experiments with Hamlet in simulated worlds.
//!
//! Every command is a module with its arguments (`Arguments`) and a `run`; this file only chooses.

mod bench;
mod giving;
mod graph;
mod grid;
mod hunt;
mod interrupt;
mod json;
mod learn;
mod live;
mod open;
mod open_range;
mod parallel;
mod predict;
mod privacy;
mod process;
mod report;
mod scenario;
mod seeds;
mod shrink;
mod simulate;
mod soak;
mod sweep;
mod torture;
mod trial;
mod units;

use clap::{Parser, Subcommand};
use std::{error::Error, process::ExitCode};

/// Worlds of peers allocate and free all the time, from several threads: this allocator suits that better
/// than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command ends with: an exit status, or a problem to tell the user.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Experiments with Hamlet in simulated worlds.
#[derive(Parser)]
#[command(name = "hamlet-lab", version, arg_required_else_help = true)]
struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(Box<bench::Arguments>),
    Giving(Box<giving::Arguments>),
    Graph(Box<graph::Arguments>),
    Grid(Box<grid::Arguments>),
    Hunt(Box<hunt::Arguments>),
    Learn(Box<learn::Arguments>),
    Live(Box<live::Arguments>),
    Predict(Box<predict::Arguments>),
    Report(Box<report::Arguments>),
    Shrink(Box<shrink::Arguments>),
    Simulate(Box<simulate::Arguments>),
    Soak(Box<soak::Arguments>),
    Sweep(Box<sweep::Arguments>),
    Torture(Box<torture::Arguments>),
}

fn main() -> ExitCode {
    let outcome = match Lab::parse().command {
        Command::Bench(arguments) => bench::run(*arguments),
        Command::Giving(arguments) => giving::run(*arguments),
        Command::Graph(arguments) => graph::run(*arguments),
        Command::Grid(arguments) => grid::run(*arguments),
        Command::Hunt(arguments) => hunt::run(*arguments),
        Command::Learn(arguments) => learn::run(*arguments),
        Command::Live(arguments) => live::run(*arguments),
        Command::Predict(arguments) => predict::run(*arguments),
        Command::Report(arguments) => report::run(*arguments),
        Command::Shrink(arguments) => shrink::run(*arguments),
        Command::Simulate(arguments) => simulate::run(*arguments),
        Command::Soak(arguments) => soak::run(*arguments),
        Command::Sweep(arguments) => sweep::run(*arguments),
        Command::Torture(arguments) => torture::run(*arguments),
    };
    outcome.unwrap_or_else(|problem| {
        eprintln!("hamlet-lab: {problem}");
        ExitCode::FAILURE
    })
}
