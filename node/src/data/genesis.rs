//! The genesis as a file: TOML, keys in hexadecimal, with the network's identity, so that a change is noticed.

use crate::config::mistake::Mistake;
use hamlet_overlay::{
    genesis::{Founder, Genesis, GenesisError, Network, Parameters, Publisher},
    hash::{Hash, hex, unhex},
    identity::PeerId,
    membership::admission::Admission,
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};
use toml::Spanned;

/// The largest file that is read, in bytes: a hundred thousand founders fit.
const BYTES_MAX: u64 = 64 << 20;

/// A genesis file that no network can be founded on.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// It cannot be read.
    #[error(
        "{path}: {error}; name the genesis of your network, or make one with `hamlet network new`"
    )]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: Spanned<String>,
    name: Spanned<String>,
    seed: Spanned<String>,
    #[serde(default = "closed")]
    admission: Spanned<AdmissionTable>,
    parameters: Spanned<Parameters>,
    #[serde(default)]
    publishers: Vec<PublisherTable>,
    #[serde(default)]
    founders: Vec<FounderTable>,
}

/// [`Admission`] with keys in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum AdmissionTable {
    Closed,
    Invitation { by: Vec<Spanned<String>> },
    Listed { keys: Vec<Spanned<String>> },
    Work { bits: u8 },
    Open,
}

fn closed() -> Spanned<AdmissionTable> {
    Spanned::new(0..0, AdmissionTable::Closed)
}

impl AdmissionTable {
    fn of(admission: &Admission) -> AdmissionTable {
        let texts = |keys: &[PeerId]| {
            let text = |key: &PeerId| Spanned::new(0..0, key.to_string());
            keys.iter().map(text).collect()
        };
        match admission {
            Admission::Closed => AdmissionTable::Closed,
            Admission::Invitation { by } => AdmissionTable::Invitation { by: texts(by) },
            Admission::Listed { keys } => AdmissionTable::Listed { keys: texts(keys) },
            Admission::Work { bits } => AdmissionTable::Work { bits: *bits },
            Admission::Open => AdmissionTable::Open,
        }
    }

