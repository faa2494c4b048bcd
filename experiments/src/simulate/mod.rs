//! `hamlet-lab simulate`: a stream through a deterministic world of whole peers.

mod arguments;
mod results;
mod runner;
mod table;

pub use arguments::Arguments;
pub use results::{Run, summary};
pub use runner::{Threads, run_one};

use crate::{Outcome, interrupt, json, process, scenario};
use std::{env, io, path::Path, process::ExitCode};

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    if arguments.world.lists_presets() {
        print!("{}", scenario::presets());
        return Ok(ExitCode::SUCCESS);
    }
    let scenario = arguments.world.scenario()?;
    interrupt::listen()?;
    let runs = runner::run(&scenario, arguments.threads())?;
    let on_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    if !on_stdout {
        table::print(io::stdout().lock(), &runs)?;
    }
    if let Some(path) = &arguments.json {
        json::write(path, &results::to_json(&runs, process::peak_rss_bytes())?)?;
    }
    let mut broken = false;
    for run in runs.iter().filter(|run| !run.violations.is_empty()) {
        broken = true;
        for violation in &run.violations {
            eprintln!("{violation}");
        }
        eprintln!(
            "replay it by: {}",
            arguments::replay(env::args(), run.figures.seed)
        );
    }
    Ok(match (interrupt::asked(), broken) {
        (true, _) => {
            eprintln!("interrupted: the results are those of what ran until then");
            ExitCode::from(interrupt::EXIT_STATUS)
        }
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}
