//! `hamlet-lab torture succession`: epochs of clusters under random schedules.

use super::{consensus::Model, explore::explore};
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::Args;
use hamlet_simulator::torture::succession::{Plan, run as run_plan};
use std::path::PathBuf;

/// Tortures clusters whose members change: added, put out and replaced, all at once too; clusters split and merge.
///
/// Every seed is one schedule of 3 to 12 peers, the same on every machine: delays, loss, partitions, crashes in the
/// middle of a hand-over with torn disks, and liars up to the bound of every epoch; under synchrony nothing is lost or
/// late, peers begin when they like, and liars plot in every epoch. Each is held against these promises:
/// one log for each cluster, whatever epoch it is in, and nobody both taken in by another and alive; one membership for each number; every command once; certificates
/// that prove what they say; no evidence against the honest; recovery; and after stabilisation everybody knows the
/// newest epoch, its members have begun it, and nobody serves one that is past.
///
/// Examples:
///   hamlet-lab torture succession --seeds 0..99999
///   hamlet-lab torture succession --model synchrony --seeds 0..99999
///   hamlet-lab torture succession --seeds 4711         (replays one, and tells what it is)
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

/// Runs the schedules.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let (seeds, threads, model) = (arguments.seeds, arguments.threads, arguments.model);
    let draw = |seed| match model {
        Model::PartialSynchrony => Plan::draw(seed),
        Model::Synchrony => Plan::draw_in_time(seed),
    };
    #[cfg(feature = "mutants")]
    {
        use hamlet_consensus::mutant::{Mutant, Mutants};
        let run = |seed, mutant| run_plan(&draw(seed), Mutants::one(mutant));
        let concerned: Vec<Mutant> = (Mutant::OF_SUCCESSION.into_iter())
            .filter(|mutant| mutant.concerns(model.kind()))
            .collect();
        if let Some(outcome) = arguments.mutants.run(&concerned, seeds, threads, run) {
            return Ok(outcome);
        }
    }
    if seeds.first == seeds.last {
        println!("{:#?}", draw(seeds.first));
    }
    let tally = explore(seeds, threads, arguments.keep_going, |seed| {
        let plan = draw(seed);
        #[cfg(not(feature = "mutants"))]
        return run_plan(&plan);
        #[cfg(feature = "mutants")]
        return run_plan(&plan, Default::default());
    });
    let replay = format!(
        "hamlet-lab torture succession --model {} --seeds",
        model.name()
    );
    tally.tell(arguments.json.as_deref(), &replay)
}
