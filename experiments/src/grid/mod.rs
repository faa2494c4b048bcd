//! `hamlet-lab grid`: worlds under every combination of some options, over many seeds, as one table.

mod kept;
mod table;
mod vary;

use crate::{
    Outcome, interrupt, json, parallel,
    scenario::{Overrides, Scenario},
    simulate, trial,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use kept::Kept;
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
};
use table::Row;
use vary::Vary;

/// Run worlds under every combination of some options, and put the results into one table
///
/// Any option of `hamlet-lab simulate` that says something of the world can be varied. All combinations run with the
/// first seed, then all with the second, so that whenever it is stopped the table is even; equal worlds run once.
/// With --keep every world's result is kept, and the next call goes on where this one was stopped; it first runs one
/// kept world again, and refuses results that come out differently today. Exit status: 0 if no invariant was
/// broken, 1 if one was, 130 after Ctrl-C, which shows the table so far.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    hamlet-lab grid --preset adversaries --vary behavior=all --vary 'byzantine=0.1 0.2 0.3' --seeds 1..20 --keep it.jsonl\n  \
    hamlet-lab grid --preset scale --vary 'peers=100 320 1000 3200 10000' --keep scale.jsonl\n  \
    hamlet-lab grid world.toml --vary 'h=2 3' --vary 'loss=0 0.01 0.05' --json -")]
