//! `hamlet network`

use super::output;
use crate::{
    config::Rate,
    data::{Folder, SecretKey, genesis},
    failure::{Failure, Kind},
    uri::StreamUri,
};
use clap::{Args, Subcommand};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::PeerId,
};
use libp2p::Multiaddr;
use serde::Serialize;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    str::FromStr,
};

/// Make a network
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    New(Box<New>),
}

/// Make a network: its genesis, and a data folder for every founder
///
/// Each folder holds a peer's key, the genesis and a configuration, and is run with `hamlet node --folder`,
/// on this machine or, copied there, on another. Peers are numbered from 0; peer-0 publishes unless
/// --publisher says otherwise.
///
/// With one --host, peers listen on ports that count up from --port. With several, peers are dealt to the
/// hosts in turn, and ports count up on each host.
#[derive(Args, Debug)]
struct New {
    /// The folder to make
    path: PathBuf,
    /// What people call the network [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// How many founders get a data folder
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    peers: usize,
    /// An IP address at which peers reach each other; may be given more than once
    #[arg(long = "host", value_name = "ADDRESS", default_values_t = [IpAddr::V4(Ipv4Addr::LOCALHOST)], value_delimiter = ',')]
    hosts: Vec<IpAddr>,
    /// The first port that peers listen on, both UDP (QUIC) and TCP
    #[arg(long, default_value_t = 4711)]
    port: u16,
    /// The first loopback port for players and commands
    #[arg(long, default_value_t = 8420, value_name = "PORT")]
    http_port: u16,
    /// A peer that may publish, by its number, and if need be its highest rate; may be given more than once
    #[arg(
        long = "publisher",
        value_name = "PEER[=RATE]",
        default_value = "0",
        value_delimiter = ','
    )]
    publishers: Vec<PublisherArgument>,
    /// The highest rate of a stream, unless --publisher says otherwise
    #[arg(long, default_value = "4Mbit", value_name = "RATE")]
    rate: Rate,
    /// The cap on the sum of all streams' highest rates [default: 100Mbit, or that sum]
    #[arg(long, value_name = "RATE")]
    total_rate: Option<Rate>,
    /// A founder who has made a key already (`hamlet keygen`), and where to reach it; may be given more than
    /// once
    #[arg(long = "founder", value_name = "KEY@MULTIADDRESS")]
    founders: Vec<FounderArgument>,
    /// How much of a stream one segment holds, in milliseconds
    #[arg(long, default_value_t = 250, value_name = "MS")]
    segment_ms: u16,
    /// The smallest size of a cluster [default: follows from the number of peers, like the next four]
    #[arg(long, value_name = "COUNT")]
    g_min: Option<u8>,
    /// The largest size of a cluster
    #[arg(long, value_name = "COUNT")]
    g_max: Option<u8>,
    /// Hamiltonian cycles over the clusters
    #[arg(long, value_name = "COUNT")]
    h: Option<u8>,
    /// Shards of a segment, and slots of a cluster
    #[arg(long, value_name = "COUNT")]
    n: Option<u8>,
    /// Shards that restore a segment
    #[arg(long, value_name = "COUNT")]
    k: Option<u8>,
    /// Write what was made as JSON to this file; - is standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// A peer that may publish.
#[derive(Clone, Copy, Debug)]
struct PublisherArgument {
    peer: usize,
    rate: Option<Rate>,
}

impl FromStr for PublisherArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<PublisherArgument, String> {
        let (peer, rate) = match text.split_once('=') {
            None => (text, None),
            Some((peer, rate)) => (peer, Some(rate)),
        };
        Ok(PublisherArgument {
            peer: peer
                .parse()
                .map_err(|_| "write the number of a peer, for example 0 or 0=2Mbit".to_owned())?,
            rate: rate
                .map(|rate| rate.parse().map_err(|error| format!("{error}")))
                .transpose()?,
        })
    }
}

/// A founder who has a key already.
#[derive(Clone, Debug)]
struct FounderArgument(Founder);

impl FromStr for FounderArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<FounderArgument, String> {
        let (key, address) = text
            .split_once('@')
            .ok_or("write KEY@MULTIADDRESS, for example 17…ab@/ip4/192.0.2.7/udp/4711/quic-v1")?;
        let id = key.parse::<PeerId>().map_err(|error| error.to_string())?;
        address
            .parse::<Multiaddr>()
            .map_err(|error| format!("{address:?} is no multiaddress: {error}"))?;
        Ok(FounderArgument(Founder {
            id,
            addresses: vec![address.to_owned()],
        }))
    }
}

