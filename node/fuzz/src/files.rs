//! What comes from people, and from whoever sends them files.

use hamlet_node::{
    config::{ConfigFile, EXAMPLE, Rate},
    data::genesis,
    uri::StreamUri,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::PeerId,
    view::View,
};
use std::path::Path;

fn network(peers: u8) -> Network {
    let genesis = Genesis {
        admission: Default::default(),
        name: "a \"network\"".into(),
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
    };
    genesis.found().expect("the genesis is in order")
}

/// Genesis files of small networks.
pub fn geneses() -> Vec<Vec<u8>> {
    [1, 4, 9]
        .map(|peers| genesis::to_text(&network(peers)).into_bytes())
        .into()
}

/// Whatever founds a network gives every founder a view of it and comes back from its own text. The
/// identity that the text states is set right first: a search cannot guess hashes.
pub fn genesis(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let path = Path::new("genesis.toml");
    let network = match genesis::parse(path, &text) {
        Ok(network) => network,
        Err(mistake) => {
            let mistake = mistake.to_string();
            let Some(found) = found_instead(&mistake) else {
                return;
            };
            let Ok(network) = genesis::parse(path, &with_identity(&text, found)) else {
                return;
            };
            network
        }
    };
    let again = genesis::parse(path, &genesis::to_text(&network));
    assert_eq!(again.map(|network| network.id()), Ok(network.id()));
    for founder in network.genesis().founders.iter().take(20) {
        let view = View::founding(&network, founder.id).expect("a founder has a view");
        assert!(!view.links(founder.id).contains(&founder.id));
    }
}

/// The identity that a genesis has, out of the complaint that it is not the one it states.
fn found_instead(mistake: &str) -> Option<&str> {
    let (_, rest) = mistake.split_once("founds network ")?;
    rest.get(..64)
}

fn with_identity(text: &str, identity: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("network") {
        true => format!("network = \"{identity}\"\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

/// The example, as it is and with every setting in use.
pub fn configs() -> Vec<Vec<u8>> {
    let uncommented = EXAMPLE.replace("# ", "");
    let all = "listen = [\"/ip4/0.0.0.0/udp/4711/quic-v1\"]\nprefer = \"tcp\"\nhttp = \"[::1]:80\"\n\
        upload_limit = \"1.5Mbit\"\n[log]\nlevel = \"hamlet=debug,info\"\nformat = \"json\"\n";
    [EXAMPLE, &uncommented, all]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

/// A configuration is taken or its mistake named with line and column.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(mistake) = ConfigFile::parse(Path::new("hamlet.toml"), &text) {
        assert!(mistake.to_string().starts_with("hamlet.toml:"));
    }
}

/// Names of streams.
pub fn uris() -> Vec<Vec<u8>> {
    let network = network(4);
    let uri = StreamUri::of(&network, 0).expect("it has a publisher");
    vec![uri.to_string().into_bytes(), b"hamlet:00/ff".to_vec()]
}

/// A name of a stream is refused, or printed as it was read.
pub fn uri(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(uri) = text.parse::<StreamUri>() {
        assert_eq!(uri.to_string(), text.trim().to_lowercase());
    }
}

/// Rates as people write them.
pub fn rates() -> Vec<Vec<u8>> {
    [
        "400kbit",
        "1.5 Mbit/s",
        "18446744073.709551615Gbit",
        "64000",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// A rate is refused, or the same after it was printed.
pub fn rate(bytes: &[u8]) {
    if let Ok(rate) = String::from_utf8_lossy(bytes).parse::<Rate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
}
