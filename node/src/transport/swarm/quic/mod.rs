//! QUIC for the libp2p swarm, over quinn.
//!
//! libp2p-quic would do but for two things: it opens its sockets itself, so nothing can count what they
//! send, and it does not let us ask the other side for fewer acknowledgements, of which a relay causes
//! many. On the wire this is libp2p's QUIC (`/quic-v1` with the libp2p TLS certificate): either end may
//! be libp2p-quic. Not supported, since nobody here uses them: hole punching and moving to another address.

mod connection;

use super::wire::{CountingRuntime, Silence};
use crate::transport::counters::Counters;
use connection::Connection;
use futures::{FutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId,
    core::{
        Transport,
        transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    },
    identity::Keypair,
    multiaddr::Protocol,
    tls,
};
use quinn::{
    AckFrequencyConfig, ClientConfig, ConnectionId, ConnectionIdGenerator, Endpoint,
    EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
    rustls::pki_types::CertificateDer,
};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use socket2::{Domain, Socket, Type};
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::timeout;

/// A connection on which nothing came for so long is dead. Both sides see to it that something comes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long a connection may take to be made. An address that only TCP reaches costs this much.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Packets that may come before the other side acknowledges them, and how long it may take its time.
const ACK_EVERY_PACKETS: u32 = 16;
const ACK_DELAY: Duration = Duration::from_millis(20);
/// The length of connections' names, in bytes.
const CONNECTION_ID_BYTES: usize = 8;
/// What the system is asked to hold of a socket's datagrams; a segment comes from many sides at once.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

type Opening = BoxFuture<'static, io::Result<(PeerId, Connection)>>;
type Event = TransportEvent<Opening, io::Error>;

/// Names connections at random. Quinn's own generator takes names made by the process before for noise,
/// to which it does not answer; with this one it tells the other side that its connection is dead.
struct ConnectionIds(Arc<Mutex<ChaCha12Rng>>);

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut name = [0; CONNECTION_ID_BYTES];
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut name);
        ConnectionId::new(&name)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// QUIC as a libp2p transport.
pub struct Quic {
    runtime: Arc<CountingRuntime>,
    client: ClientConfig,
    server: ServerConfig,
    endpoint: EndpointConfig,
    listeners: Vec<Listener>,
    /// For dialing where no listener of the address's family is there.
    dialers: Vec<Endpoint>,
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

struct Listener {
    id: ListenerId,
    endpoint: Endpoint,
    address: SocketAddr,
    accept: BoxFuture<'static, Option<quinn::Incoming>>,
}

impl Quic {
    /// QUIC under this key, with so many streams that the other side may open on a connection.
    pub fn new(
        keypair: &Keypair,
        streams: u32,
        counters: Arc<Counters>,
        silence: Silence,
    ) -> io::Result<Quic> {
        let client = tls::make_client_config(keypair, None).map_err(io::Error::other)?;
        let client = QuicClientConfig::try_from(client).map_err(io::Error::other)?;
        let server = tls::make_server_config(keypair).map_err(io::Error::other)?;
        let server = QuicServerConfig::try_from(server).map_err(io::Error::other)?;
        let transport = Arc::new(transport_config(streams)?);
        let mut client = ClientConfig::new(Arc::new(client));
        client.transport_config(transport.clone());
        let mut server = ServerConfig::with_crypto(Arc::new(server));
        server.transport_config(transport).migration(false);
        // Derived from the key, so that a peer that was restarted can tell others that their connections
        // with the one before are dead.
        let reset_key = keypair
            .derive_secret(b"hamlet v1 quic stateless reset")
            .map(|secret| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret))
            .ok_or_else(|| io::Error::other("this kind of key derives no secrets"))?;
        let mut endpoint = EndpointConfig::new(Arc::new(reset_key));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let random = Arc::new(Mutex::new(ChaCha12Rng::from_seed(seed)));
        endpoint
            .supported_versions(vec![1])
            .cid_generator(move || Box::new(ConnectionIds(random.clone())));
        Ok(Quic {
            runtime: Arc::new(CountingRuntime { counters, silence }),
            client,
            server,
            endpoint,
            listeners: Vec::new(),
            dialers: Vec::new(),
            events: VecDeque::new(),
            waker: None,
        })
    }

