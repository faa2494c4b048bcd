//! `hamlet member`

use super::{folder::FolderArguments, logs, output};
use crate::{
    config::{ConfigFile, LogSettings},
    control::{
        client::Client,
        cluster::Wanted,
        log::{LogEntry, What},
    },
    data::{Folder, Invitation, SecretKey, card, genesis},
    failure::{Failure, Kind},
};
use clap::{Args, Subcommand};
use hamlet_consensus::beacon;
use hamlet_overlay::{
    agreement::{
        card::{Card, MAX_ADDRESS_BYTES},
        order::MAX_ADDRESSES,
    },
    identity::{Ed25519Signer, PeerId},
    membership::admission::Admission,
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Add peers to a cluster and remove them
///
/// The members of a cluster change when the operators of more of them want it than may be faulty. A new peer makes a
/// folder with `hamlet member new`, which prints its card, and runs `hamlet node`; then the operators of enough members
/// run `hamlet member add CARD`. The change comes with the cluster's next epoch, a few seconds later, and its neighbours
/// hear of it. Streams play on meanwhile.
///
/// In a network that admits peers by itself (`hamlet network new --admit`) a new peer's folder names no cluster, and nobody adds it: run
/// `hamlet node`, and it walks to a place that nobody chose.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make the folder of a new peer, and print its card
    New(New),
    /// Print the card of a folder's peer
    Card(CardArguments),
    /// Want the peer of a card added to this node's cluster
    Add(Add),
    /// Want a member removed from this node's cluster
    Remove(Remove),
}

#[derive(Args, Debug)]
struct New {
    /// The genesis of the network
    #[arg(long, value_name = "PATH")]
    genesis: PathBuf,
    /// The number of the cluster whose operators take the peer in; in a network where peers may join, none is named
    #[arg(long, value_name = "NUMBER")]
    cluster: Option<u64>,
    /// What admits the peer, where peers are invited: what `hamlet invite` printed for its key. It may be written into the
    /// configuration later
    #[arg(long, value_name = "INVITATION")]
    invitation: Option<Invitation>,
    /// A peer to ask the way into the network [default: founders]; may be given more than once
    #[arg(long, value_name = "KEY@MULTIADDRESS", value_delimiter = ',')]
    join: Vec<String>,
    /// Where other peers reach it; may be given more than once
    #[arg(
        long,
        required = true,
        value_name = "MULTIADDRESS",
        value_delimiter = ','
    )]
    address: Vec<String>,
    /// Where players and commands reach its node [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS")]
    http: Option<std::net::SocketAddr>,
    #[command(flatten)]
    folder: FolderArguments,
}

#[derive(Args, Debug)]
struct CardArguments {
    /// Where other peers reach it [default: where it listens by its configuration]; may be given more than once
    #[arg(long, value_name = "MULTIADDRESS", value_delimiter = ',')]
    address: Vec<String>,
    #[command(flatten)]
    folder: FolderArguments,
}

#[derive(Args, Debug)]
struct Add {
    /// The card, as `hamlet member card` prints it
    card: String,
    #[command(flatten)]
    wanted: WantedArguments,
}

#[derive(Args, Debug)]
struct Remove {
    /// The member's key, as `hamlet cluster show` prints it
    peer: PeerId,
    #[command(flatten)]
    wanted: WantedArguments,
}

#[derive(Args, Debug)]
struct WantedArguments {
    /// Write the entry of the log as JSON to this file; without a path, or with -, to standard output
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArguments,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::New(new) => new.run(),
        Command::Card(arguments) => {
            let folder = arguments.folder.folder();
            let config = arguments.folder.config()?;
            let listen = config.listen.unwrap_or_default();
            let addresses = match arguments.address.is_empty() {
                true => listen,
                false => arguments.address.clone(),
            };
            print_card(&folder, addresses)
        }
        Command::Add(add) => {
            let wanted = Wanted::Add(add.card.clone());
            want(log, &add.wanted, &wanted).await
        }
        Command::Remove(remove) => {
            let wanted = Wanted::Remove(remove.peer.to_string());
            want(log, &remove.wanted, &wanted).await
        }
    }
}

