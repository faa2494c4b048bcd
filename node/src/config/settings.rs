//! What a node runs with, once all places where it can be said have been asked.

use super::{ConfigFile, LogFormat, Rate, file::check_level};
use crate::{
    data::{Contact, Invitation},
    transport::TransportKind,
    uri::StreamUri,
};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Where players and commands reach a node by default.
pub const DEFAULT_HTTP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8420));
/// How much is logged by default.
pub const DEFAULT_LOG: &str = "info";

/// What the command line and the environment say; both go before the file.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Listen here for other peers instead of where the genesis says; may be given more than once
    #[arg(
        long,
        env = "HAMLET_LISTEN",
        value_name = "MULTIADDRESS",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,
    /// Try this protocol first, quic or tcp, towards peers that have addresses for both
    #[arg(long, env = "HAMLET_PREFER", value_name = "PROTOCOL", value_parser = parse_kind)]
    pub prefer: Option<TransportKind>,
    /// Serve the page, players and commands here; port 0 takes a free one; what is not a loopback address needs the token of the folder's file token for everything [default: 127.0.0.1:8420]
    #[arg(long, env = "HAMLET_HTTP", value_name = "ADDRESS", value_parser = parse_http)]
    pub http: Option<SocketAddr>,
    /// The number of the cluster that is to take in a peer that is no founder
    #[arg(long, env = "HAMLET_CLUSTER", value_name = "NUMBER")]
    pub cluster: Option<u64>,
    /// Ask this peer the way into the network; may be given more than once
    #[arg(
        long,
        env = "HAMLET_JOIN",
        value_name = "KEY@MULTIADDRESS",
        value_delimiter = ','
    )]
    pub join: Vec<Contact>,
    /// Receive this stream from the start, so that players begin at once; may be given more than once
    #[arg(long, env = "HAMLET_PLAY", value_name = "URI", value_delimiter = ',')]
    pub play: Vec<StreamUri>,
    /// Upload no more than this to all peers together, for example 20Mbit
    #[arg(long, env = "HAMLET_UPLOAD_LIMIT", value_name = "RATE")]
    pub upload_limit: Option<Rate>,
}

/// What a node runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where to listen for peers, as multiaddresses; where the genesis says, if `None`.
    pub listen: Option<Vec<String>>,
    /// Which protocol is tried first.
    pub prefer: TransportKind,
    /// Where players and commands reach the node.
    pub http: SocketAddr,
    /// The cluster that is to take in a peer that is no founder.
    pub cluster: Option<u64>,
    /// What admits the peer, where peers are invited.
    pub invitation: Option<Invitation>,
    /// Peers to ask the way into the network.
    pub join: Vec<Contact>,
    /// Streams to receive from the start.
    pub play: Vec<StreamUri>,
    /// The most that is uploaded.
    pub upload_limit: Option<Rate>,
}

impl Settings {
    /// The settings that follow from overrides, file and defaults, in this order.
    pub fn resolve(overrides: &Overrides, file: ConfigFile) -> Settings {
        let given = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        Settings {
            listen: given(&overrides.listen).or(file.listen),
            prefer: overrides.prefer.or(file.prefer).unwrap_or_default(),
            http: overrides.http.or(file.http).unwrap_or(DEFAULT_HTTP),
            cluster: overrides.cluster.or(file.cluster),
            invitation: file.invitation,
            join: match overrides.join.is_empty() {
                true => file.join,
                false => overrides.join.clone(),
            },
            play: match overrides.play.is_empty() {
                true => file.play,
                false => overrides.play.clone(),
            },
            upload_limit: overrides.upload_limit.or(file.upload_limit),
        }
    }
}

/// How the command line and the environment want to log.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Logs")]
pub struct LogSettings {
    /// Log this much on standard error: error, warn, info, debug or trace, also by module [default: info]
    #[arg(long, env = "HAMLET_LOG", value_name = "LEVEL", global = true, value_parser = parse_level)]
    pub log: Option<String>,
    /// Write log lines like this [default: text]
    #[arg(long, env = "HAMLET_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
}

fn parse_kind(text: &str) -> Result<TransportKind, &'static str> {
    match text {
        "quic" => Ok(TransportKind::Quic),
        "tcp" => Ok(TransportKind::Tcp),
        _ => Err("write quic or tcp"),
    }
}

fn parse_http(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address and a port, for example 127.0.0.1:8420".to_owned())
}

fn parse_level(text: &str) -> Result<String, String> {
    check_level(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn overrides_go_before_the_file_and_the_file_before_defaults() {
        let text = "http = \"127.0.0.1:1\"\nprefer = \"tcp\"";
        let file = ConfigFile::parse(Path::new("f"), text).unwrap();
        let overrides = Overrides {
            http: Some("127.0.0.1:2".parse().unwrap()),
            ..Overrides::default()
        };
        let settings = Settings::resolve(&overrides, file);
        assert_eq!(settings.http.port(), 2);
        assert_eq!(settings.prefer, TransportKind::Tcp);
        assert_eq!(settings.upload_limit, None);
        let settings = Settings::resolve(&Overrides::default(), ConfigFile::default());
        assert_eq!(settings.http, DEFAULT_HTTP);
    }
}
