//! `hamlet-lab simulate`: a stream through a deterministic world of whole peers.

use crate::{Outcome, interrupt, json, process, seeds::Seeds};
use clap::Args;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Stream through a deterministic world of whole peers, some of them Byzantine.
#[derive(Args)]
pub struct Arguments {
    /// Seed of the world; everything in it follows from this number.
    #[arg(long, default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// Several worlds, in parallel: the first and the last seed.
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Where to write the results as JSON; `-` is the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let seeds = arguments.seeds.unwrap_or(Seeds::one(arguments.seed));
    let seeds: Vec<u64> = seeds.iter().take_while(|_| !interrupt::asked()).collect();
    let cpu_ms = process::thread_cpu_time().map(|time| time.as_millis());
    if let Some(path) = arguments.json {
        let rss = process::peak_rss_bytes();
        json::write(
            &path,
            &json!({ "seeds": seeds, "peak_rss_bytes": rss, "cpu_ms": cpu_ms }),
        )?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}
