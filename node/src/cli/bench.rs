//! `hamlet bench`

use super::{logs, output};
use crate::{
    bench::playback::{self, Options},
    config::{ConfigFile, LogSettings},
    failure::Failure,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Measure what a viewer sees, in a real browser
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// How soon, how late and how steadily Chromium shows the stream of a demonstration
    ///
    /// For each share of silent peers a demonstration runs in this process; its page is opened in mid-stream,
    /// and then its stream is played with one playout delay after the other.
    Playback {
        #[command(flatten)]
        options: Options,
        /// Write the figures as JSON to this file; - is standard output
        #[arg(long, value_name = "PATH")]
        json: Option<PathBuf>,
    },
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    logs::begin(log, &ConfigFile::default());
    let Command::Playback { options, json } = &arguments.command;
    let figures = playback::measure(options).await?;
    match json {
        Some(path) => {
            eprint!("{figures}");
            output::json(path, &figures)
        }
        None => output::print(&figures.to_string()),
    }
}
