//! The name of a stream: `hamlet:<network>/<key>`, both in hexadecimal.

use hamlet_overlay::{
    genesis::Network,
    hash::{Hash, unhex},
    identity::PeerId,
    view::StreamNumber,
};
use std::{fmt, str::FromStr};

/// A stream of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamUri {
    /// The network's identity.
    pub network: Hash,
    /// The key of the stream's source.
    pub stream: PeerId,
}

/// A text that names no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no stream URI: it is hamlet:NETWORK/KEY, each of 64 hexadecimal digits; `hamlet status` shows those of a node's network"
)]
pub struct ParseStreamUriError(String);

/// A stream that is not one of this network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongStream {
    /// It is one of another network.
    #[error(
        "the stream is one of network {asked}, and this is network {here}; use a node of that network"
    )]
    Network {
        /// The network of the stream.
        asked: Hash,
        /// The network at hand.
        here: Hash,
    },
    /// Nobody may publish it.
    #[error("nobody publishes under the key {key} in this network; its streams are: {known}")]
    Key {
        /// The key that was asked for.
        key: PeerId,
        /// The streams of the network.
        known: String,
    },
    /// None was named, and there is not just one.
    #[error("name the stream: the network has {}", .0)]
    Choose(String),
}

impl FromStr for StreamUri {
    type Err = ParseStreamUriError;

    fn from_str(text: &str) -> Result<StreamUri, ParseStreamUriError> {
        let parse = || {
            let (network, stream) = text.trim().strip_prefix("hamlet:")?.split_once('/')?;
            Some(StreamUri {
                network: Hash(unhex(network)?),
                stream: stream.parse().ok()?,
            })
        };
        // Long inputs are not repeated whole.
        parse().ok_or_else(|| ParseStreamUriError(text.chars().take(160).collect()))
    }
}

impl fmt::Display for StreamUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hamlet:{}/{}", self.network, self.stream)
    }
}

impl StreamUri {
    /// The URI of the stream with this number.
    pub fn of(network: &Network, stream: StreamNumber) -> Option<StreamUri> {
        let publisher = network.genesis().publishers.get(usize::from(stream))?;
        Some(StreamUri {
            network: network.id(),
            stream: publisher.stream,
        })
    }

    /// The stream's number in this network.
    ///
    /// # Errors
    /// If it belongs to another network, or nobody may publish it.
    pub fn find(&self, network: &Network) -> Result<StreamNumber, WrongStream> {
        if self.network != network.id() {
            return Err(WrongStream::Network {
                asked: self.network,
                here: network.id(),
            });
        }
        let publishers = &network.genesis().publishers;
        publishers
            .iter()
            .position(|publisher| publisher.stream == self.stream)
            .map(|place| place as StreamNumber)
            .ok_or_else(|| WrongStream::Key {
                key: self.stream,
                known: list(network),
            })
    }
}

/// The stream that is meant: the one named, or the network's only one.
///
/// # Errors
/// If it is none of this network, or none is named and there is not just one.
pub fn choose(uri: Option<StreamUri>, network: &Network) -> Result<StreamNumber, WrongStream> {
    match uri {
        Some(uri) => uri.find(network),
        None if network.genesis().publishers.len() == 1 => Ok(0),
        None => Err(WrongStream::Choose(list(network))),
    }
}

fn list(network: &Network) -> String {
    let uris = (0..network.genesis().publishers.len() as StreamNumber)
        .filter_map(|stream| StreamUri::of(network, stream))
        .map(|uri| uri.to_string());
    let uris: Vec<String> = uris.collect();
    match uris.is_empty() {
        true => "no streams; list a publisher in its genesis".into(),
        false => uris.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::genesis::{Founder, Genesis, Parameters, Publisher};
    use proptest::prelude::*;

    fn network(publishers: &[u8]) -> Network {
        Genesis {
            admission: Default::default(),
            name: String::new(),
            parameters: Parameters::for_peers(4),
            seed: Hash([0; 32]),
            founders: (0..4)
                .map(|peer| Founder {
                    id: PeerId([peer; 32]),
                    addresses: Vec::new(),
                })
                .collect(),
            publishers: publishers
                .iter()
                .map(|&peer| Publisher {
                    stream: PeerId([peer; 32]),
                    max_bits_per_s: 1000,
                })
                .collect(),
        }
        .found()
        .unwrap()
    }

    #[test]
    fn streams_are_found_by_network_and_key() {
        let network = network(&[2, 1]);
        let uri = StreamUri::of(&network, 1).unwrap();
        assert_eq!(uri.to_string().parse(), Ok(uri));
        assert_eq!(uri.find(&network), Ok(1));
        let elsewhere = StreamUri {
            network: Hash([7; 32]),
            ..uri
        };
        assert!(matches!(
            elsewhere.find(&network),
            Err(WrongStream::Network { .. })
        ));
        let unknown = StreamUri {
            stream: PeerId([3; 32]),
            ..uri
        };
        let error = unknown.find(&network).unwrap_err().to_string();
        assert!(error.contains(&uri.to_string()), "{error}");
    }

    #[test]
    fn the_only_stream_need_not_be_named() {
        assert_eq!(choose(None, &network(&[1])), Ok(0));
        assert!(matches!(
            choose(None, &network(&[1, 2])),
            Err(WrongStream::Choose(_))
        ));
        let error = choose(None, &network(&[])).unwrap_err().to_string();
        assert!(error.contains("no streams"), "{error}");
    }

    proptest! {
        #[test]
        fn only_what_is_printed_is_parsed(text in "(hamlet:)?[0-9a-fx/]{0,140}") {
            if let Ok(uri) = text.parse::<StreamUri>() {
                prop_assert_eq!(uri.to_string(), text.to_lowercase());
            }
        }
    }
}
