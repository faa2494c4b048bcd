//! What can be chosen.

use crate::{config::Rate, ingest::source, transport::TransportKind};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

/// The options of `hamlet demo`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many peers run, the source among them; four clusters need at least 8
    #[arg(long, env = "HAMLET_DEMO_PEERS", default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=1024))]
    pub peers: u16,
    /// Begin with so many peers, and let others join until there are so many, one every two seconds, for example 1..60: each
    /// asks the way and walks to a place that nobody chose
    #[arg(
        long,
        env = "HAMLET_DEMO_GROW",
        value_name = "FROM..TO",
        conflicts_with = "peers"
    )]
    pub grow: Option<Growth>,
    /// Every minute this share of the peers dies, and as many newcomers join, between 0 and 1; never the source, nor the peer
    /// that serves players
    #[arg(long, env = "HAMLET_DEMO_CHURN", default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub churn: f64,
    /// Stream this instead of the bundled clip: an MPEG-TS file once, - for standard input, or what is sent to an
    /// address, for example rtmp://127.0.0.1/live/stream for OBS
    #[arg(long, env = "HAMLET_DEMO_INPUT", value_name = "SOURCE")]
    pub input: Option<PathBuf>,
    /// The ffmpeg that takes SRT and RTMP
    #[arg(long, env = "HAMLET_FFMPEG", value_name = "PROGRAM", default_value = source::FFMPEG)]
    pub ffmpeg: PathBuf,
    /// Fill the stream up to this rate with empty packets, for measuring, for example 1Mbit
    #[arg(long, env = "HAMLET_DEMO_RATE", value_name = "RATE")]
    pub rate: Option<Rate>,
    /// This share of the peers takes and never gives, between 0 and 0.9; never the source
    #[arg(long, env = "HAMLET_DEMO_SILENT", default_value_t = 0.0, value_name = "SHARE", value_parser = parse_silent)]
    pub silent: f64,
    /// Kill so many peers so many seconds after the stream began, for example 3@10; may be given more than once
    #[arg(
        long,
        env = "HAMLET_DEMO_KILL",
        value_name = "N@SECONDS",
        value_delimiter = ','
    )]
    pub kill: Vec<Kill>,
    /// Delay every frame on every link by this much, for example 50ms
    #[arg(long, env = "HAMLET_DEMO_LINK_DELAY", value_name = "TIME", value_parser = parse_time)]
    pub link_delay: Option<Duration>,
    /// Lose this share of the frames on every link, between 0 and 1
    #[arg(long, env = "HAMLET_DEMO_LINK_LOSS", default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub link_loss: f64,
    /// Let every link carry no more than this, for example 2Mbit
    #[arg(long, env = "HAMLET_DEMO_LINK_RATE", value_name = "RATE")]
    pub link_rate: Option<Rate>,
    /// Connect the peers by this protocol, quic or tcp
    #[arg(long, env = "HAMLET_DEMO_TRANSPORT", default_value = "quic", value_name = "PROTOCOL", value_parser = parse_transport)]
    pub transport: TransportKind,
    /// End the stream after this many seconds instead of at Ctrl-C
    #[arg(long, env = "HAMLET_DEMO_SECONDS", value_name = "SECONDS", value_parser = parse_seconds)]
    pub seconds: Option<f64>,
    /// Write the figures as JSON to this file at the end, or to standard output if it is -
    #[arg(long, env = "HAMLET_DEMO_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw keys and who fails from this number; clusters depend on the ports too. Such keys are for demonstrations only
    #[arg(
        long,
        env = "HAMLET_DEMO_SEED",
        default_value_t = 1,
        value_name = "NUMBER"
    )]
    pub seed: u64,
    /// Serve the page and players here; port 0 takes a free one; what is not a loopback address needs the token of the printed link for everything
    #[arg(
        long,
        env = "HAMLET_DEMO_HTTP",
        default_value = "127.0.0.1:0",
        value_name = "ADDRESS"
    )]
    pub http: SocketAddr,
}

/// How many peers there are at first, and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// At first.
    pub from: u16,
    /// In the end.
    pub to: u16,
}

impl FromStr for Growth {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Growth, &'static str> {
        let parse = || {
            let (from, to) = text.split_once("..")?;
            let growth = Growth {
                from: from.trim().parse().ok()?,
                to: to.trim().parse().ok()?,
            };
            (1 <= growth.from && growth.from < growth.to && growth.to <= 256).then_some(growth)
        };
        parse()
            .ok_or("write how many peers at first and in the end, at most 256, for example 1..60")
    }
}

impl Options {
    /// How many peers found the network.
    pub fn founders(&self) -> usize {
        self.grow.map_or(self.peers, |grow| grow.from).into()
    }

    /// How many peers there are at most at a time.
    pub fn most(&self) -> usize {
        self.grow.map_or(self.peers, |grow| grow.to).into()
    }

    /// Whether peers come and go by themselves.
    pub fn moves(&self) -> bool {
        self.grow.is_some() || self.churn > 0.0
    }
}

/// So many peers die at a time of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kill {
    /// How many.
    pub peers: usize,
    /// When, counted from the stream's beginning.
    pub at: Duration,
}

impl FromStr for Kill {
    type Err = String;

    fn from_str(text: &str) -> Result<Kill, String> {
        let parse = || {
            let (peers, at) = text.split_once('@')?;
            Some(Kill {
                peers: peers.trim().parse().ok()?,
                at: parse_time(at).ok()?,
            })
        };
        parse().ok_or_else(|| {
            "write how many peers and when, for example 3@10 for three peers after ten seconds"
                .to_owned()
        })
    }
}

/// A time with a unit, `50ms` or `1.5s`; a number alone is in seconds.
fn parse_time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    number
        .trim()
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * scale).ok())
        .filter(|time| *time <= Duration::from_secs(86_400))
        .ok_or_else(|| "write a time of at most a day, for example 50ms or 1.5s".to_owned())
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    parse_time(text)
        .map(|time| time.as_secs_f64())
        .ok()
        .filter(|seconds| *seconds >= 1.0)
        .ok_or_else(|| "write a number of seconds, at least 1 and at most a day".to_owned())
}

fn parse_share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share between 0 and 1, for example 0.3".to_owned())
}

fn parse_silent(text: &str) -> Result<f64, String> {
    parse_share(text)
        .ok()
        .filter(|share| *share <= 0.9)
        .ok_or_else(|| "write a share between 0 and 0.9, for example 0.3".to_owned())
}

fn parse_transport(text: &str) -> Result<TransportKind, String> {
    match text {
        "quic" => Ok(TransportKind::Quic),
        "tcp" => Ok(TransportKind::Tcp),
        _ => Err("write quic or tcp".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let ms = Duration::from_millis;
        assert_eq!(parse_time("50ms"), Ok(ms(50)));
        assert_eq!(parse_time("1.5s"), Ok(ms(1_500)));
        assert_eq!(parse_time("2"), Ok(ms(2_000)));
        for wrong in ["", "ms", "-1", "nan", "inf", "1e9", "five"] {
            assert!(parse_time(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn growth_goes_up() {
        let growth = Growth { from: 1, to: 60 };
        assert_eq!("1..60".parse(), Ok(growth));
        for wrong in ["", "5", "0..5", "5..5", "5..1", "1..1000", "1.."] {
            assert!(wrong.parse::<Growth>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn kills_name_peers_and_time() {
        let kill: Kill = "3@10".parse().unwrap();
        assert_eq!((kill.peers, kill.at), (3, Duration::from_secs(10)));
        assert!("3".parse::<Kill>().is_err());
        assert!("x@y".parse::<Kill>().is_err());
    }
}
