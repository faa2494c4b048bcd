//! `hamlet-lab torture consensus`: agreement under random schedules.

use super::explore::explore;
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::Args;
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

/// Runs the schedules.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    #[cfg(feature = "mutants")]
    if let Some(outcome) = arguments.mutants.run(arguments.seeds, arguments.threads)? {
        return Ok(outcome);
    }
    if arguments.seeds.first == arguments.seeds.last {
        println!("{:#?}", Plan::draw(arguments.seeds.first));
    }
    let tally = explore(
        arguments.seeds,
        arguments.threads,
        arguments.keep_going,
        |seed| {
            let plan = Plan::draw(seed);
            #[cfg(not(feature = "mutants"))]
            return torture::run(&plan);
            #[cfg(feature = "mutants")]
            return torture::run(&plan, Default::default());
        },
    );
    tally.tell(
        arguments.json.as_deref(),
        "hamlet-lab torture consensus --seeds",
    )
}
