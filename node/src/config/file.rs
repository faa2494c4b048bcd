//! The configuration file.

use super::{Rate, mistake::Mistake};
use crate::{
    data::{Contact, Invitation},
    transport::TransportKind,
    uri::StreamUri,
};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use toml::Spanned;
use tracing_subscriber::EnvFilter;

/// A commented configuration with every setting and its default.
pub const EXAMPLE: &str = include_str!("example.toml");

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// What a configuration file says; what it leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile {
    /// Where to listen, as multiaddresses.
    pub listen: Option<Vec<String>>,
    /// Which protocol is tried first.
    pub prefer: Option<TransportKind>,
    /// Where players and commands reach the node.
    pub http: Option<SocketAddr>,
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
    /// How much is logged.
    pub log_level: Option<String>,
    /// How log lines are written.
    pub log_format: Option<LogFormat>,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {error}; `hamlet config example` prints one to begin with", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}; see `hamlet config example`")]
    Mistake(#[from] Mistake),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    listen: Option<Vec<Spanned<String>>>,
    prefer: Option<TransportKind>,
    http: Option<SocketAddr>,
    cluster: Option<u64>,
    invitation: Option<Spanned<String>>,
    join: Option<Vec<Spanned<String>>>,
    play: Option<Vec<Spanned<String>>>,
    upload_limit: Option<Rate>,
    log: Option<LogTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    level: Option<Spanned<String>>,
    format: Option<LogFormat>,
}

impl ConfigFile {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// If it cannot be read or has a mistake.
    pub fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        Ok(ConfigFile::parse(path, &text)?)
    }

    /// Checks the text of a configuration file; `path` is for messages.
    ///
    /// # Errors
    /// If it has a mistake.
    pub fn parse(path: &Path, text: &str) -> Result<ConfigFile, Mistake> {
        let table: Table =
            toml::from_str(text).map_err(|error| Mistake::in_toml(path, text, &error))?;
        let at = |at: usize, problem: String| Mistake::at(path, text, at, problem);
        let listen = table.listen.map(|addresses| {
            let check = |address: Spanned<String>| {
                check_address(address.get_ref())
                    .map_err(|problem| at(address.span().start, problem))?;
                Ok(address.into_inner())
            };
            addresses.into_iter().map(check).collect::<Result<_, _>>()
        });
        let play = table.play.unwrap_or_default().into_iter().map(|uri| {
            let parsed = uri.get_ref().parse::<StreamUri>();
            parsed.map_err(|error| at(uri.span().start, error.to_string()))
        });
        let join = table.join.unwrap_or_default().into_iter().map(|contact| {
            let parsed = contact.get_ref().parse::<Contact>();
            parsed.map_err(|problem| at(contact.span().start, problem))
        });
        let invitation = table.invitation.map(|text| {
            let parsed = text.get_ref().parse::<Invitation>();
            parsed.map_err(|problem| at(text.span().start, problem))
        });
        let log = table.log.unwrap_or(LogTable {
            level: None,
            format: None,
        });
        let log_level = log.level.map(|level| {
            check_level(level.get_ref()).map_err(|problem| at(level.span().start, problem))?;
            Ok(level.into_inner())
        });
        Ok(ConfigFile {
            listen: listen.transpose()?,
            prefer: table.prefer,
            http: table.http,
            cluster: table.cluster,
            invitation: invitation.transpose()?,
            join: join.collect::<Result<_, _>>()?,
            play: play.collect::<Result<_, _>>()?,
            upload_limit: table.upload_limit,
            log_level: log_level.transpose()?,
            log_format: log.format,
        })
    }
}

/// Checks an address to listen on.
fn check_address(address: &str) -> Result<(), String> {
    match address.parse::<Multiaddr>() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "{address:?} is no address ({error}); write for example /ip4/0.0.0.0/udp/4711/quic-v1 or /ip4/0.0.0.0/tcp/4711"
        )),
    }
}

/// Checks a filter of log lines.
pub(crate) fn check_level(level: &str) -> Result<(), String> {
    EnvFilter::builder()
        .parse(level)
        .map(drop)
        .map_err(|error| {
            format!("{level:?} is no log level ({error}); write error, warn, info, debug or trace")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("hamlet.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_is_right_and_states_the_defaults() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(config.http, Some(crate::config::DEFAULT_HTTP));
        assert_eq!(config.prefer, Some(TransportKind::default()));
        assert_eq!(config.log_format, Some(LogFormat::default()));
        assert_eq!(
            config.log_level.as_deref(),
            Some(crate::config::DEFAULT_LOG)
        );
        // What is commented out is right as well.
        let uri = format!("hamlet:{}/{}", "0".repeat(64), "1".repeat(64));
        let invitation = format!("hamlet-invitation-1:{}", "0".repeat(192));
        let all: String = EXAMPLE
            .replace("hamlet:NETWORK/KEY", &uri)
            .replace("hamlet-invitation-1:…", &invitation)
            .replace("KEY@", &format!("{}@", "2".repeat(64)))
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = ") => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parse(&all).unwrap();
        assert_eq!(config.listen.unwrap().len(), 2);
        assert_eq!(
            (config.play.len(), config.upload_limit.is_some()),
            (1, true)
        );
    }

    #[test]
    fn mistakes_name_line_and_remedy() {
        for (text, place, remedy) in [
            ("prefer = \"quic\"\nlissten = []", ":2:1:", "listen"),
            ("http = \"0.0.0.0\"", ":1:8:", "socket address"),
            ("listen = [\"10.0.0.1:80\"]", ":1:11:", "/ip4/"),
            ("play = [\"hamlet:1/2\"]", ":1:9:", "hamlet:NETWORK/KEY"),
            ("upload_limit = \"fast\"", ":1:16:", "Mbit"),
            ("\n[log]\nlevel = \"hamlet=loud\"", ":3:9:", "debug"),
            ("[log]\nformat = \"xml\"", ":2:10:", "json"),
            ("prefer = ", ":1:", ""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                error.contains(place) && error.contains(remedy),
                "{text}: {error}"
            );
        }
    }
}
