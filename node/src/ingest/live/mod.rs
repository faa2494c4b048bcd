//! Sources that somebody sends to this node while they happen.
//!
//! | module | what it takes |
//! | --- | --- |
//! | [`udp`] | MPEG-TS in datagrams |
//! | [`ffmpeg`] | what OBS and other encoders send by SRT or RTMP, through an ffmpeg of its own |

pub mod ffmpeg;
pub mod udp;

use std::{fmt, net::IpAddr, str::FromStr};

/// Where a live source is to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How it sends.
    pub protocol: Protocol,
    /// Where it sends to: a name or an address of this host; empty for all of them.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What follows: the name of an application and a stream, and options.
    pub rest: String,
}

/// How a live source sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MPEG-TS in datagrams, to one host or to a group.
    Udp,
    /// Secure Reliable Transport.
    Srt,
    /// Real-Time Messaging Protocol.
    Rtmp,
}

impl Protocol {
    /// Its name, as addresses and ffmpeg have it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Udp => "udp",
            Protocol::Srt => "srt",
            Protocol::Rtmp => "rtmp",
        }
    }
}

/// An address to which no source can send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Of another kind than those taken here.
    #[error(
        "{0}:// cannot be read; udp://, srt:// and rtmp:// can, and everything else that ffmpeg reads: ffmpeg -i URL -c copy -f mpegts - | hamlet publish -"
    )]
    Protocol(String),
    /// Not well formed.
    #[error(
        "{0:?} is no address to listen on; write for example rtmp://127.0.0.1:1935/live/stream, srt://127.0.0.1:9000 or udp://127.0.0.1:5004"
    )]
    Form(String),
}

impl Address {
    /// Reads what may be an address, or else a file's name.
    ///
    /// # Errors
    /// If it is an address, but none to listen on.
    pub fn read(text: &str) -> Option<Result<Address, AddressError>> {
        text.contains("://").then(|| text.parse())
    }

    /// The address of the host, if it is one and no name.
    pub fn ip(&self) -> Option<IpAddr> {
        let host = self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        host.unwrap_or(&self.host).parse().ok()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let form = || AddressError::Form(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(form)?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "udp" => Protocol::Udp,
            "srt" => Protocol::Srt,
            "rtmp" => Protocol::Rtmp,
            _ => return Err(AddressError::Protocol(scheme.to_owned())),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        // As in VLC, udp://@:1234 means whatever arrives at the port.
        let authority = authority.strip_prefix('@').unwrap_or(authority);
        let (host, port) = match (authority.rsplit_once(':'), protocol) {
            (Some((host, port)), _) if !port.contains(']') => {
                (host, port.parse().map_err(|_| form())?)
            }
            (_, Protocol::Rtmp) => (authority, 1935),
            _ => return Err(form()),
        };
        let host_is_right = host
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || ".-_:[]".contains(char));
        // Whitespace and control characters would come to ffmpeg's arguments unnoticed.
        let rest_is_right = rest.chars().all(|char| char.is_ascii_graphic());
        if port == 0 || !host_is_right || !rest_is_right {
            return Err(form());
        }
        Ok(Address {
            protocol,
            host: host.to_owned(),
            port,
            rest: rest.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address {
            protocol,
            host,
            port,
            rest,
        } = self;
        write!(f, "{}://{host}:{port}{rest}", protocol.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(Protocol, String, u16, String), AddressError> {
        let address: Address = text.parse()?;
        Ok((address.protocol, address.host, address.port, address.rest))
    }

    #[test]
    fn addresses_are_read_as_encoders_have_them() {
        let rtmp = read("rtmp://127.0.0.1/live/key").unwrap();
        assert_eq!(
            rtmp,
            (Protocol::Rtmp, "127.0.0.1".into(), 1935, "/live/key".into())
        );
        let srt = read("srt://[::1]:9000?latency=200000").unwrap();
        assert_eq!(
            srt,
            (
                Protocol::Srt,
                "[::1]".into(),
                9000,
                "?latency=200000".into()
            )
        );
        let udp = read("udp://@239.1.1.1:5004").unwrap();
        assert_eq!(
            udp,
            (Protocol::Udp, "239.1.1.1".into(), 5004, String::new())
        );
        assert_eq!(read("udp://@:5004").unwrap().1, "");
        assert!(
            "srt://[::1]:9000"
                .parse::<Address>()
                .unwrap()
                .ip()
                .is_some()
        );
    }

    #[test]
    fn what_is_no_address_is_named() {
        assert!(matches!(read("http://a/b"), Err(AddressError::Protocol(_))));
        for wrong in [
            "srt://a",
            "udp://a:0",
            "udp://a:99999",
            "rtmp://a b/c",
            "rtmp://a/b c",
            "udp://a:x",
        ] {
            assert!(matches!(read(wrong), Err(AddressError::Form(_))), "{wrong}");
        }
        assert_eq!(Address::read("clips/a.ts"), None);
    }

    proptest! {
        #[test]
        fn a_printed_address_is_the_same_address(text in "(udp|srt|rtmp)://[@a-z0-9.:/?=\\[\\]]{0,40}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
