//! `hamlet cluster`

use super::{folder::FolderArguments, logs, output, signals};
use crate::{
    config::LogSettings,
    control::{
        client::Client,
        cluster::{ClusterStatus, Part},
        log::LogEntry,
    },
    failure::{Failure, Kind},
};
use clap::{Args, Subcommand};
use hamlet_overlay::genesis::Model;
use std::{fmt::Write, path::PathBuf, time::Duration};

/// How often the log is looked at to follow it.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// See what a peer's cluster agrees on, and write into its log
///
/// The members of a cluster keep one log, in which every entry is decided by a quorum of them. The node of the data
/// folder must run.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show the cluster's members, who of them is heard of, and where agreement is
    Show(Show),
    /// Show the newest entries of the cluster's log
    Log(Log),
    /// Enter a note into the cluster's log, and wait until the cluster has decided
    Propose(Propose),
}

#[derive(Args, Debug)]
struct Show {
    /// Write it as JSON to this file; without a path, or with -, to standard output
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArguments,
}

#[derive(Args, Debug)]
struct Log {
    /// Go on with entries as they are decided, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    follow: bool,
    #[command(flatten)]
    show: Show,
}

#[derive(Args, Debug)]
struct Propose {
    /// The note: up to 1024 bytes, which all members can read for as long as the log keeps it
    text: String,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    let (Command::Show(show)
    | Command::Log(Log { show, .. })
    | Command::Propose(Propose { show, .. })) = &arguments.command;
    logs::begin(log, &show.folder.config()?);
    let client = Client::of(&show.folder.folder()).await?;
    match &arguments.command {
        Command::Show(_) => {
            let status = client.cluster().await?;
            write(show, &status, || members(&status))
        }
        Command::Log(Log { follow: true, .. }) => tokio::select! {
            result = follow(&client) => result,
            interrupted = signals::interrupted() => {
                interrupted.map_err(|error| Failure::new(Kind::Failed, error))
            }
        },
        Command::Log(_) => {
            let entries = client.cluster_log().await?;
            write(show, &entries, || {
                entries.iter().map(LogEntry::line).collect()
            })
        }
        Command::Propose(propose) => {
            let entry = client.note(&propose.text).await?;
            write(show, &entry, || entry.line())
        }
    }
}

/// Shows entries as they are decided.
async fn follow(client: &Client) -> Result<(), Failure> {
    let mut next = 0;
    loop {
        let entries = client.cluster_log().await?;
        if let Some(oldest) = entries
            .first()
            .filter(|oldest| next > 0 && oldest.number > next)
        {
            let text = format!("        {} entries were missed\n", oldest.number - next);
            if output::print_more(&text)?.is_break() {
                return Ok(());
            }
        }
        for entry in entries.iter().filter(|entry| entry.number >= next) {
            if output::print_more(&entry.line())?.is_break() {
                return Ok(());
            }
        }
        next = entries.last().map_or(next, |newest| newest.number + 1);
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}

fn write(
    show: &Show,
    value: &impl serde::Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    match &show.json {
        Some(path) => output::json(path, value),
        None => output::print(&text()),
    }
}

/// The cluster for people.
fn members(status: &ClusterStatus) -> String {
    let model = match status.fault_model {
        Model::PartialSynchrony => "partial synchrony".to_owned(),
        Model::Synchrony { bound } => format!("synchrony within {bound:?}"),
    };
    let mut text = format!(
        "cluster    {}, epoch {}, {} members, {} may be faulty under {model}, {} decide\n\
         log        height {}, view {}\n",
        status.cluster,
        status.epoch,
        status.members.len(),
        status.faults,
        status.quorum,
        status.height,
        status.view
    );
    let part = match status.part {
        Part::Member => None,
        Part::Joining => Some("fetches the state that the epoch begins with"),
        Part::Waiting => {
            Some("lost what it had stored, and takes part again from the next epoch on")
        }
        Part::Outside => Some("is no member"),
    };
    if let Some(part) = part {
        // Writing into memory does not fail.
        let _ = writeln!(text, "this peer  {part}");
    }
    for member in &status.members {
        let heard = match (member.me, member.heard_ms) {
            (true, _) => "this peer".to_owned(),
            (false, Some(ms)) => format!("heard of {:.1} s ago", ms as f64 / 1e3),
            (false, None) => "not heard of".to_owned(),
        };
        let leads = if member.leads { ", leads" } else { "" };
        // Writing into memory does not fail.
        let _ = writeln!(text, "member     {} {heard}{leads}", member.peer);
    }
    if let Some(ms) = status.asynchrony_ms {
        let _ = writeln!(
            text,
            "asynchrony {:.1} s ago more members were silent than may be faulty: messages take longer than assumed, or are held up",
            ms as f64 / 1e3
        );
    }
    if let Some(why) = &status.failed {
        let _ = writeln!(text, "stopped    {why}");
    }
    text
}
