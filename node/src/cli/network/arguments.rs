//! What can be chosen of a new network.

use crate::{config::Rate, data::Contact};
use clap::Args;
use hamlet_overlay::membership::admission::MAX_BITS;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    str::FromStr,
};

/// Make a network: its genesis, and a data folder for every founder
///
/// Each folder holds a peer's key, the genesis and a configuration, and is run with `hamlet node --folder`,
/// on this machine or, copied there, on another. Peers are numbered from 0; peer-0 publishes unless
/// --publisher says otherwise.
///
/// With one --host, peers listen on ports that count up from --port. With several, peers are dealt to the
/// hosts in turn, and ports count up on each host.
#[derive(Args, Debug)]
pub(super) struct New {
    /// The folder to make
    pub path: PathBuf,
    /// What people call the network [default: the folder's name]
    #[arg(long)]
    pub name: Option<String>,
    /// How many founders get a data folder
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    pub peers: usize,
    /// An IP address at which peers reach each other; may be given more than once
    #[arg(long = "host", value_name = "ADDRESS", default_values_t = [IpAddr::V4(Ipv4Addr::LOCALHOST)], value_delimiter = ',')]
    pub hosts: Vec<IpAddr>,
    /// The first port that peers listen on, both UDP (QUIC) and TCP
    #[arg(long, default_value_t = 4711)]
    pub port: u16,
    /// The first loopback port for players and commands
    #[arg(long, default_value_t = 8420, value_name = "PORT")]
    pub http_port: u16,
    /// A peer that may publish, by its number, and if need be its highest rate; may be given more than once
    #[arg(
        long = "publisher",
        value_name = "PEER[=RATE]",
        default_value = "0",
        value_delimiter = ','
    )]
    pub publishers: Vec<PublisherArgument>,
    /// The highest rate of a stream, unless --publisher says otherwise
    #[arg(long, default_value = "4Mbit", value_name = "RATE")]
    pub rate: Rate,
    /// The cap on the sum of all streams' highest rates [default: 100Mbit, or that sum]
    #[arg(long, value_name = "RATE")]
    pub total_rate: Option<Rate>,
    /// A founder who has made a key already (`hamlet keygen`), and where to reach it; may be given more than
    /// once
    #[arg(long = "founder", value_name = "KEY@MULTIADDRESS")]
    pub founders: Vec<Contact>,
    /// Who may join by itself later: nobody (closed), whom the publishers invite (invited), whoever spends work on its key
    /// (work:BITS, about 2^BITS hashes), or anybody with as many keys as it likes (open)
    #[arg(long, value_name = "WHO", default_value = "closed")]
    pub admit: Admit,
    /// How long a member keeps its place in a cluster until it has to walk to another, in minutes [default: for ever]
    #[arg(long, value_name = "MINUTES")]
    pub lease_minutes: Option<u16>,
    /// How long a key is barred from all clusters that evidence proves guilty, in minutes [default: 60]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=10_080))]
    pub bar_minutes: Option<u16>,
    /// How long a member of a cluster may be silent until its fellows put it out, in seconds [default: for ever if nobody may
    /// join by itself, else 30]
    #[arg(long, value_name = "SECONDS")]
    pub silence_seconds: Option<u16>,
    /// How much of a stream one segment holds, in milliseconds
    #[arg(long, default_value_t = 250, value_name = "MS")]
    pub segment_ms: u16,
    /// How long an epoch of a cluster lasts at least, in milliseconds: what changes its members meanwhile comes with the
    /// next
    #[arg(long, default_value_t = 4_000, value_name = "MS")]
    pub epoch_ms: u32,
    /// Let fewer than half of a cluster be faulty instead of fewer than a third, assuming that whatever an honest member
    /// says reaches the others, and their disks, within this many milliseconds. If it does not, clusters may contradict
    /// themselves: only for networks whose links nobody can hold up
    #[arg(long, value_name = "MS")]
    pub synchrony_ms: Option<u64>,
    /// The smallest size of a cluster [default: follows from the number of peers, like the next four]
    #[arg(long, value_name = "COUNT")]
    pub g_min: Option<u8>,
    /// The largest size of a cluster
    #[arg(long, value_name = "COUNT")]
    pub g_max: Option<u8>,
    /// Hamiltonian cycles over the clusters
    #[arg(long, value_name = "COUNT")]
    pub h: Option<u8>,
    /// Shards of a segment, and slots of a cluster
    #[arg(long, value_name = "COUNT")]
    pub n: Option<u8>,
    /// Shards that restore a segment
    #[arg(long, value_name = "COUNT")]
    pub k: Option<u8>,
    /// Write what was made as JSON to this file; - is standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
}

/// A peer that may publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublisherArgument {
    pub peer: usize,
    pub rate: Option<Rate>,
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

/// Who may join a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admit {
    Closed,
    Invited,
    Work(u8),
    Open,
}

impl FromStr for Admit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Admit, &'static str> {
        let bits = |text: &str| {
            text.parse()
                .ok()
                .filter(|bits| (1..=MAX_BITS).contains(bits))
        };
        match text {
            "closed" => Ok(Admit::Closed),
            "invited" => Ok(Admit::Invited),
            "open" => Ok(Admit::Open),
            _ => (text.strip_prefix("work:").and_then(bits).map(Admit::Work)).ok_or(
                "write closed, invited, open, or work:BITS with 1 to 64 bits, for example work:20",
            ),
        }
    }
}
