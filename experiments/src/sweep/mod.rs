//! `hamlet-lab sweep`: gossip learning under every combination of some options.

mod line;
mod vary;

use crate::{
    Outcome as Ended, interrupt, json,
    learn::{
        options::Options,
        run::{self, Run},
    },
    parallel,
    seeds::Seeds,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use line::Line;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use vary::Vary;

/// Runs gossip learning under every combination of some options, and puts the results into one table.
///
/// Examples:
///
///   hamlet-lab sweep --data spambase.csv.gz --label type --peers 414 --byzantine 0.2
///   --vary 'attack=none sign-flip little-is-enough' --vary 'defence=none clip fit+sieve'
///
///   hamlet-lab sweep --data salaries.csv.gz --label 'log10(Salary)' --by Country --rounds 1000
///   --vary 'graph=planted:between=0.8 planted:between=0.1 planted:between=0.01'
#[derive(Args)]
pub struct Arguments {
    /// A scenario with the options that stay the same, as TOML; the command line wins
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// An option of `hamlet-lab learn` and its values, with spaces between them; twice for a table of two
    #[arg(
        long,
        required = true,
        value_name = "OPTION=VALUES",
        help_heading = "Runs"
    )]
    vary: Vec<Vary>,
    /// One seed, or several, over which the mean is taken: 1..8
    #[arg(
        long,
        value_name = "SEED|A..B",
        default_value = "1",
        help_heading = "Runs"
    )]
    seeds: Seeds,
    /// Write the table as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    json: Option<PathBuf>,
}

/// Runs them all and prints the table.
pub fn run(arguments: Arguments) -> Ended {
    interrupt::listen()?;
    let options = arguments.options.clone();
    let base = options.with_scenario(arguments.scenario.as_deref())?;
    let combinations = vary::combinations(&arguments.vary, &base);
    let seeds: Vec<u64> = arguments.seeds.iter().collect();
    let jobs: Vec<(usize, u64)> = (0..combinations.len())
        .flat_map(|place| seeds.iter().map(move |seed| (place, *seed)))
        .collect();
    let progress = ProgressBar::new(jobs.len() as u64);
    let style = "{bar:30} run {pos}/{len}  {elapsed} gone, {eta} left";
    progress.set_style(ProgressStyle::with_template(style)?);
    progress.tick();
    let runs = parallel::map(&jobs, |&(place, seed)| {
        let (names, options) = &combinations[place];
        let steps = ProgressBar::hidden();
        let run = run::run(options, seed, None, false, &steps);
        progress.inc(1);
        let run = run.map_err(|problem| format!("{}: {problem}", names.join(", ")))?;
        Ok((place, Line::of(names, &run)))
    });
    progress.finish_and_clear();
    let runs: Vec<(usize, Line)> = runs.into_iter().collect::<Result<_, String>>()?;
    let lines: Vec<Line> = (0..combinations.len())
        .filter_map(|place| {
            let same = runs.iter().filter(|(of, _)| *of == place);
            Line::mean(&same.map(|(_, line)| line).collect::<Vec<_>>())
        })
        .collect();
    if arguments.json.as_deref() != Some(Path::new("-")) {
        print!("{}", line::table(&arguments.vary, &lines));
    }
    if let Some(path) = &arguments.json {
        json::write(path, &lines)?;
    }
    if interrupt::asked() {
        eprintln!("ended early; the table holds what was done");
        return Ok(ExitCode::from(interrupt::EXIT_STATUS));
    }
    Ok(ExitCode::SUCCESS)
}
