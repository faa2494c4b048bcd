//! `hamlet-lab soak`: runs seeds until it is stopped, and keeps what broke.

use crate::{
    Outcome, interrupt, parallel,
    scenario::Overrides,
    trial::{self, Bar},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Run seeds until stopped, and keep what broke
///
/// Every world that fails is kept as a scenario of its own with its figures beside it, for `hamlet-lab simulate`
/// and `hamlet-lab shrink`. It runs until Ctrl-C, or to the last of --seeds. Exit status: 0 if nothing broke, 1 if
/// something did.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    hamlet-lab soak --preset mixed --peers 320 --keep broken")]
pub struct Arguments {
    /// What world
    #[command(flatten)]
    world: Overrides,
    /// What it has to reach
    #[command(flatten)]
    bar: Bar,
    /// The folder for what broke, made if there is none
    #[arg(long, value_name = "FOLDER", default_value = "broken")]
    keep: PathBuf,
}

/// How many worlds are begun at once.
const AT_ONCE: u64 = 8;

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let scenario = arguments.world.scenario()?;
    // One seed is where to begin; a stretch of them is all there is to do.
    let (first, last) = (scenario.seeds.first(), scenario.seeds.last());
    let last = if first == last { u64::MAX } else { last };
    interrupt::listen()?;
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template(
        "{spinner} {pos} worlds in {elapsed}  {msg}",
    )?);
    let (mut next, mut broken) = (first, 0u64);
    while next <= last && !interrupt::asked() {
        let seeds: Vec<u64> = (next..=last.min(next.saturating_add(AT_ONCE - 1))).collect();
        let outcomes = parallel::map(&seeds, |&seed| {
            let run = trial::run(&scenario, seed).map_err(|problem| problem.to_string())?;
            // A world that Ctrl-C cut short has not failed.
            let failure = arguments.bar.failure(&run).filter(|_| !interrupt::asked());
            let Some(failure) = failure else {
                progress.inc(u64::from(!interrupt::asked()));
                return Ok(false);
            };
            progress.inc(1);
            let text = scenario
                .with_seed(seed)
                .to_toml()
                .map_err(|problem| problem.to_string())?;
            let figures =
                serde_json::to_string_pretty(&run).map_err(|problem| problem.to_string())?;
            let name = keep(&arguments.keep, seed, &text, &figures)?;
            progress.println(format!("seed {seed}: {failure}; kept as {name}"));
            Ok::<bool, String>(true)
        });
        for outcome in outcomes {
            broken += u64::from(outcome?);
        }
        progress.set_message(format!("{broken} broke"));
        next = seeds.last().map_or(u64::MAX, |last| last.saturating_add(1));
    }
    let worlds = progress.position();
    progress.finish_and_clear();
    println!("{worlds} worlds from seed {first} on: {broken} broke");
    Ok(match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Keeps a world that broke; its file's name.
fn keep(folder: &Path, seed: u64, scenario: &str, figures: &str) -> Result<String, String> {
    let path = folder.join(format!("seed-{seed}.toml"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, scenario))
        .and_then(|()| fs::write(path.with_extension("json"), figures))
        .map_err(|problem| format!("cannot keep what broke in {}: {problem}", folder.display()))?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_is_kept_with_its_figures() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let name = keep(&inner, 7, "peers = 9", "{}").unwrap();
        assert_eq!(fs::read_to_string(name).unwrap(), "peers = 9");
        assert_eq!(fs::read_to_string(inner.join("seed-7.json")).unwrap(), "{}");
    }
}
