//! `hamlet-lab torture`: looks for a schedule that breaks a promise.

mod consensus;
mod explore;
mod members;
#[cfg(feature = "mutants")]
mod mutants;
mod succession;
mod twins;

use crate::Outcome;
use clap::{Args, Subcommand};

/// Looks for a schedule that breaks a promise.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    Consensus(consensus::Arguments),
    Succession(succession::Arguments),
    Members(members::Arguments),
    Twins(twins::Arguments),
}

/// Tortures the part asked for.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.part {
        Part::Consensus(arguments) => consensus::run(arguments),
        Part::Succession(arguments) => succession::run(arguments),
        Part::Members(arguments) => members::run(arguments),
        Part::Twins(arguments) => twins::run(arguments),
    }
}
