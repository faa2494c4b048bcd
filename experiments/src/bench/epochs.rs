//! How fast a cluster's members can change, and what that costs.

use crate::{Outcome, interrupt, json};
use clap::Args;
use hamlet_consensus::{FaultModel, Settings};
use hamlet_simulator::turnover::{self, Setup};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

/// Measures how fast a cluster's members can change, with nobody silent and with as many silent members as may be faulty.
///
/// In virtual time, over links of 50 ms, with signatures as long as real ones. In every epoch some members are replaced by
/// peers that were none; the next change is wanted as soon as all honest members of an epoch have begun it, or every four
/// seconds. A change is over when every honest member of the next epoch has begun, newcomers with the state that they fetched.
///
/// Example:
///   hamlet-lab bench epochs --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Changes for each figure.
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    changes: u64,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// A cluster whose members change.
#[derive(Serialize)]
struct Row {
    members: u8,
    silent: u8,
    replaced_per_epoch: u8,
    /// What replicas are told that a message usually takes at most.
    configured_delay_ms: u64,
    /// The time from one change to the next; none if the next is wanted at once.
    every_ms: Option<u64>,
    epochs_per_minute: f64,
    change_mean_ms: f64,
    change_max_ms: f64,
    first_newcomer_mean_ms: f64,
    /// What an honest member sends.
    sent_bytes_per_s: f64,
    /// The same, by what was sent.
    sent_bytes_per_s_by_message: BTreeMap<&'static str, f64>,
}

/// Runs the benchmark.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut rows = Vec::new();
    eprintln!(
        "members silent replaced  delay  every | epochs a minute  change mean     max  newcomer | sent per member"
    );
    let configured = [150, 1000].map(Duration::from_millis);
    let cases = [Duration::ZERO, Duration::from_secs(4)];
    for members in [8, 32] {
        let most = FaultModel::PartialSynchrony.faults(members.into()) as u8;
        for (silent, delay, every) in [0, most]
            .into_iter()
            .flat_map(|silent| configured.map(|delay| (silent, delay)))
            .flat_map(|(silent, delay)| cases.map(|every| (silent, delay, every)))
        {
            let setup = Setup {
                members,
                silent,
                replaced: members / 8,
                link: Duration::from_millis(50),
                epoch: every,
                settings: Settings {
                    delay,
                    ..Settings::default()
                },
            };
            let row = measure(setup, arguments.changes);
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

fn measure(setup: Setup, changes: u64) -> Row {
    let turnover = turnover::run(setup, changes);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let every = (!setup.epoch.is_zero()).then_some(setup.epoch);
    Row {
        members: setup.members,
        silent: setup.silent,
        replaced_per_epoch: setup.replaced,
        configured_delay_ms: setup.settings.delay.as_millis() as u64,
        every_ms: every.map(|every| every.as_millis() as u64),
        epochs_per_minute: turnover.epochs as f64 * 60.0 / turnover.elapsed.as_secs_f64().max(1e-9),
        change_mean_ms: ms(turnover.change_mean),
        change_max_ms: ms(turnover.change_max),
        first_newcomer_mean_ms: ms(turnover.newcomer_mean),
        sent_bytes_per_s: turnover.sent_bytes_per_s,
        sent_bytes_per_s_by_message: turnover.by_message,
    }
}

fn tell(row: &Row) {
    let every = row.every_ms.map_or("at once".to_owned(), |ms| {
        format!("{:.0} s", ms as f64 / 1e3)
    });
    eprintln!(
        "{:>7} {:>6} {:>8} {:>4} ms {every:>6} | {:>15.0} {:>9.0} ms {:>4.0} ms {:>6.0} ms | {:>8.0} bytes/s",
        row.members,
        row.silent,
        row.replaced_per_epoch,
        row.configured_delay_ms,
        row.epochs_per_minute,
        row.change_mean_ms,
        row.change_max_ms,
        row.first_newcomer_mean_ms,
        row.sent_bytes_per_s,
    );
}
