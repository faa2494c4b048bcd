//! Founds a network for a demonstration: keys, data folders, ports and the genesis.

use super::Options;
use crate::{
    data::{Folder, Lock, Reservation, SecretKey, genesis},
    failure::{Failure, Kind},
    transport::TransportKind,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

/// What the source may publish if no rate was chosen, in bits per second.
const DEFAULT_MAX_BITS_PER_S: u64 = 20_000_000;

/// A founded network, of which no peer runs yet.
pub struct Founding {
    /// The network.
    pub network: Arc<Network>,
    /// Its founders; the first is the source.
    pub founders: Vec<Home>,
}

/// A founder's own things.
pub struct Home {
    /// Its key.
    pub key: SecretKey,
    /// The segment numbers that it may use.
    pub numbers: Reservation,
    /// Holds its data folder.
    pub lock: Lock,
}

/// Founds the network in subfolders of `root`.
pub fn found(
    options: &Options,
    root: &std::path::Path,
    random: &mut ChaCha12Rng,
) -> Result<Founding, Failure> {
    let count = usize::from(options.peers);
    let mut secret = || {
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        SecretKey::from_secret(secret)
    };
    let keys: Vec<SecretKey> = (0..count).map(|_| secret()).collect();
    let mut founders: Vec<Founder> = keys
        .iter()
        .zip(free_addresses(count, options.transport).map_err(|error| {
            Failure::new(Kind::Failed, format!("no free ports on 127.0.0.1: {error}"))
        })?)
        .map(|(key, address)| Founder {
            id: key.id(),
            addresses: vec![address],
        })
        .collect();
    founders.sort_by_key(|founder| founder.id);
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let parameters = Parameters::for_peers(count);
    // Twice the rate leaves room for what a rate does not say: segments differ in length.
    let max_bits_per_s = options
        .rate
        .map_or(DEFAULT_MAX_BITS_PER_S, |rate| {
            rate.bits_per_s.saturating_mul(2)
        })
        .min(parameters.total_bits_per_s);
    let network = Genesis {
        admission: Default::default(),
        name: "demo".to_owned(),
        parameters,
        seed: Hash(seed),
        founders,
        publishers: vec![Publisher {
            stream: keys[0].id(),
            max_bits_per_s,
        }],
    }
    .found()
    .map_err(|error| Failure::new(Kind::Configuration, error))?;
    let text = genesis::to_text(&network);
    let homes = keys
        .into_iter()
        .enumerate()
        .map(|(number, key)| {
            let folder = Folder::at(root.join(format!("peer-{number}")));
            folder.create()?;
            key.write(&folder.key())?;
            fs::write(folder.genesis(), &text).map_err(|error| {
                Failure::new(
                    Kind::Failed,
                    format!("{}: {error}", folder.genesis().display()),
                )
            })?;
            let lock = folder.lock()?;
            Ok(Home {
                numbers: Reservation::begin(lock.store()?, network.id())?,
                key,
                lock,
            })
        })
        .collect::<Result<Vec<Home>, Failure>>()?;
    Ok(Founding {
        network: Arc::new(network),
        founders: homes,
    })
}

/// Addresses with ports that nobody uses at present. All are held until the last one is found, so that
/// they differ.
fn free_addresses(count: usize, kind: TransportKind) -> io::Result<Vec<String>> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match kind {
        TransportKind::Quic => {
            let sockets: Vec<UdpSocket> = (0..count)
                .map(|_| UdpSocket::bind(any))
                .collect::<io::Result<_>>()?;
            sockets
                .iter()
                .map(|socket| {
                    let port = socket.local_addr()?.port();
                    Ok(format!("/ip4/127.0.0.1/udp/{port}/quic-v1"))
                })
                .collect()
        }
        TransportKind::Tcp => {
            let sockets: Vec<TcpListener> = (0..count)
                .map(|_| TcpListener::bind(any))
                .collect::<io::Result<_>>()?;
            sockets
                .iter()
                .map(|socket| {
                    let port = socket.local_addr()?.port();
                    Ok(format!("/ip4/127.0.0.1/tcp/{port}"))
                })
                .collect()
        }
    }
}
