//! Founds a network for a demonstration: keys, data folders, ports and the genesis.

use super::{Options, stage::failed};
use crate::{
    data::{Folder, Lock, Reservation, SecretKey, genesis},
    driver::JournalPath,
    failure::{Failure, Kind},
    transport::TransportKind,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    membership::admission::Admission,
    set::MAX_SLOTS,
};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
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

/// Where peers come and go: how long an epoch lasts at least, and how long one may be silent.
const EPOCH_MS: u32 = 1_000;
const SILENCE_MS: u32 = 6_000;

/// A peer's own things.
pub struct Home {
    /// Its key.
    pub key: SecretKey,
    /// Where it keeps what agreement must not forget.
    pub journal: JournalPath,
    /// The segment numbers that it may use.
    pub numbers: Reservation,
    /// Holds its data folder.
    pub lock: Lock,
}

/// Founds the network in subfolders of `root`.
pub fn found(
    options: &Options,
    root: &Path,
    random: &mut ChaCha12Rng,
) -> Result<Founding, Failure> {
    let count = options.founders();
    let keys: Vec<SecretKey> = (0..count).map(|_| draw_key(random)).collect();
    let mut founders: Vec<Founder> = keys
        .iter()
        .zip(free_addresses(count, options.transport)?)
        .map(|(key, address)| Founder {
            id: key.id(),
            addresses: vec![address],
        })
        .collect();
    founders.sort_by_key(|founder| founder.id);
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let parameters = parameters(options);
    // Twice the rate leaves room for what a rate does not say: segments differ in length.
    let max_bits_per_s = options
        .rate
        .map_or(DEFAULT_MAX_BITS_PER_S, |rate| {
            rate.bits_per_s.saturating_mul(2)
        })
        .min(parameters.total_bits_per_s);
    let network = Genesis {
        admission: match options.moves() {
            true => Admission::Open,
            false => Admission::Closed,
        },
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
    let homes = keys.into_iter().enumerate();
    let homes = homes.map(|(number, key)| Home::make(root, number, key, &network));
    let homes = homes.collect::<Result<Vec<Home>, Failure>>()?;
    Ok(Founding {
        network: Arc::new(network),
        founders: homes,
    })
}

/// The most members of a cluster in a network that grows.
const LARGEST: usize = 32;

/// Parameters that suit what is to happen.
fn parameters(options: &Options) -> Parameters {
    let usual = Parameters::for_peers(options.founders());
    if !options.moves() {
        return usual;
    }
    // Clusters do not merge. So where the network only changes its peers they split when they are nearly twice as large as they
    // were, and they are not too small to bear that one dies; where it grows they split when they are as large as clusters should be. There
    // are so many slots that those who come find one, wherever their walks end.
    let founders = options.founders();
    let grows = options.most() > founders;
    let clusters = (founders / 4).clamp(1, 4);
    let g_max = match grows {
        true => LARGEST,
        false => founders.div_ceil(clusters).min(MAX_SLOTS.into()),
    };
    let g_min = match grows {
        true => 1,
        false => (founders / clusters).saturating_sub(1).max(1),
    };
    let room = (options.most() * 3 / 2).div_ceil(clusters).max(g_max);
    let n = room.clamp(usual.n.into(), MAX_SLOTS.into()) as u8;
    Parameters {
        g_min: g_min as u8,
        g_max: g_max as u8,
        n,
        k: n * 2 / 5,
        epoch_ms: EPOCH_MS,
        silence_ms: Some(SILENCE_MS),
        ..usual
    }
}

/// A key from the seed of a demonstration.
pub fn draw_key(random: &mut ChaCha12Rng) -> SecretKey {
    let mut secret = [0; 32];
    random.fill_bytes(&mut secret);
    SecretKey::from_secret(secret)
}

impl Home {
    /// Makes the data folder of the peer of this number in `root`.
    pub fn make(
        root: &Path,
        number: usize,
        key: SecretKey,
        network: &Network,
    ) -> Result<Home, Failure> {
        let folder = Folder::at(root.join(format!("peer-{number}")));
        folder.create()?;
        key.write(&folder.key())?;
        fs::write(folder.genesis(), genesis::to_text(network))
            .map_err(|error| failed(format!("{}: {error}", folder.genesis().display())))?;
        let lock = folder.lock()?;
        Ok(Home {
            numbers: Reservation::begin(lock.store()?, network.id(), true)?,
            journal: JournalPath {
                file: folder.agreement(network.id()),
                unused: folder.unused(),
            },
            key,
            lock,
        })
    }
}

/// Addresses with ports that nobody uses at present.
pub fn free_addresses(count: usize, kind: TransportKind) -> Result<Vec<String>, Failure> {
    find_addresses(count, kind)
        .map_err(|error| Failure::new(Kind::Failed, format!("no free ports on 127.0.0.1: {error}")))
}

/// All are held until the last one is found, so that they differ.
fn find_addresses(count: usize, kind: TransportKind) -> io::Result<Vec<String>> {
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
