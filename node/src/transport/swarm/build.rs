//! Puts the libp2p swarm together.

use super::{
    SwarmConfig, identity,
    quic::Quic,
    wire::{CountingTcp, Silence},
};
use crate::transport::{TransportError, counters::Counters};
use libp2p::{
    Multiaddr, Swarm, Transport as _,
    allow_block_list::{self, AllowedPeers},
    connection_limits::{self, ConnectionLimits},
    core::{muxing::StreamMuxerBox, transport::upgrade::Version},
    identify, noise,
    swarm::{self, NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};
use std::{sync::Arc, time::Duration};

/// How long a TCP connection may take to be made.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Both sides may dial at once, and a broken connection may linger until its time-out.
const CONNECTIONS_PER_PEER: u32 = 4;
/// Strangers who have not shown their key yet.
const PENDING_INCOMING: u32 = 256;
/// The streams of a link, those that are being replaced, and identify's.
const STREAMS_PER_CONNECTION: u32 = 16;

/// What runs on every connection.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// Refuses everybody whom the driver did not ask for, unless visitors may come.
    wanted: Toggle<allow_block_list::Behaviour<AllowedPeers>>,
    limits: connection_limits::Behaviour,
    /// Our streams.
    pub streams: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
}

impl Behaviour {
    /// Takes connections with a peer from now on.
    pub fn allow(&mut self, peer: libp2p::PeerId) {
        if let Some(wanted) = self.wanted.as_mut() {
            wanted.allow_peer(peer);
        }
    }

    /// Refuses them, and closes those that there are. Where visitors may come the task has to.
    pub fn disallow(&mut self, peer: libp2p::PeerId) {
        if let Some(wanted) = self.wanted.as_mut() {
            wanted.disallow_peer(peer);
        }
    }
}

/// The swarm of a peer, not yet listening.
pub fn build(
    config: &SwarmConfig,
    counters: &Arc<Counters>,
    silence: &Silence,
) -> Result<Swarm<Behaviour>, TransportError> {
    let keypair = identity::keypair(config.secret);
    let noise = noise::Config::new(&keypair).map_err(std::io::Error::other)?;
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(STREAMS_PER_CONNECTION as usize);
    let counting = counters.clone();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(move |socket, _| CountingTcp {
            socket,
            counters: counting.clone(),
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(muxer)
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = Quic::new(
        &keypair,
        STREAMS_PER_CONNECTION,
        counters.clone(),
        silence.clone(),
    )?
    .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let transport = quic
        .or_transport(tcp)
        .map(|either, _| either.into_inner())
        .boxed();
    let public = keypair.public();
    let behaviour = Behaviour {
        wanted: Toggle::from((!config.visitors).then(allow_block_list::Behaviour::default)),
        limits: connection_limits::Behaviour::new(
            ConnectionLimits::default()
                .with_max_pending_incoming(Some(PENDING_INCOMING))
                .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER)),
        ),
        streams: libp2p_stream::Behaviour::new(),
        identify: identify::Behaviour::new(
            identify::Config::new("hamlet/1".to_owned(), public.clone())
                .with_agent_version(concat!("hamlet/", env!("CARGO_PKG_VERSION")).to_owned()),
        ),
    };
    Ok(Swarm::new(
        transport,
        behaviour,
        public.to_peer_id(),
        // A link that carries nothing for a while is still wanted; who is not, is disconnected.
        swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::MAX),
    ))
}

/// Reads a multiaddress.
pub fn parse(address: &str) -> Result<Multiaddr, TransportError> {
    address.parse().map_err(|_| TransportError::Address {
        address: address.to_owned(),
    })
}