    fn open(&self, address: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            // Whoever wants both families names both.
            socket.set_only_v6(true)?;
        }
        // As much as the system grants.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        socket.bind(&address.into())?;
        Endpoint::new(
            self.endpoint.clone(),
            server,
            socket.into(),
            self.runtime.clone(),
        )
    }

    /// The endpoint from which an address is dialed: a listener if there is one, so that both directions
    /// use one port.
    fn dialer(&mut self, remote: SocketAddr) -> io::Result<Endpoint> {
        let fits = |local: SocketAddr| {
            local.is_ipv4() == remote.is_ipv4()
                && (local.ip().is_unspecified()
                    || local.ip().is_loopback() == remote.ip().is_loopback())
        };
        if let Some(listener) = self.listeners.iter().find(|l| fits(l.address)) {
            return Ok(listener.endpoint.clone());
        }
        for dialer in &self.dialers {
            if fits(dialer.local_addr()?) {
                return Ok(dialer.clone());
            }
        }
        let any: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let endpoint = self.open(SocketAddr::new(any, 0), None)?;
        self.dialers.push(endpoint.clone());
        Ok(endpoint)
    }

    fn poll_listeners(&mut self, cx: &mut Context<'_>) -> Option<Event> {
        for place in 0..self.listeners.len() {
            let listener = &mut self.listeners[place];
            match listener.accept.poll_unpin(cx) {
                Poll::Ready(Some(incoming)) => {
                    listener.accept = accept(listener.endpoint.clone());
                    return Some(TransportEvent::Incoming {
                        listener_id: listener.id,
                        local_addr: to_multiaddr(listener.address),
                        send_back_addr: to_multiaddr(incoming.remote_address()),
                        upgrade: async move {
                            opened(incoming.accept().map_err(io::Error::other)?).await
                        }
                        .boxed(),
                    });
                }
                Poll::Ready(None) => {
                    let listener = self.listeners.swap_remove(place);
                    return Some(TransportEvent::ListenerClosed {
                        listener_id: listener.id,
                        reason: Err(io::Error::other("the socket is lost")),
                    });
                }
                Poll::Pending => {}
            }
        }
        None
    }
}

fn transport_config(streams: u32) -> io::Result<TransportConfig> {
    let mut acknowledge = AckFrequencyConfig::default();
    acknowledge
        .ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY_PACKETS))
        .max_ack_delay(Some(ACK_DELAY));
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(
            IdleTimeout::try_from(IDLE_TIMEOUT).map_err(io::Error::other)?,
        ))
        .ack_frequency_config(Some(acknowledge));
    Ok(config)
}

fn accept(endpoint: Endpoint) -> BoxFuture<'static, Option<quinn::Incoming>> {
    async move { endpoint.accept().await }.boxed()
}

/// Waits for the handshake, and reads from the certificate who is at the other end.
async fn opened(connecting: quinn::Connecting) -> io::Result<(PeerId, Connection)> {
    let connection = timeout(HANDSHAKE_TIMEOUT, connecting).await??;
    let peer = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
        .and_then(|chain| Some(tls::certificate::parse(chain.first()?).ok()?.peer_id()))
        .ok_or_else(|| io::Error::other("the other side's certificate names no peer"))?;
    Ok((peer, Connection::new(connection)))
}

impl Transport for Quic {
    type Output = (PeerId, Connection);
    type Error = io::Error;
    type ListenerUpgrade = Opening;
    type Dial = Opening;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        let wanted =
            to_socket_address(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let endpoint = self
            .open(wanted, Some(self.server.clone()))
            .map_err(TransportError::Other)?;
        let address = endpoint.local_addr().map_err(TransportError::Other)?;
        self.events.push_back(TransportEvent::NewAddress {
            listener_id: id,
            listen_addr: to_multiaddr(address),
        });
        self.listeners.push(Listener {
            id,
            address,
            accept: accept(endpoint.clone()),
            endpoint,
        });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(place) = self.listeners.iter().position(|l| l.id == id) else {
            return false;
        };
        let listener = self.listeners.swap_remove(place);
        listener.endpoint.close(VarInt::from_u32(0), &[]);
        self.events.push_back(TransportEvent::ListenerClosed {
            listener_id: id,
            reason: Ok(()),
        });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        true
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Opening, TransportError<io::Error>> {
        let remote = to_socket_address(&address)
            .filter(|remote| remote.port() != 0 && !remote.ip().is_unspecified())
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        let endpoint = self.dialer(remote).map_err(TransportError::Other)?;
        let client = self.client.clone();
        Ok(async move {
            // A name is obligatory and means nothing: the certificate names the key.
            let connecting = endpoint
                .connect_with(client, remote, "hamlet")
                .map_err(io::Error::other)?;
            opened(connecting).await
        }
        .boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let this = &mut *self;
        if let Some(event) = this.events.pop_front().or_else(|| this.poll_listeners(cx)) {
            return Poll::Ready(event);
        }
        this.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The socket address in `/ip4/…/udp/…/quic-v1`, with or without a peer's name behind it.
fn to_socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let Protocol::Udp(port) = parts.next()? else {
        return None;
    };
    let (Protocol::QuicV1, None | Some(Protocol::P2p(_)), None) =
        (parts.next()?, parts.next(), parts.next())
    else {
        return None;
    };
    Some(SocketAddr::new(ip, port))
}

fn to_multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(address.ip().into())
        .with(Protocol::Udp(address.port()))
        .with(Protocol::QuicV1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["/ip4/127.0.0.1/udp/4711/quic-v1", "/ip6/::1/udp/1/quic-v1"] {
            let address: Multiaddr = text.parse().unwrap();
            assert_eq!(to_multiaddr(to_socket_address(&address).unwrap()), address);
        }
        for text in [
            "/ip4/127.0.0.1/tcp/4711",
            "/ip4/127.0.0.1/udp/4711",
            "/ip4/127.0.0.1/udp/4711/quic-v1/webtransport",
            "/dns4/example.org/udp/4711/quic-v1",
        ] {
            assert_eq!(to_socket_address(&text.parse().unwrap()), None, "{text}");
        }
    }
}
