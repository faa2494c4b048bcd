//! Writes a new network: its genesis, and a data folder for every founder.

use super::{
    New,
    found::{Peer, addresses},
    wrong,
};
use crate::{
    data::{Folder, genesis},
    failure::Failure,
    uri::StreamUri,
};
use hamlet_overlay::genesis::Network;
use serde::Serialize;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

/// What was made.
#[derive(Serialize)]
pub(super) struct Made {
    pub network: String,
    pub streams: Vec<String>,
    pub genesis: PathBuf,
    pub folders: Vec<PathBuf>,
}

impl New {
    /// Writes the folders of these founders.
    pub(super) fn write(&self, peers: &[Peer], network: &Network) -> Result<Made, Failure> {
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

/// The configuration of a peer. On another machine than this it listens on all addresses, since its public
/// one may be that of a router.
fn config(number: usize, peer: &Peer) -> String {
    let mut text = format!(
        "# The configuration of peer {number}; `hamlet config example` explains every setting.\n"
    );
    if !peer.host.is_loopback() {
        let any = match peer.host {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        text.push_str(&format!("listen = {:?}\n", addresses(any, peer.port)));
    }
    text.push_str(&format!("http = \"127.0.0.1:{}\"\n", peer.http_port));
    text
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| wrong(format!("{}: {error}", path.display())))
}
