//! `hamlet peers`

use super::{folder::FolderArguments, logs, output};
use crate::{
    config::LogSettings,
    control::{client::Client, peers::Around},
    failure::Failure,
};
use clap::Args;
use std::{fmt::Write, path::PathBuf};

/// Show the peers around the node's own: its fellows, and those in the clusters next to its own
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
    let peers = client.peers().await?;
    match &arguments.json {
        Some(path) => output::json(path, &peers),
        None => output::print(&text(&peers)),
    }
}

/// The peers for people: fellows first, then cluster by cluster.
fn text(peers: &[Around]) -> String {
    let mut peers: Vec<&Around> = peers.iter().collect();
    peers.sort_by_key(|peer| (!peer.fellow, peer.cluster.is_none(), peer.cluster));
    let mut text = String::new();
    for peer in peers {
        let place = match (peer.cluster, peer.fellow) {
            (Some(cluster), true) => format!("cluster {cluster}, a fellow"),
            (Some(cluster), false) => format!("cluster {cluster}"),
            (None, _) => "no place around here".to_owned(),
        };
        let link = match peer.connected {
            Some(true) => "linked",
            Some(false) => "not reached",
            None => "no link needed",
        };
        // Writing into memory does not fail.
        let _ = write!(text, "{}  {place:<22} {link}", peer.peer);
        if peer.refused > 0 {
            let _ = write!(text, ", {} frames refused", peer.refused);
        }
        text.push('\n');
    }
    text
}
