//! `hamlet-lab torture members`: clusters of whole peers whose members change while a stream plays.

use super::explore::explore;
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::Args;
use hamlet_simulator::torture::members::{Plan, run as run_plan};
use std::path::PathBuf;

/// Tortures clusters of whole peers whose members change while a stream plays.
///
/// Every seed is one schedule of 1 to 4 clusters of 4 to 7 founders, the same on every machine, under partial synchrony or
/// synchrony: operators want members added, removed and replaced, members crash with torn disks or lose them, some keep silent,
/// links delay and lose. Each is held against these promises: one log for each cluster, one membership for each epoch, no
/// evidence against the honest, recovery; where nothing but membership changes nobody misses a segment; and after
/// stabilisation all members have the same log and view, what was wanted is done, neighbours know of it, and the stream plays.
///
/// Examples:
///   hamlet-lab torture members --seeds 0..999
///   hamlet-lab torture members --seeds 4711         (replays one, and tells what it is)
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The schedules: one seed, or the first and the last as in 0..999.
    #[arg(long, default_value = "0..199")]
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
}

/// Runs the schedules.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let (seeds, threads) = (arguments.seeds, arguments.threads);
    if seeds.first == seeds.last {
        println!("{:#?}", Plan::draw(seeds.first));
    }
    let tally = explore(seeds, threads, arguments.keep_going, |seed| {
        run_plan(&Plan::draw(seed))
    });
    tally.tell(
        arguments.json.as_deref(),
        "hamlet-lab torture members --seeds",
    )
}
