//! `hamlet-lab hunt`: a search for the worst that adversaries can do.

mod game;

use crate::{
    Outcome, interrupt, json, parallel,
    scenario::{Overrides, Scenario},
    simulate::Run,
    trial,
};
use clap::{Args, ValueEnum};
use game::Game;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{fs, path::PathBuf, process::ExitCode};

/// Search for the mix of adversaries that does most harm
///
/// Tries mixes, shares and timings: at first at random, then changes of the worst that it found. It prints that as
/// a scenario, which `hamlet-lab simulate` runs and `hamlet-lab shrink` makes smaller. Links, churn and machines
/// are those of the given scenario. Equal arguments try the same. Ctrl-C ends the search and prints what there is.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    hamlet-lab hunt --peers 320 --seconds 8 --tries 200 --save worst.toml\n  \
    hamlet-lab hunt --peers 320 --byzantine 0.2 --for upload")]
pub struct Arguments {
    /// What world; the adversaries are drawn, and --byzantine is the share of all of them [default: 0.3]
    #[command(flatten)]
    world: Overrides,
    /// What harm is
    #[arg(long = "for", value_enum, default_value_t = Harm::OnTime)]
    harm: Harm,
    /// Worlds to try
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    tries: u64,
    /// The seed of the search; those of the worlds follow from it
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    search_seed: u64,
    /// Where to write the worst as a scenario, besides the standard output
    #[arg(long, value_name = "PATH")]
    save: Option<PathBuf>,
    /// Where to write what was found as JSON; `-` is the standard output, and then the scenario is only saved
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// What harm is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Harm {
    /// Segments that are not on time
    OnTime,
    /// What honest peers upload
    Upload,
    /// The 99th percentile of the time that segments take
    Latency,
}

impl Harm {
    /// How much of it a world came to; a broken invariant is worse than anything.
    fn of(self, run: &Run) -> f64 {
        if run.figures.invariant_violations > 0 {
            return f64::INFINITY;
        }
        match self {
            Harm::OnTime => 1.0 - run.figures.on_time_ratio,
            Harm::Upload => run.figures.upload_ratio_mean,
            Harm::Latency => run.figures.latency_ms.p99.unwrap_or(f64::MAX),
        }
    }
}

/// The share of adversaries if none is given.
const SHARE: f64 = 0.3;
/// How many worlds are tried before the worst of them is changed.
const AT_ONCE: u64 = 4;
/// The part of the tries that is drawn at random.
const AT_RANDOM: u64 = 3;

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let base = arguments.world.scenario()?;
    let share = match base.byzantine() {
        0.0 => SHARE,
        share => share,
    };
    interrupt::listen()?;
    let mut game = Game::new(arguments.search_seed, share);
    let progress = ProgressBar::new(arguments.tries);
    progress.set_style(ProgressStyle::with_template(
        "{bar:30} world {pos}/{len}  {eta} left  {msg}",
    )?);
    let mut worst: Option<(Scenario, Run)> = None;
    let mut tried = 0;
    while tried < arguments.tries && !interrupt::asked() {
        let known = worst.as_ref().map(|(scenario, _)| scenario);
        let known = known.filter(|_| tried >= arguments.tries / AT_RANDOM);
        let batch: Vec<Scenario> = (0..AT_ONCE.min(arguments.tries - tried))
            .map(|_| game.draw(&base, known))
            .collect();
        let runs = parallel::map(&batch, |scenario| {
            let run = trial::run(scenario, scenario.seeds.first());
            progress.inc(1);
            run.map_err(|problem| problem.to_string())
        });
        tried += batch.len() as u64;
        // A world that Ctrl-C cut short says little.
        if interrupt::asked() {
            break;
        }
        for (scenario, run) in batch.into_iter().zip(runs) {
            let run = run?;
            let harm = arguments.harm.of(&run);
            if worst
                .as_ref()
                .is_none_or(|(_, worst)| harm > arguments.harm.of(worst))
            {
                progress.set_message(tell(&scenario, &run));
                worst = Some((scenario, run));
            }
        }
    }
    progress.finish_and_clear();
    let Some((scenario, run)) = worst else {
        return Err("no world came to its end before the search did".into());
    };
    eprintln!("the worst of {tried}: {}", tell(&scenario, &run));
    let text = scenario.to_toml()?;
    if let Some(path) = &arguments.save {
        let problem = |error| format!("cannot write the scenario to {}: {error}", path.display());
        fs::write(path, &text).map_err(problem)?;
    }
    match &arguments.json {
        Some(path) => json::write(
            path,
            &json!({ "tries": tried, "scenario": scenario, "worst": run }),
        )?,
        None => print!("{text}"),
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn tell(scenario: &Scenario, run: &Run) -> String {
    let figures = &run.figures;
    let p99 = figures
        .latency_ms
        .p99
        .map_or("never".to_owned(), |ms| format!("{ms:.0} ms"));
    let broken = match figures.invariant_violations {
        0 => "",
        _ => "AN INVARIANT BROKEN, ",
    };
    format!(
        "{broken}on time {:.5}, upload {:.3}, p99 {p99}, seed {}: {}",
        figures.on_time_ratio,
        figures.upload_ratio_mean,
        figures.seed,
        scenario.behavior()
    )
}
