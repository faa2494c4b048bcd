//! Small networks of real peers on the loopback address.
#![allow(dead_code)] // Every test file uses its own part of this.

use bytes::Bytes;
use hamlet_node::{
    driver::{self, Clock, DriverConfig, PeerHandle, StartError},
    transport::{TransportError, TransportKind},
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{Ed25519Signer, PeerId, Signer},
    io::{Cut, Segment},
};
use std::{
    net::{TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::broadcast, time::timeout};

/// How long anything may take before a test gives it up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The rate of the source's certificate, in bits per second.
pub const MAX_BITS_PER_S: u64 = 4_000_000;

/// The secret of a peer.
pub fn secret(number: usize) -> [u8; 32] {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&(number as u64).to_le_bytes());
    secret
}

/// The key of a peer.
pub fn id(number: usize) -> PeerId {
    Ed25519Signer::from_secret(&secret(number)).id()
}

/// A network of so many peers; peer 0 is the source.
pub fn found(peers: usize, kind: TransportKind) -> Arc<Network> {
    let mut founders: Vec<Founder> = addresses(peers, kind)
        .into_iter()
        .enumerate()
        .map(|(number, address)| Founder {
            id: id(number),
            addresses: vec![address],
        })
        .collect();
    founders.sort_by_key(|founder| founder.id);
    let genesis = Genesis {
        admission: Default::default(),
        name: "test".to_owned(),
        parameters: Parameters::for_peers(peers),
        seed: Hash([5; 32]),
        founders,
        publishers: vec![Publisher {
            stream: id(0),
            max_bits_per_s: MAX_BITS_PER_S,
        }],
    };
    Arc::new(genesis.found().expect("the genesis is in order"))
}

fn addresses(count: usize, kind: TransportKind) -> Vec<String> {
    // All are held until the last one is found, so that they differ.
    match kind {
        TransportKind::Quic => {
            let sockets: Vec<_> = (0..count)
                .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
                .collect();
            let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
            sockets
                .iter()
                .map(|socket| format!("/ip4/127.0.0.1/udp/{}/quic-v1", port(socket)))
                .collect()
        }
        TransportKind::Tcp => {
            let sockets: Vec<_> = (0..count)
                .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
                .collect();
            let port = |socket: &TcpListener| socket.local_addr().unwrap().port();
            sockets
                .iter()
                .map(|socket| format!("/ip4/127.0.0.1/tcp/{}", port(socket)))
                .collect()
        }
    }
}

/// Starts a peer of a network.
pub async fn start(network: &Arc<Network>, number: usize, publish_from: u64) -> PeerHandle {
    let mut config = DriverConfig::new(network.clone(), secret(number), secret(number));
    config.clock = Clock::start();
    config.publish_from = publish_from;
    // The system may take a moment to free the port of a peer that was killed.
    let started = async {
        loop {
            match driver::start(config.clone()).await {
                Err(StartError::Transport(TransportError::Listen { .. })) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
    };
    let started = timeout(PATIENCE, started).await.expect("the port is free");
    started.expect("the peer starts")
}

/// Waits until a peer has at least so many links, or all that it wants.
pub async fn linked(peer: &PeerHandle, missing: usize) {
    let all = async {
        loop {
            let report = peer.status().await.unwrap().report;
            if report.links_connected + missing >= report.links_wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("the links come up");
}

/// The payload of the segment with this place in the stream.
pub fn payload(place: usize) -> Bytes {
    (0..8_000 + place)
        .map(|byte| (byte * 31 + place * 7) as u8)
        .collect()
}

/// A segment of the stream.
pub fn cut(place: usize) -> Cut {
    Cut {
        payload: payload(place),
        random_access: true,
        cut_unix_ms: 0,
    }
}

/// The number of the next segment that a peer hands out, whose bytes are as they should be.
pub async fn next(segments: &mut broadcast::Receiver<Arc<Segment>>, first: u64) -> u64 {
    let segment = timeout(PATIENCE, segments.recv())
        .await
        .expect("a segment comes")
        .expect("the peer goes on");
    let bytes = segment.payload.concat();
    let place = (segment.number - first) as usize;
    assert!(
        bytes == payload(place),
        "segment {} is changed",
        segment.number
    );
    segment.number
}
