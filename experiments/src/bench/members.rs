//! What it costs a network that members of its clusters change, and how long newcomers wait.

use crate::{Outcome, interrupt, json};
use clap::Args;
use hamlet_consensus::Model;
use hamlet_simulator::torture::members::{Cost, Setting, measure};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Measures what it costs a network that members of its clusters change, and how long newcomers wait until they relay.
///
/// Whole peers in four clusters through which a stream plays, in virtual time, over links of 20 to 100 ms: at rest, and with
/// members of every cluster replaced in every epoch of four seconds, under both fault models.
///
/// Example:
///   hamlet-lab bench members --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// For how long members change, in seconds of the network's time.
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u16).range(8..=600))]
    seconds: u16,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row {
    /// The bound on delays that is assumed, if one is.
    synchrony_ms: Option<u64>,
    epoch_ms: u32,
    #[serde(flatten)]
    cost: Cost,
}

/// Runs the benchmark.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut rows = Vec::new();
    eprintln!(
        "    model members replaced | epochs a minute  control per member | member after  relays after (at most)"
    );
    let synchrony = Model::Synchrony {
        bound: Duration::from_secs(1),
    };
    for (model, size) in [Model::PartialSynchrony, synchrony]
        .into_iter()
        .flat_map(|model| [8, 32].map(|size| (model, size)))
    {
        for replaced in [0, size / 8] {
            let cost = measure(Setting {
                clusters: 4,
                size,
                model,
                epoch_ms: 4_000,
                replaced,
                seconds: arguments.seconds,
            });
            let cost = cost?;
            let synchrony_ms = model.bound().map(|bound| bound.as_millis() as u64);
            let row = Row {
                synchrony_ms,
                epoch_ms: 4_000,
                cost,
            };
            tell(&row);
            rows.push(row);
            if interrupt::asked() {
                return Ok(ExitCode::from(interrupt::EXIT_STATUS));
            }
        }
    }
    if let Some(path) = &arguments.json {
        json::write(path, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(row: &Row) {
    let cost = &row.cost;
    let model = row
        .synchrony_ms
        .map_or("partial".to_owned(), |ms| format!("{ms} ms"));
    let ms = |time: Option<f64>| time.map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
    eprintln!(
        "{model:>9} {:>7} {:>8} | {:>15.1} {:>12.0} bytes/s | {:>12} {:>13} ({})",
        cost.members,
        cost.replaced,
        cost.epochs_per_minute,
        cost.control_bytes_per_member_s,
        ms(cost.member_ms),
        ms(cost.relays_ms),
        ms(cost.relays_max_ms),
    );
}