/// What was made.
#[derive(Serialize)]
struct Made {
    network: String,
    streams: Vec<String>,
    genesis: PathBuf,
    folders: Vec<PathBuf>,
}

/// A founder that gets a data folder.
struct Peer {
    key: SecretKey,
    host: IpAddr,
    port: u16,
    http_port: u16,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::New(new) = &arguments.command;
    let peers = new.peers()?;
    let network = new.found(&peers)?;
    let made = new.write(&peers, &network)?;
    match &new.json {
        Some(path) => output::json(path, &made),
        None => {
            let mut text = format!("network  {}\n", made.network);
            for stream in &made.streams {
                text.push_str(&format!("stream   {stream}\n"));
            }
            text.push_str(&format!("genesis  {}\n", made.genesis.display()));
            for folder in &made.folders {
                let folder = folder.display();
                text.push_str(&format!("run      hamlet node --folder {folder}\n"));
            }
            output::print(&text)
        }
    }
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Configuration, error)
}

impl New {
    fn peers(&self) -> Result<Vec<Peer>, Failure> {
        let hosts = self.hosts.len();
        (0..self.peers)
            .map(|number| {
                let port = |first: u16| {
                    let port = u16::try_from(number / hosts).ok();
                    port.and_then(|port| first.checked_add(port))
                        .ok_or_else(|| wrong("there are not enough ports; begin with a lower one, or name more hosts"))
                };
                Ok(Peer {
                    key: SecretKey::generate()?,
                    host: self.hosts[number % hosts],
                    port: port(self.port)?,
                    http_port: port(self.http_port)?,
                })
            })
            .collect()
    }

