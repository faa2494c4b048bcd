//! `hamlet-lab learn`: gossip learning in simulation.

pub mod baselines;
pub mod options;
pub mod outcome;
pub mod plan;
pub mod run;
pub mod saved;
pub mod scaling;
pub mod stage;
mod tell;
mod wish;

use crate::{
    Outcome as Ended, interrupt, json, parallel,
    privacy::{self, Hiding},
    report::learning::{self, Shown},
    seeds::Seeds,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use outcome::Outcome;
use run::Run;
use stage::Stage;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Lets models walk, merge and learn in a simulated network, and says how good they get.
///
/// Examples:
///
///   hamlet-lab learn --data spambase.csv.gz --label type --model pegasos --merge mu --delay 1
///
///   hamlet-lab learn --data salaries.csv.gz --label 'log10(Salary)' --by Country
///   --graph caveman:degree=10,between=0.03 --sampler triangles --rounds 3000 --save models
#[derive(Args)]
pub struct Arguments {
    /// A scenario with the same options, as TOML; the command line wins
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// The seed of everything random
    #[arg(long, default_value_t = 1, help_heading = "Runs")]
    seed: u64,
    /// Several seeds, first and last included, side by side: 1..8
    #[arg(
        long,
        value_name = "A..B",
        conflicts_with = "seed",
        help_heading = "Runs"
    )]
    seeds: Option<Seeds>,
    /// Go on where an ended run with the same options and outputs was
    #[arg(long, help_heading = "Runs")]
    resume: bool,
    /// Write results as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write the curves as CSV
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    csv: Option<PathBuf>,
    /// Write the report, one HTML file to look at
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Keep the models, to be asked by `hamlet-lab predict`; with several seeds the first seed's
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    save: Option<PathBuf>,
}

/// Runs all seeds and writes what they found.
pub fn run(arguments: Arguments) -> Ended {
    interrupt::listen()?;
    let options = arguments.options.clone();
    let options = options.with_scenario(arguments.scenario.as_deref())?;
    let seeds: Vec<u64> = match &arguments.seeds {
        Some(seeds) => seeds.iter().collect(),
        None => vec![arguments.seed],
    };
    let hiding = Hiding::of(&options)?;
    if options.attack.as_deref() == Some(privacy::ATTACK) {
        let options = Options {
            attack: None,
            ..options
        };
        let stage = Stage::set(&options, seeds[0])?;
        let learner = plan::settings(&options, &stage, seeds[0])?.learner;
        let json = arguments.json.as_deref();
        return privacy::run(&stage.data, &learner, &hiding, seeds[0], json);
    }
    let runs = all(&options, &seeds, &arguments)?;
    let outcomes: Vec<Outcome> = runs.iter().map(|run| run.outcome.clone()).collect();
    if arguments.json.as_deref() != Some(Path::new("-")) {
        tell::tell(&outcomes);
    }
    if let Some(path) = &arguments.json {
        match &outcomes[..] {
            [one] => json::write(path, one)?,
            several => json::write(path, &several)?,
        }
    }
    if let Some(path) = &arguments.csv {
        let written = fs::write(path, outcome::csv(&outcomes));
        written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    if let Some(path) = &arguments.report {
        let shown: Vec<Shown<'_>> = runs.iter().map(Run::shown).collect();
        let written = fs::write(path, learning::html(&shown)?);
        written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    if let (Some(path), Some(run)) = (&arguments.save, runs.first()) {
        run.saved.write(path)?;
    }
    if runs.len() == seeds.len() && outcomes.iter().all(|outcome| outcome.finished) {
        // Only now is nothing lost without them.
        for path in seeds
            .iter()
            .filter_map(|seed| state(&arguments, *seed, seeds.len()))
        {
            fs::remove_file(&path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if state(&arguments, seeds[0], seeds.len()).is_some() {
        eprintln!("ended early; the same command with --resume goes on");
    } else {
        eprintln!("ended early; with --json or --save, --resume could go on");
    }
    Ok(ExitCode::from(interrupt::EXIT_STATUS))
}

/// Where a run is kept while it lasts: beside its output.
fn state(arguments: &Arguments, seed: u64, seeds: usize) -> Option<PathBuf> {
    let outputs = [
        &arguments.save,
        &arguments.json,
        &arguments.csv,
        &arguments.report,
    ];
    let beside = outputs
        .into_iter()
        .flatten()
        .find(|path| *path != Path::new("-"))?;
    let ending = if seeds > 1 {
        format!("{seed}.state")
    } else {
        "state".to_owned()
    };
    Some(beside.with_added_extension(ending))
}

/// Runs the seeds on as many threads as there are processors; the runs in the order of the seeds.
fn all(
    options: &Options,
    seeds: &[u64],
    arguments: &Arguments,
) -> Result<Vec<Run>, Box<dyn Error>> {
    let rounds = options.rounds.unwrap_or(run::ROUNDS);
    let progress = ProgressBar::new(u64::from(rounds) * seeds.len() as u64);
    let style = "{bar:30} round {pos}/{len}  {msg}  {elapsed} gone, {eta} left";
    progress.set_style(ProgressStyle::with_template(style)?);
    let runs = parallel::map(seeds, |seed| {
        let state = state(arguments, *seed, seeds.len());
        let run = run::run(
            options,
            *seed,
            state.as_deref(),
            arguments.resume,
            &progress,
        );
        let mut run = run.map_err(|problem| problem.to_string())?;
        run.judge();
        Ok(run)
    });
    progress.finish_and_clear();
    Ok(runs.into_iter().collect::<Result<Vec<Run>, String>>()?)
}
