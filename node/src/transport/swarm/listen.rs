//! Opens the listeners.

use super::build::{self, Behaviour};
use crate::transport::{TransportError, TransportKind};
use futures::StreamExt;
use libp2p::{Multiaddr, Swarm, multiaddr::Protocol, swarm::SwarmEvent};
use std::{io, net::IpAddr, time::Duration};
use tokio::time::timeout;

/// How long a listener may take to say where it listens.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The protocol that an address is for.
pub fn kind(address: &Multiaddr) -> TransportKind {
    match address.iter().any(|part| matches!(part, Protocol::Tcp(_))) {
        true => TransportKind::Tcp,
        false => TransportKind::Quic,
    }
}

/// Listens on all addresses, and says which they are now that the system has chosen what was left open.
pub async fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[String],
) -> Result<Vec<String>, TransportError> {
    let mut listening = Vec::new();
    for address in addresses {
        let failed = |why: String| TransportError::Listen {
            address: address.clone(),
            why,
        };
        let parsed = build::parse(address)?;
        check_free(&parsed).map_err(|error| failed(error.to_string()))?;
        let id = swarm
            .listen_on(parsed)
            .map_err(|error| failed(error.to_string()))?;
        let opened = async {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr {
                        listener_id,
                        address,
                    } if listener_id == id => return Ok(address),
                    SwarmEvent::ListenerClosed {
                        listener_id,
                        reason,
                        ..
                    } if listener_id == id => {
                        return Err(reason.map_or_else(|e| e.to_string(), |()| "closed".to_owned()));
                    }
                    _ => {}
                }
            }
        };
        let opened = timeout(LISTEN_TIMEOUT, opened)
            .await
            .map_err(|_| failed("the system did not say that it listens".to_owned()))?
            .map_err(failed)?;
        listening.push(opened.to_string());
    }
    Ok(listening)
}

/// Fails if somebody listens on a TCP port: libp2p would share it with them and get half of the
/// connections.
fn check_free(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => std::net::TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}