    fn read(
        &self,
        key: impl Fn(&Spanned<String>) -> Result<PeerId, Mistake>,
    ) -> Result<Admission, Mistake> {
        let keys =
            |texts: &[Spanned<String>]| texts.iter().map(&key).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            AdmissionTable::Closed => Admission::Closed,
            AdmissionTable::Invitation { by } => Admission::Invitation { by: keys(by)? },
            AdmissionTable::Listed { keys: listed } => Admission::Listed {
                keys: keys(listed)?,
            },
            AdmissionTable::Work { bits } => Admission::Work { bits: *bits },
            AdmissionTable::Open => Admission::Open,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublisherTable {
    stream: Spanned<String>,
    max_bits_per_s: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FounderTable {
    key: Spanned<String>,
    addresses: Vec<String>,
}

/// Reads a genesis file, checks it and founds the network.
///
/// # Errors
/// If it cannot be read, has a mistake, or is not the genesis of the network whose identity it states.
pub fn read(path: &Path) -> Result<Network, GenesisFileError> {
    let read = || -> io::Result<String> {
        if fs::metadata(path)?.len() > BYTES_MAX {
            return Err(io::Error::other("the file is too long for a genesis"));
        }
        fs::read_to_string(path)
    };
    let text = read().map_err(|error| GenesisFileError::Read {
        path: path.display().to_string(),
        error,
    })?;
    Ok(parse(path, &text)?)
}

/// Founds the network of a genesis file's text; `path` is for messages.
///
/// # Errors
/// If there is a mistake in it, or it is not the genesis of the network whose identity it states.
pub fn parse(path: &Path, text: &str) -> Result<Network, Mistake> {
    let mistake = |at: usize, problem: String| Mistake::at(path, text, at, problem);
    let file: File = toml::from_str(text).map_err(|error| Mistake::in_toml(path, text, &error))?;
    let hash = |text: &Spanned<String>, what: &str| {
        unhex(text.get_ref()).map(Hash).ok_or_else(|| {
            mistake(
                text.span().start,
                format!("{what} must be 64 hexadecimal digits"),
            )
        })
    };
    let key = |text: &Spanned<String>| {
        text.get_ref()
            .parse::<PeerId>()
            .map_err(|error| mistake(text.span().start, error.to_string()))
    };
    let expected = hash(&file.network, "network")?;
    let genesis = Genesis {
        admission: file.admission.get_ref().read(key)?,
        name: file.name.get_ref().clone(),
        parameters: *file.parameters.get_ref(),
        seed: hash(&file.seed, "seed")?,
        founders: file
            .founders
            .iter()
            .map(|founder| {
                Ok(Founder {
                    id: key(&founder.key)?,
                    addresses: founder.addresses.clone(),
                })
            })
            .collect::<Result<_, Mistake>>()?,
        publishers: file
            .publishers
            .iter()
            .map(|publisher| {
                Ok(Publisher {
                    stream: key(&publisher.stream)?,
                    max_bits_per_s: publisher.max_bits_per_s,
                })
            })
            .collect::<Result<_, Mistake>>()?,
    };
    genesis
        .found()
        .and_then(|network| network.expect(expected))
        .map_err(|error| mistake(place(&file, &error), error.to_string()))
}

/// Where in the file an error is to be looked for.
fn place(file: &File, error: &GenesisError) -> usize {
    let founder = |wanted: &PeerId| {
        let keys = file.founders.iter().map(|founder| &founder.key).rev();
        keys.into_iter()
            .find(|key| key.get_ref().eq_ignore_ascii_case(&hex(&wanted.0)))
            .map(|key| key.span().start)
    };
    let publisher = |wanted: &PeerId| {
        let keys = file.publishers.iter().map(|publisher| &publisher.stream);
        keys.rev()
            .find(|key| key.get_ref().eq_ignore_ascii_case(&hex(&wanted.0)))
            .map(|key| key.span().start)
    };
    let parameters = file.parameters.span().start;
    match error {
        GenesisError::FounderOrder(key) => founder(key).unwrap_or(0),
        GenesisError::Publisher(key) => publisher(key).unwrap_or(0),
        GenesisError::WrongNetwork { .. } => file.network.span().start,
        GenesisError::TooMany { what, .. } if what.contains("name") => file.name.span().start,
        GenesisError::Admission(_) => file.admission.span().start,
        GenesisError::TooMany { .. } | GenesisError::NoFounders => 0,
        GenesisError::Parameters(_) | GenesisError::Sizes { .. } | GenesisError::Rates { .. } => {
            parameters
        }
    }
}

/// The text of a genesis file.
pub fn to_text(network: &Network) -> String {
    let genesis = network.genesis();
    let spanned = |text: String| Spanned::new(0..0, text);
    let file = File {
        network: spanned(network.id().to_string()),
        name: spanned(genesis.name.clone()),
        seed: spanned(genesis.seed.to_string()),
        admission: Spanned::new(0..0, AdmissionTable::of(&genesis.admission)),
        parameters: Spanned::new(0..0, genesis.parameters),
        publishers: genesis
            .publishers
            .iter()
            .map(|publisher| PublisherTable {
                stream: spanned(publisher.stream.to_string()),
                max_bits_per_s: publisher.max_bits_per_s,
            })
            .collect(),
        founders: genesis
            .founders
            .iter()
            .map(|founder| FounderTable {
                key: spanned(founder.id.to_string()),
                addresses: founder.addresses.clone(),
            })
            .collect(),
    };
    let head = "\
# The genesis of a Hamlet network: the same file for every peer. `network` is the hash of all the rest, so
# a change makes another network. Founders are listed in the order of their keys.

";
    // Our own types all have a form in TOML.
    format!("{head}{}", toml::to_string(&file).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn genesis(peers: u8) -> Network {
        admitting(peers, Admission::Closed)
    }

    fn admitting(peers: u8, admission: Admission) -> Network {
        Genesis {
            admission,
            name: "a \"test\" network".into(),
            parameters: Parameters::for_peers(peers.into()),
            seed: Hash([9; 32]),
            founders: (0..peers)
                .map(|peer| Founder {
                    id: PeerId([peer; 32]),
                    addresses: vec![format!("/ip4/10.0.0.{peer}/udp/4711/quic-v1")],
                })
                .collect(),
            publishers: vec![Publisher {
                stream: PeerId([0; 32]),
                max_bits_per_s: 4_000_000,
            }],
        }
        .found()
        .unwrap()
    }

    fn mistake(text: &str) -> String {
        parse(Path::new("genesis.toml"), text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_genesis_comes_back_as_it_was() {
        let network = genesis(8);
        let read = parse(Path::new("g"), &to_text(&network)).unwrap();
        assert_eq!(read.genesis(), network.genesis());
        assert_eq!(read.id(), network.id());
    }

    #[test]
    fn every_admission_comes_back_as_it_was() {
        let keys = vec![PeerId([1; 32]), PeerId([7; 32])];
        for admission in [
            Admission::Invitation { by: keys.clone() },
            Admission::Listed { keys },
            Admission::Work { bits: 20 },
            Admission::Open,
        ] {
            let network = admitting(8, admission);
            let read = parse(Path::new("g"), &to_text(&network)).unwrap();
            assert_eq!(read.genesis(), network.genesis());
        }
        let text = to_text(&admitting(8, Admission::Work { bits: 20 }));
        let error = mistake(&text.replace("bits = 20", "bits = 0"));
        assert!(error.contains("bits must be"), "{error}");
    }

    #[test]
    fn a_changed_genesis_is_noticed_at_its_identity() {
        let text = to_text(&genesis(8)).replace("4000000", "9000000");
        let error = mistake(&text);
        assert!(error.starts_with("genesis.toml:4:"), "{error}");
        assert!(error.contains("was changed"), "{error}");
    }

    #[test]
    fn mistakes_name_their_line() {
        let text = to_text(&genesis(8));
        let line =
            |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
        let short = text.replacen(&"03".repeat(32), "03", 1);
        let expected = format!("genesis.toml:{}:", line(&short, "\"03\""));
        assert!(
            mistake(&short).starts_with(&expected),
            "{}",
            mistake(&short)
        );
        let twice = text.replacen(&"03".repeat(32), &"02".repeat(32), 1);
        assert!(mistake(&twice).contains("twice"), "{}", mistake(&twice));
        let unknown = text.replace("segment_ms", "segment_s");
        let expected = format!("genesis.toml:{}:", line(&unknown, "segment_s"));
        assert!(
            mistake(&unknown).starts_with(&expected),
            "{}",
            mistake(&unknown)
        );
        let wide = text.replace("h = 2", "h = 20");
        assert!(mistake(&wide).contains("h must be"), "{}", mistake(&wide));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in ".{0,200}", at in 0usize..2000, with in "[\\PC]{0,8}") {
            let _ = parse(Path::new("g"), &text);
            let mut damaged = to_text(&genesis(4));
            let at = at % damaged.len();
            damaged.insert_str(at, &with);
            let _ = parse(Path::new("g"), &damaged);
        }
    }
}