pub struct Arguments {
    /// What stays the same
    #[command(flatten)]
    world: Overrides,
    /// An option of `hamlet-lab simulate` and its values, with spaces between them; `behavior=all` is every kind
    #[arg(long, required = true, value_name = "OPTION=VALUES")]
    vary: Vec<Vary>,
    /// The file for the results of all worlds, one a line; made if there is none
    #[arg(long, value_name = "PATH")]
    keep: Option<PathBuf>,
    /// How many worlds run side by side, each on one thread [default: one per processor]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Where to write the results as JSON, one object per combination; `-` is the standard output, and then the
    /// table goes nowhere
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// A world that belongs to the grid.
struct World<'a> {
    scenario: &'a Scenario,
    seed: u64,
    /// The scenario with its seed, as text.
    text: String,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let mut combinations = Vec::new();
    for (values, world) in vary::combinations(&arguments.vary)? {
        combinations.push((values, arguments.world.varied(&world)?));
    }
    let kept = Kept::open(arguments.keep.as_deref())?;
    interrupt::listen()?;
    let threads = match arguments.threads {
        Some(threads) => threads.into(),
        None => parallel::processors(),
    };
    let kept = fill(kept, &combinations, threads)?;
    let rows = rows(&kept, combinations)?;
    if arguments.json.as_deref() != Some(Path::new("-")) {
        print!("{}", table::table(&arguments.vary, &rows));
    }
    if let Some(path) = &arguments.json {
        json::write(path, &to_json(&arguments.vary, &rows))?;
    }
    if interrupt::asked() {
        let again = match &arguments.keep {
            Some(_) => "the same command goes on from here",
            None => "with --keep PATH it could go on from here",
        };
        eprintln!("interrupted: the table holds the worlds that had ended; {again}");
        return Ok(ExitCode::from(interrupt::EXIT_STATUS));
    }
    let broken = |row: &Row| row.results["invariant_violations"] != 0;
    Ok(match rows.iter().any(broken) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Runs the worlds that were not run yet.
fn fill(
    kept: Kept,
    combinations: &[(Vec<String>, Scenario)],
    threads: usize,
) -> Result<Kept, String> {
    let worlds = worlds(combinations)?;
    let (done, missing): (Vec<_>, Vec<_>) = worlds
        .into_iter()
        .partition(|world| kept.get(&world.text).is_some());
    if !missing.is_empty() {
        check_again(&kept, &done)?;
    }
    let progress = ProgressBar::new((done.len() + missing.len()) as u64);
    let style =
        ProgressStyle::with_template("{wide_bar} world {pos} of {len}, {elapsed} gone, {eta} left");
    progress.set_style(style.map_err(|problem| problem.to_string())?);
    progress.inc(done.len() as u64);
    progress.reset_eta();
    let kept = Mutex::new(kept);
    let outcomes = parallel::map_on(threads, &missing, |world| {
        let run = run_one(world)?;
        // A world that Ctrl-C cut short tells nothing.
        if interrupt::asked() {
            return Ok(());
        }
        for violation in run["violations"].as_array().into_iter().flatten() {
            let violation = violation.as_str().unwrap_or_default();
            progress.suspend(|| eprintln!("{violation}"));
        }
        progress.inc(1);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.add(world.text.clone(), run)
    });
    progress.finish_and_clear();
    outcomes.into_iter().collect::<Result<(), String>>()?;
    Ok(kept.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Every world once, those of the first seed before those of the second.
fn worlds(combinations: &[(Vec<String>, Scenario)]) -> Result<Vec<World<'_>>, String> {
    let mut worlds = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, scenario) in combinations {
        for (place, seed) in scenario.seeds.iter().enumerate() {
            let text = text(scenario, seed)?;
            if seen.insert(text.clone()) {
                worlds.push((
                    place,
                    World {
                        scenario,
                        seed,
                        text,
                    },
                ));
            }
        }
    }
    worlds.sort_by_key(|(place, _)| *place);
    Ok(worlds.into_iter().map(|(_, world)| world).collect())
}

/// What makes a world, as text.
fn text(scenario: &Scenario, seed: u64) -> Result<String, String> {
    let one = scenario.with_seed(seed);
    let text = one.to_toml().map_err(|problem| problem.to_string())?;
    #[cfg(feature = "ablation")]
    let text = match scenario.without {
        Some(mechanism) => format!("{text}# without {mechanism:?}\n"),
        None => text,
    };
    Ok(text)
}

/// The result of a world; with what was broken in it, if anything.
fn run_one(world: &World) -> Result<Value, String> {
    let run = trial::run(world.scenario, world.seed).map_err(|problem| problem.to_string())?;
    let mut value = serde_json::to_value(&run).map_err(|problem| problem.to_string())?;
    if !run.violations.is_empty() {
        let all = run.violations.iter().map(ToString::to_string);
        value["violations"] = all.collect();
    }
    Ok(value)
}

/// Runs the kept world that took least again: results of another build may not be mixed with today's.
fn check_again(kept: &Kept, done: &[World]) -> Result<(), String> {
    let took = |world: &&World| {
        let run = kept.get(&world.text);
        run.and_then(|run| run["events"].as_u64())
            .unwrap_or(u64::MAX)
    };
    let Some(world) = done.iter().min_by_key(took) else {
        return Ok(());
    };
    let then = kept.get(&world.text).map(|run| &run["trace_hash"]);
    let now = run_one(world)?;
    if interrupt::asked() || then == Some(&now["trace_hash"]) {
        return Ok(());
    }
    Err(format!(
        "the results kept are those of another build of this program: a world of seed {} came out differently; \
         give another file by --keep, or delete this one",
        world.seed
    ))
}

/// The combinations of which anything was run.
fn rows(kept: &Kept, combinations: Vec<(Vec<String>, Scenario)>) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (values, scenario) in combinations {
        let mut runs = Vec::new();
        for seed in scenario.seeds.iter() {
            runs.extend(kept.get(&text(&scenario, seed)?).cloned());
        }
        if !runs.is_empty() {
            let results = Value::Object(simulate::summary(&runs));
            rows.push(Row { values, results });
        }
    }
    Ok(rows)
}

fn to_json(varied: &[Vary], rows: &[Row]) -> Vec<Value> {
    let object = |row: &Row| {
        let options = varied.iter().map(|vary| vary.option.clone());
        let values = row.values.iter().cloned().map(Value::from);
        let mut object = Map::new();
        object.insert(
            "varied".to_owned(),
            options.zip(values).collect::<Map<_, _>>().into(),
        );
        object.extend(row.results.as_object().cloned().unwrap_or_default());
        Value::Object(object)
    };
    rows.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn combinations() -> Vec<(Vec<String>, Scenario)> {
        let varied: [Vary; 2] =
            ["behavior=silent late", "byzantine=0 0.2"].map(|text| text.parse().unwrap());
        let of = |(values, world): (Vec<String>, Overrides)| {
            let base = Overrides::default();
            let mut scenario = base.varied(&world).unwrap();
            (scenario.peers, scenario.seconds) = (12, 0.5);
            scenario.seeds = "1..2".parse().unwrap();
            (values, scenario)
        };
        let all = vary::combinations(&varied).unwrap();
        all.into_iter().map(of).collect()
    }

    #[test]
    fn a_grid_goes_on_where_it_was_stopped_unless_the_program_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.jsonl");
        let all = combinations();
        let order: Vec<u64> = worlds(&all)
            .unwrap()
            .iter()
            .map(|world| world.seed)
            .collect();
        assert_eq!(
            order,
            [1, 1, 1, 2, 2, 2],
            "nobody is silent and nobody is late: one world"
        );
        fill(Kept::open(Some(&path)).unwrap(), &all[..2], 2).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        let kept = fill(Kept::open(Some(&path)).unwrap(), &all, 2).unwrap();
        let second = fs::read_to_string(&path).unwrap();
        assert!(second.starts_with(&first));
        assert_eq!((first.lines().count(), second.lines().count()), (4, 6));
        let rows = rows(&kept, all).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!(
            rows[0].results["runs"], rows[2].results["runs"],
            "both without liars"
        );
        assert_eq!(rows[3].results["seeds"], serde_json::json!([1, 2]));

        fs::write(
            &path,
            first.replace("\"trace_hash\":\"", "\"trace_hash\":\"0"),
        )
        .unwrap();
        let problem = fill(Kept::open(Some(&path)).unwrap(), &combinations(), 2)
            .err()
            .unwrap();
        assert!(problem.contains("another build"), "{problem}");
    }
}
