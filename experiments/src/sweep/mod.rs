//! `hamlet-lab sweep`: gossip learning under every combination of some options.

mod kept;
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
use kept::Kept;
use line::Line;
use std::{
    error::Error,
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
    /// Go on where an ended sweep with the same options and the same --json was; what it finished is not run again
    #[arg(long, help_heading = "Runs")]
    resume: bool,
    /// Write the table as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    json: Option<PathBuf>,
}

/// One run of a sweep: which combination, under which seed.
#[derive(Clone, Copy)]
struct Job {
    place: usize,
    seed: u64,
}

/// Runs them all and prints the table.
pub fn run(arguments: Arguments) -> Ended {
    interrupt::listen()?;
    let options = arguments.options.clone();
    let base = options.with_scenario(arguments.scenario.as_deref())?;
    let combinations = vary::combinations(&arguments.vary, &base);
    let seeds: Vec<u64> = arguments.seeds.iter().collect();
    let jobs: Vec<Job> = (0..combinations.len())
        .flat_map(|place| seeds.iter().map(move |&seed| Job { place, seed }))
        .collect();
    let kept = Kept::beside(arguments.json.as_deref(), arguments.resume)?;
    let progress = ProgressBar::new(jobs.len() as u64);
    let style = "{bar:30} run {pos}/{len}  {elapsed} gone, {eta} left";
    progress.set_style(ProgressStyle::with_template(style)?);
    progress.tick();
    let runs = parallel::map(&jobs, |job| {
        let (names, options) = &combinations[job.place];
        let line = line(*job, names, options, &kept);
        progress.inc(1);
        let line = line.map_err(|problem| format!("{}: {problem}", names.join(", ")))?;
        Ok(line.map(|line| (job.place, line)))
    });
    progress.finish_and_clear();
    let runs: Vec<Option<(usize, Line)>> = runs.into_iter().collect::<Result<_, String>>()?;
    let runs: Vec<(usize, Line)> = runs.into_iter().flatten().collect();
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
    if runs.len() == jobs.len() {
        // Only now is nothing lost without them.
        kept.clear(&jobs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (done, all) = (runs.len(), jobs.len());
    let further = match kept.anything() {
        true => "the same command with --resume goes on",
        false => "with --json, --resume could go on",
    };
    eprintln!(
        "ended early; the table holds the {done} of {all} runs that were finished; {further}"
    );
    Ok(ExitCode::from(interrupt::EXIT_STATUS))
}

/// What a run came to, from what is kept of it if that is there; nothing if it was ended early.
fn line(
    job: Job,
    names: &[String],
    options: &Options,
    kept: &Kept,
) -> Result<Option<Line>, Box<dyn Error>> {
    if let Some(line) = kept.line(job, options)? {
        return Ok(Some(line));
    }
    let (state, steps) = (kept.state(job), ProgressBar::hidden());
    let run = run::run(options, job.seed, state.as_deref(), kept.resumes(), &steps)?;
    if !run.outcome.finished {
        return Ok(None);
    }
    let line = Line::of(names, &run);
    kept.keep(job, options, &line)?;
    Ok(Some(line))
}
