//! `hamlet status`

use super::{folder::FolderArguments, logs, output};
use crate::{
    config::{LogSettings, Rate},
    control::{client::Client, status::Status},
    failure::Failure,
};
use clap::Args;
use std::{fmt::Write, path::PathBuf, time::Duration};

/// Show what the node that runs in a data folder is doing
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
    let status = client.status().await?;
    match &arguments.json {
        Some(path) => output::json(path, &status),
        None => output::print(&text(&status)),
    }
}

/// The status for people.
fn text(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let network = &status.network;
    let running = Duration::from_secs(status.running_ms / 1000);
    line("network", format!("{} ({})", network.id, network.name));
    line(
        "",
        format!("{} peers in {} clusters", network.peers, network.clusters),
    );
    line(
        "peer",
        format!("{}, cluster {}", status.peer, status.cluster),
    );
    line("running", format!("{running:?}"));
    line("listening", status.listening.join(" "));
    let links = format!("{} of {}", status.links_connected, status.links_wanted);
    line("links", links);
    let traffic = format!(
        "{} sent, {} received",
        bytes(status.sent_bytes),
        bytes(status.received_bytes)
    );
    line("traffic", traffic);
    let refused: Vec<String> = status
        .refused
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    if !refused.is_empty() {
        line("refused", refused.join(", "));
    }
    for stream in &status.streams {
        line("stream", stream.uri.clone());
        let rate = Rate {
            bits_per_s: stream.max_bits_per_s.max(1),
        };
        let role = match (stream.own, stream.received) {
            (true, _) => format!(
                "published here, up to {rate}; {} segments",
                stream.published
            ),
            (false, true) => format!("received, up to {rate}"),
            (false, false) => format!("relayed, up to {rate}"),
        };
        line("", role);
        line(
            "",
            format!("play {} ({} playing)", stream.player, stream.players),
        );
        if stream.received {
            let received = format!(
                "{} segments, {}; {} repaired, {} left out",
                stream.delivered,
                bytes(stream.delivered_bytes),
                stream.repaired,
                stream.skipped
            );
            line("", received);
        }
        if let Some(why) = &stream.stopped {
            line("", format!("ended for good: {why}"));
        }
    }
    text
}

/// A number of bytes for people.
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
