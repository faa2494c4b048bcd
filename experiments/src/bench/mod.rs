//! `hamlet-lab bench`: how fast the parts are on this machine.

mod beacon;
mod consensus;
mod epochs;
mod evidence;
mod learn;
mod members;
mod placement;
mod row;
mod simulator;
mod walks;

use crate::Outcome;
use clap::{Args, Subcommand};

/// Measures how fast the parts are on this machine.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    Beacon(beacon::Arguments),
    Consensus(consensus::Arguments),
    Epochs(epochs::Arguments),
    Evidence(evidence::Arguments),
    Learn(learn::Arguments),
    Members(members::Arguments),
    Simulator(simulator::Arguments),
    Placement(placement::Arguments),
    Walks(walks::Arguments),
}

/// Measures the part asked for.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.part {
        Part::Beacon(arguments) => beacon::run(arguments),
        Part::Consensus(arguments) => consensus::run(arguments),
        Part::Epochs(arguments) => epochs::run(arguments),
        Part::Evidence(arguments) => evidence::run(arguments),
        Part::Learn(arguments) => learn::run(arguments),
        Part::Members(arguments) => members::run(arguments),
        Part::Simulator(arguments) => simulator::run(arguments),
        Part::Placement(arguments) => placement::run(arguments),
        Part::Walks(arguments) => walks::run(arguments),
    }
}