    fn found(&self, peers: &[Peer]) -> Result<Network, Failure> {
        let publishers = self
            .publishers
            .iter()
            .map(|publisher| {
                let peer = peers.get(publisher.peer).ok_or_else(|| {
                    wrong(format!(
                        "--publisher {}: the peers that get a folder are numbered from 0 to {}",
                        publisher.peer,
                        peers.len().saturating_sub(1)
                    ))
                })?;
                Ok(Publisher {
                    stream: peer.key.id(),
                    max_bits_per_s: publisher.rate.unwrap_or(self.rate).bits_per_s,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let mut founders: Vec<Founder> = peers
            .iter()
            .map(|peer| Founder {
                id: peer.key.id(),
                addresses: addresses(peer.host, peer.port),
            })
            .chain(self.founders.iter().map(|founder| founder.0.clone()))
            .collect();
        founders.sort_by_key(|founder| founder.id);
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Failure::new(Kind::Failed, error))?;
        let name = self.name.clone().unwrap_or_else(|| {
            let last = self.path.file_name().unwrap_or_default();
            last.to_string_lossy().into_owned()
        });
        let genesis = Genesis {
            name,
            parameters: self.parameters(founders.len(), &publishers),
            seed: Hash(seed),
            founders,
            publishers,
        };
        genesis.found().map_err(wrong)
    }

    fn parameters(&self, founders: usize, publishers: &[Publisher]) -> Parameters {
        let usual = Parameters::for_peers(founders);
        let sum = publishers.iter().fold(0u64, |sum, publisher| {
            sum.saturating_add(publisher.max_bits_per_s)
        });
        let total = self.total_rate.map(|rate| rate.bits_per_s);
        Parameters {
            g_min: self.g_min.unwrap_or(usual.g_min),
            g_max: self.g_max.unwrap_or(usual.g_max),
            h: self.h.unwrap_or(usual.h),
            n: self.n.unwrap_or(usual.n),
            k: self.k.unwrap_or(usual.k),
            segment_ms: self.segment_ms,
            total_bits_per_s: total.unwrap_or(usual.total_bits_per_s.max(sum)),
            ..usual
        }
    }

    fn write(&self, peers: &[Peer], network: &Network) -> Result<Made, Failure> {
        let top = Folder::at(&self.path);
        if top.genesis().exists() {
            return Err(wrong(format!(
                "{}: there is a network already; name another folder",
                self.path.display()
            )));
        }
        top.create()?;
        let genesis = genesis::to_text(network);
        write(&top.genesis(), &genesis)?;
        let digits = (peers.len().max(1) - 1).max(1).ilog10() as usize + 1;
        let mut folders = Vec::new();
        for (number, peer) in peers.iter().enumerate() {
            let folder = Folder::at(self.path.join(format!("peer-{number:0digits$}")));
            folder.create()?;
            peer.key.write(&folder.key())?;
            write(&folder.genesis(), &genesis)?;
            write(&folder.config(), &config(number, peer))?;
            folders.push(folder.path().to_owned());
        }
        let streams = (0..network.genesis().publishers.len() as u16)
            .filter_map(|stream| StreamUri::of(network, stream))
            .map(|uri| uri.to_string());
        Ok(Made {
            network: network.id().to_string(),
            streams: streams.collect(),
            genesis: top.genesis(),
            folders,
        })
    }
}

fn addresses(host: IpAddr, port: u16) -> Vec<String> {
    let family = if host.is_ipv4() { "ip4" } else { "ip6" };
    vec![
        format!("/{family}/{host}/udp/{port}/quic-v1"),
        format!("/{family}/{host}/tcp/{port}"),
    ]
}

/// The configuration of a peer. On another machine than this it listens on all addresses, since its public
/// one may be that of a router.
fn config(number: usize, peer: &Peer) -> String {
    let mut text = format!(
        "# The configuration of peer {number}; `hamlet config example` explains every setting.\n"
    );
    if !peer.host.is_loopback() {
        let any = match peer.host {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        text.push_str(&format!("listen = {:?}\n", addresses(any, peer.port)));
    }
    text.push_str(&format!("http = \"127.0.0.1:{}\"\n", peer.http_port));
    text
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| wrong(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        new: New,
    }

    fn make(words: &[&str]) -> Result<(tempfile::TempDir, Network), Failure> {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("town");
        let words = ["new", path.to_str().unwrap()]
            .into_iter()
            .chain(words.iter().copied());
        let new = Line::parse_from(words).new;
        let peers = new.peers()?;
        let network = new.found(&peers)?;
        new.write(&peers, &network)?;
        Ok((temporary, network))
    }

    #[test]
    fn every_folder_can_be_run() {
        let words = [
            "--peers",
            "12",
            "--host",
            "127.0.0.1",
            "--publisher",
            "3,5=1Mbit",
        ];
        let (temporary, network) = make(&words).unwrap();
        assert_eq!(network.genesis().name, "town");
        assert_eq!(network.genesis().publishers[1].max_bits_per_s, 1_000_000);
        for number in 0..12 {
            let folder = Folder::at(temporary.path().join(format!("town/peer-{number:02}")));
            let key = folder.lock().unwrap().key().unwrap();
            assert_eq!(folder.network().unwrap().id(), network.id());
            assert!(network.cluster_of(key.id()).is_some());
            let config = ConfigFile::read(&folder.config()).unwrap();
            assert_eq!(config.http.unwrap().port(), 8420 + number);
            assert_eq!(
                network.genesis().publishers[0].stream == key.id(),
                number == 3
            );
        }
    }

    #[test]
    fn peers_are_dealt_to_hosts_and_founders_bring_their_keys() {
        let key = "ab".repeat(32);
        let founder = format!("{key}@/ip4/192.0.2.9/tcp/1");
        let words = [
            "--peers",
            "5",
            "--host",
            "192.0.2.1,192.0.2.2",
            "--founder",
            &founder,
        ];
        let (temporary, network) = make(&words).unwrap();
        let founders = &network.genesis().founders;
        assert_eq!(founders.len(), 6);
        let at = |address: &str| founders.iter().any(|f| f.addresses[0] == address);
        assert!(at("/ip4/192.0.2.1/udp/4713/quic-v1") && at("/ip4/192.0.2.2/udp/4712/quic-v1"));
        assert!(at("/ip4/192.0.2.9/tcp/1"));
        let config = ConfigFile::read(&temporary.path().join("town/peer-4/hamlet.toml")).unwrap();
        assert_eq!(config.listen.unwrap()[0], "/ip4/0.0.0.0/udp/4713/quic-v1");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |words: &[&str]| make(words).unwrap_err().error;
        assert!(refused(&["--publisher", "8"]).contains("numbered from 0 to 7"));
        assert!(refused(&["--g-min", "9"]).contains("g_min"));
        assert!(refused(&["--port", "65530"]).contains("ports"));
        assert!(refused(&["--total-rate", "1Mbit"]).contains("4000000"));
        let (temporary, _) = make(&[]).unwrap();
        let path = temporary.path().join("town");
        let new = Line::parse_from(["new", path.to_str().unwrap()]).new;
        let peers = new.peers().unwrap();
        let network = new.found(&peers).unwrap();
        assert!(new.write(&peers, &network).is_err());
    }
}
