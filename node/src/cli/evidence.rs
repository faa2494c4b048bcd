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

    use crate::cli::Cli;
    use clap::Parser;
    use hamlet_consensus::vote::{SignedVote, Vote};
    use hamlet_overlay::{
        evidence::Votes,
        genesis::{Founder, Genesis, Parameters},
        hash::{Hash, hex},
        identity::{Ed25519Signer, PeerId, Signer},
        membership::admission::Credential,
    };

    fn network(founder: PeerId) -> Network {
        let genesis = Genesis {
            admission: Default::default(),
            name: "test".into(),
            parameters: Parameters::for_peers(1),
            seed: Hash([5; 32]),
            founders: vec![Founder {
                id: founder,
                addresses: vec!["/ip4/127.0.0.1/udp/4711/quic-v1".into()],
            }],
            publishers: Vec::new(),
        };
        genesis.found().unwrap()
    }

    #[tokio::test]
    async fn evidence_from_a_file_is_checked_against_the_genesis_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        let network = network(signer.id());
        let genesis = folder.path().join("genesis.toml");
        fs::write(&genesis, genesis::to_text(&network)).unwrap();
        let signed = |vote: Vote| SignedVote {
            vote,
            signature: signer.sign(vote.text_in(network.id(), Hash([3; 32])).statement()),
        };
        let votes = |second| {
            Evidence::Votes(Box::new(Votes {
                epoch: Hash([3; 32]),
                votes: hamlet_consensus::evidence::Evidence {
                    culprit: signer.id(),
                    first: signed(Vote::Nullify(7)),
                    second: signed(second),
                },
                credential: Credential::Key,
            }))
        };
        let file = folder.path().join("evidence");
        let verify = async |text: &str| {
            fs::write(&file, text).unwrap();
            let words = ["hamlet", "evidence", "verify", "--genesis"].map(Into::into);
            let words = words
                .into_iter()
                .chain([genesis.clone(), file.clone()].map(Into::into));
            let words: Vec<std::ffi::OsString> = words.collect();
            Cli::try_parse_from(words).unwrap().run().await
        };
        let guilty = votes(Vote::Abandon(7));
        verify(&hex(&guilty.encode())).await.unwrap();
        let innocent = verify(&hex(&votes(Vote::Abandon(8)).encode())).await;
        assert_eq!(innocent.unwrap_err().kind, Kind::Refused);
        assert_eq!(verify("{}").await.unwrap_err().kind, Kind::Input);
        let proof = Proof {
            id: guilty.id().to_string(),
            culprit: signer.id().to_string(),
            kind: guilty.kind(),
            why: guilty.kind().to_string(),
            says: guilty.to_string(),
            heard_unix_ms: 1,
            barred: true,
            until_unix_ms: None,
            evidence: hex(&guilty.encode()),
        };
        verify(&serde_json::to_string(&proof).unwrap())
            .await
            .unwrap();
        assert!(lines(std::slice::from_ref(&proof)).contains("two votes"));
        assert!(whole(&proof).contains("from the next epoch on"));
    }

    #[test]
    fn hexadecimal_digits_are_read_in_pairs_and_nothing_else_is() {
        assert_eq!(bytes("00fF\n"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "ü", "日本"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
