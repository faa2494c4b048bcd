//! `hamlet-lab torture consensus`: agreement under random schedules.

use super::explore::explore;
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::{Args, ValueEnum};
use hamlet_simulator::torture::{self, Plan};
use std::path::PathBuf;

/// Tortures agreement inside one cluster with random schedules: delays, loss, duplication, partitions,
/// crashes with torn disks, drifting clocks, and Byzantine members up to the bound.
///
/// Every seed is one schedule, of 1 to 32 members, the same on every machine. Each is held against these promises:
/// agreement, total order, integrity, soundness of certificates, no evidence against the honest, recovery,
/// progress after stabilisation, and quiet when idle. Ends with status 1 at the first that is broken and prints the
/// command that replays it.
///
/// Examples:
///   hamlet-lab torture consensus --seeds 0..100000
///   hamlet-lab torture consensus --seeds 4711          (replays one, and tells what it is)
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The schedules: one seed, or the first and the last as in 0..999999.
    #[arg(long, default_value = "0..9999")]
    seeds: SeedRange,
    /// What members assume: `partial-synchrony`, or `synchrony` with a known bound on delays.
    #[arg(long, value_enum, default_value_t = Model::PartialSynchrony)]
    model: Model,
    /// Threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Go on after a violation, and name all of them.
    #[arg(long)]
    keep_going: bool,
    /// Write the results as JSON to this file; `-` is the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    mutants: super::mutants::Choice,
}

/// What members assume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// Less than a third faulty, any delays.
    PartialSynchrony,
    /// Less than half faulty, delays bounded.
    Synchrony,
}

impl Model {
    /// The plan that follows from a seed.
    pub fn draw(self, seed: u64) -> Plan {
        match self {
            Model::PartialSynchrony => Plan::draw(seed),
            Model::Synchrony => Plan::draw_in_time(seed),
        }
    }

    /// The fault model itself.
    #[cfg(feature = "mutants")]
    pub fn kind(self) -> hamlet_consensus::FaultModel {
        match self {
            Model::PartialSynchrony => hamlet_consensus::FaultModel::PartialSynchrony,
            Model::Synchrony => hamlet_consensus::FaultModel::Synchrony,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Model::PartialSynchrony => "partial-synchrony",
            Model::Synchrony => "synchrony",
        }
    }
}

/// Runs the schedules.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let model = arguments.model;
    #[cfg(feature = "mutants")]
    {
        use hamlet_consensus::mutant::{Mutant, Mutants};
        let (seeds, threads) = (arguments.seeds, arguments.threads);
        let run = |seed, mutant| torture::run(&model.draw(seed), Mutants::one(mutant));
        let concerned: Vec<Mutant> = (Mutant::ALL.into_iter())
            .filter(|mutant| mutant.concerns(model.kind()))
            .collect();
        if let Some(outcome) = arguments.mutants.run(&concerned, seeds, threads, run) {
            return Ok(outcome);
        }
    }
    if arguments.seeds.first == arguments.seeds.last {
        println!("{:#?}", model.draw(arguments.seeds.first));
    }
    let tally = explore(
        arguments.seeds,
        arguments.threads,
        arguments.keep_going,
        |seed| {
            let plan = model.draw(seed);
            #[cfg(not(feature = "mutants"))]
            return torture::run(&plan);
            #[cfg(feature = "mutants")]
            return torture::run(&plan, Default::default());
        },
    );
    let replay = format!(
        "hamlet-lab torture consensus --model {} --seeds",
        model.name()
    );
    tally.tell(arguments.json.as_deref(), &replay)
}
