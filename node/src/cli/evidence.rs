//! `hamlet evidence`

use super::{folder::FolderArguments, logs, output};
use crate::{
    config::LogSettings,
    control::{
        client::Client,
        evidence::{Proof, bytes},
    },
    data::genesis,
    failure::{Failure, Kind},
};
use clap::{Args, Subcommand};
use hamlet_overlay::{
    evidence::{Evidence, Laws},
    genesis::Network,
    identity::Ed25519Verifier,
};
use serde::Serialize;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// See who is proved guilty and barred, and check the proofs
///
/// Evidence is two statements, signed by one key, that no honest peer makes both. It proves itself: nobody has to be believed.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show the evidence that the running node of a data folder keeps, the newest first
    List(Show),
    /// Show one piece of it, whole
    Show(One),
    /// Check evidence from a file against a genesis, offline
    Verify(Verify),
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
struct One {
    /// The id of the evidence, or how it begins
    id: String,
    #[command(flatten)]
    show: Show,
}

#[derive(Args, Debug)]
struct Verify {
    /// What `hamlet evidence show ID --json` wrote, or the evidence in hexadecimal
    file: PathBuf,
    /// The genesis of the network [default: that in the data folder]
    #[arg(long, value_name = "PATH")]
    genesis: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

/// What came of checking evidence.
#[derive(Debug, Serialize)]
struct Verdict {
    /// Whether it proves that the culprit is guilty.
    proves: bool,
    id: String,
    culprit: Option<String>,
    why: String,
    says: String,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    let (Command::List(show)
    | Command::Show(One { show, .. })
    | Command::Verify(Verify { show, .. })) = &arguments.command;
    logs::begin(log, &show.folder.config()?);
    match &arguments.command {
        Command::List(show) => {
            let all = client(show).await?.evidence().await?;
            match &show.json {
                Some(path) => output::json(path, &all),
                None => output::print(&lines(&all)),
            }
        }
        Command::Show(one) => {
            let mut all = client(show).await?.evidence().await?;
            all.retain(|proof| proof.id.starts_with(&one.id));
            let [proof] = &all[..] else {
                let text = format!(
                    "{} pieces of evidence begin with {}; `hamlet evidence list` shows all",
                    all.len(),
                    one.id
                );
                return Err(Failure::new(Kind::Input, text));
            };
            match &show.json {
                Some(path) => output::json(path, proof),
                None => output::print(&whole(proof)),
            }
        }
        Command::Verify(verify) => check(verify),
    }
}

async fn client(show: &Show) -> Result<Client, Failure> {
    Client::of(&show.folder.folder()).await
}

fn lines(all: &[Proof]) -> String {
    let mut text = String::new();
    for proof in all {
        let (id, culprit) = (&proof.id[..12], &proof.culprit[..12]);
        // Writing into memory does not fail.
        let _ = writeln!(text, "{id}  {culprit}  {:<10}  {}", term(proof), proof.why);
    }
    text
}

fn term(proof: &Proof) -> &'static str {
    if proof.barred { "barred" } else { "not barred" }
}

fn whole(proof: &Proof) -> String {
    let until = match (proof.barred, proof.until_unix_ms) {
        (false, _) => "no".to_owned(),
        (true, None) => "yes, from the next epoch on".to_owned(),
        (true, Some(until)) => format!("until {until} ms after 1970, by the cluster's clock"),
    };
    format!(
        "evidence   {}\nagainst    {}\nproves     {}\nby         {}\nbarred     {until}\n",
        proof.id, proof.culprit, proof.why, proof.says
    )
}

/// Evidence from a file, as JSON or in hexadecimal.
fn read(path: &Path) -> Result<Evidence, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Input, format!("{}: {why}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let proof: Option<Proof> = serde_json::from_str(&text).ok();
    let evidence = match proof {
        Some(proof) => proof.decode(),
        None => bytes(&text).and_then(|bytes| Evidence::decode(&bytes).ok()),
    };
    evidence.ok_or_else(|| {
        wrong(&"this is no evidence; `hamlet evidence show ID --json PATH` writes what is wanted")
    })
}

fn network(verify: &Verify) -> Result<Network, Failure> {
    match &verify.genesis {
        Some(path) => Ok(genesis::read(path)?),
        None => Ok(verify.show.folder.folder().network()?),
    }
}

fn check(verify: &Verify) -> Result<(), Failure> {
    let (network, evidence) = (network(verify)?, read(&verify.file)?);
    let laws = Laws::of(&network, &Ed25519Verifier);
    let culprit = evidence.culprit(laws.publishers);
    let verdict = Verdict {
        proves: evidence.convicts(laws),
        id: evidence.id().to_string(),
        culprit: culprit.map(|culprit| culprit.to_string()),
        why: evidence.kind().to_string(),
        says: evidence.to_string(),
    };
    if let Some(path) = &verify.show.json {
        output::json(path, &verdict)?;
    }
    if !verdict.proves {
        let text = format!(
            "{} proves nothing in this network: the statements do not contradict each other, are not signed by the key \
             that they are held against, or that key is not admitted",
            verify.file.display()
        );
        return Err(Failure::new(Kind::Refused, text));
    }
    match (&verify.show.json, &verdict.culprit) {
        (None, Some(culprit)) => output::print(&format!(
            "{culprit} is guilty: {}\n{}\n",
            verdict.why, verdict.says
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_in_pairs_and_nothing_else_is() {
        assert_eq!(bytes("00fF\n"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "ü", "日本"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
