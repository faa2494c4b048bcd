//! `hamlet-lab report`: saved runs beside one another.

use super::learning::{self, Shown};
use crate::{
    Outcome,
    learn::{baselines, saved::Saved, stage::Stage},
};
use clap::Args;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

/// Show saved runs of `learn` as one HTML file, several beside one another
///
/// hamlet-lab learn … --graph caveman --sampler graph --save open.models
/// hamlet-lab learn … --graph caveman --sampler triangles --save gated.models
/// hamlet-lab report open.models gated.models -o triangulation.html
///
/// Runs with the same options and other seeds are one curve with a band. The data and graphs that the runs
/// name are read again.
#[derive(Args)]
pub struct Arguments {
    /// Files that `learn --save` wrote
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where to write the report
    #[arg(short, long, default_value = "report.html")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let mut worlds = Vec::new();
    for path in &arguments.runs {
        let saved = Saved::read(path)?;
        let stage = Stage::set(&saved.options()?, saved.seed)?;
        if stage.partition.peers() != saved.arena.peers() {
            let path = path.display();
            return Err(
                format!("{path} was learned from other data than its options now name").into(),
            );
        }
        let baselines = baselines::compute(
            stage.world(),
            saved.arena.learner(),
            saved.arena.round(),
            saved.seed,
        );
        worlds.push((saved, stage, baselines));
    }
    let shown: Vec<Shown<'_>> = (worlds.iter())
        .map(|(saved, stage, baselines)| Shown {
            saved,
            stage,
            baselines,
        })
        .collect();
    let html = learning::html(&shown)?;
    let problem = |error| -> Box<dyn Error> {
        format!("cannot write {}: {error}", arguments.output.display()).into()
    };
    fs::write(&arguments.output, html).map_err(problem)?;
    println!("open {} in a browser", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
