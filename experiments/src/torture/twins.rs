//! `hamlet-lab torture twins`: agreement while members run twice under one key.

use super::{consensus::Model, explore::explore};
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::Args;
use hamlet_simulator::torture::twins::{Scenarios, run as run_scenario};
use std::path::PathBuf;

/// Tries every schedule of partitions while as many members as may be Byzantine run twice under one key.
///
/// Twins equivocate, forget and contradict themselves without a line of adversarial code (Bano and others, OPODIS
/// 2021). A scenario says which members have twins, and for each phase who hears whom; then all hear all, and what
/// honest members wanted must get done. Scenarios are numbered; without `--seeds` all of them are tried.
///
/// Examples:
///   hamlet-lab torture twins                              (4 members, 3 phases: 16,384 scenarios)
///   hamlet-lab torture twins --members 7 --phases 2 --seeds 0..99999
///   hamlet-lab torture twins --model synchrony --members 3
///   hamlet-lab torture twins --seeds 4711                 (replays one, and tells what it is)
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Members of the cluster.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=7))]
    members: u8,
    /// What members assume; under `synchrony` the partitions are between members and twins alone.
    #[arg(long, value_enum, default_value_t = Model::PartialSynchrony)]
    model: Model,
    /// Phases, each with a partition of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=6))]
    phases: u32,
    /// The scenarios: one number, or the first and the last as in 0..9999; all without it.
    #[arg(long)]
    seeds: Option<SeedRange>,
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

/// Runs the scenarios.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let (members, phases) = (arguments.members, arguments.phases);
    let scenarios = Scenarios {
        members,
        in_time: arguments.model == Model::Synchrony,
        phases,
    };
    let last = scenarios.count() - 1;
    let seeds = arguments.seeds.unwrap_or(SeedRange { first: 0, last });
    if seeds.last > last {
        return Err(
            format!("{members} members in {phases} phases have scenarios 0 to {last}").into(),
        );
    }
    if seeds.first == seeds.last {
        println!("{:#?}", scenarios.get(seeds.first));
    }
    let tally = explore(seeds, arguments.threads, arguments.keep_going, |number| {
        run_scenario(&scenarios.get(number))
    });
    let model = arguments.model.name();
    let replay = format!(
        "hamlet-lab torture twins --model {model} --members {members} --phases {phases} --seeds"
    );
    tally.tell(arguments.json.as_deref(), &replay)
}
