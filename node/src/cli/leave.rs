//! `hamlet leave`

use super::{folder::FolderArguments, logs, output};
use crate::{config::LogSettings, control::client::Client, failure::Failure};
use clap::Args;
use std::path::PathBuf;

/// Leave the network: have the node give up its peer's place, and end
///
/// The members of its cluster need not find out that it is gone, and nothing that it owes is waited for. It can come back: the
/// folder keeps its key, and `hamlet node` asks for a place again. Who only wants to stop for a moment ends the node with Ctrl-C.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Write it as JSON to this file; without a path, or with -, to standard output
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArguments,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    logs::begin(log, &arguments.folder.config()?);
    let client = Client::of(&arguments.folder.folder()).await?;
    let left = client.leave().await?;
    match &arguments.json {
        Some(path) => output::json(path, &left),
        None => output::print(&format!(
            "left: cluster {} does without this peer from epoch {} on\n",
            left.cluster, left.epoch
        )),
    }
}