async fn want(
    log: &LogSettings,
    arguments: &WantedArguments,
    wanted: &Wanted,
) -> Result<(), Failure> {
    logs::begin(log, &arguments.folder.config()?);
    let client = Client::of(&arguments.folder.folder()).await?;
    let entry = client.want(wanted).await?;
    match &arguments.json {
        Some(path) => output::json(path, &entry),
        None => output::print(&answer(&entry)),
    }
}

/// What came of it, for people.
fn answer(entry: &LogEntry) -> String {
    let (&What::Add {
        supporters, needed, ..
    }
    | &What::Remove {
        supporters, needed, ..
    }) = &entry.what
    else {
        return entry.line();
    };
    match needed.checked_sub(supporters) {
        None | Some(0) => format!("{supporters} members want it: it is done with the next epoch\n"),
        Some(more) => format!(
            "{supporters} of {needed} members want it; the operators of {more} more have to say the same on their nodes\n"
        ),
    }
}

/// The configuration of a new peer.
#[derive(Serialize)]
struct Configuration<'a> {
    listen: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    join: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<std::net::SocketAddr>,
}

impl New {
    fn run(&self) -> Result<(), Failure> {
        let network = genesis::read(&self.genesis)?;
        let clusters = network.clusters().len() as u64;
        let problem = match self.cluster {
            Some(cluster) if cluster >= clusters => Some(format!(
                "there is no cluster {cluster}: clusters are numbered from 0 to {}",
                clusters - 1
            )),
            None if network.genesis().admission == Admission::Closed => Some(
                "nobody may join this network by itself: say with --cluster whose operators take the peer in".to_owned(),
            ),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Failure::new(Kind::Configuration, problem));
        }
        let folder = self.folder.folder();
        folder.create()?;
        let text = toml::to_string(&Configuration {
            listen: &self.address,
            cluster: self.cluster,
            invitation: self.invitation.map(|invitation| invitation.to_string()),
            join: &self.join,
            http: self.http,
        });
        // Our own types all have a form in TOML.
        let text = text.unwrap_or_default();
        if let Err(mistake) = ConfigFile::parse(&folder.config(), &text) {
            return Err(Failure::new(Kind::Configuration, mistake));
        }
        check(&self.address)?;
        // First of all, since it is never replaced.
        SecretKey::generate()?.write(&folder.key())?;
        write(&folder.config(), &text)?;
        write(&folder.genesis(), &genesis::to_text(&network))?;
        print_card(&folder, self.address.clone())
    }
}

fn check(addresses: &[String]) -> Result<(), Failure> {
    let long = addresses
        .iter()
        .find(|address| address.len() > MAX_ADDRESS_BYTES);
    let problem = match (addresses.len(), long) {
        (0, _) => "a card needs an address: say with --address where other peers reach this one"
            .to_owned(),
        (count, _) if count > MAX_ADDRESSES => {
            format!("a card holds at most {MAX_ADDRESSES} addresses, not {count}")
        }
        (_, Some(long)) => {
            format!("{long:?} is longer than the {MAX_ADDRESS_BYTES} bytes of an address")
        }
        _ => return Ok(()),
    };
    Err(Failure::new(Kind::Configuration, problem))
}

fn print_card(folder: &Folder, addresses: Vec<String>) -> Result<(), Failure> {
    check(&addresses)?;
    let network = folder.network()?;
    let key = SecretKey::read(&folder.key())?;
    let signer = Ed25519Signer::from_secret(&key.secret());
    let beacon = beacon::SecretKey::derive(&key.secret(), network.id());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_millis() as u64);
    let card = Card::sign(network.id(), &signer, &beacon, addresses, now);
    output::print(&format!("{}\n", card::to_text(&card)))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::new(Kind::Failed, format!("{}: {error}", path.display())))
}
