//! MPEG-TS in datagrams.
//!
//! Whoever sends first is the source; datagrams of others are left out until it has been silent for a while,
//! so that two senders do not mix.

use super::Address;
use crate::ingest::Input;
use bytes::{Bytes, BytesMut};
use futures::stream;
use socket2::SockRef;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::net::{UdpSocket, lookup_host};
use tracing::{info, warn};

/// The longest datagram.
const DATAGRAM_BYTES: usize = 65_536;
/// How much the system keeps while this process does something else, if it allows so much.
const RECEIVE_BYTES: usize = 4 << 20;
/// After so long without a datagram another sender may take over.
const TAKEOVER: Duration = Duration::from_secs(2);

/// What is sent to an address, whether anybody sends yet or not.
///
/// # Errors
/// If the address is not one of this host, or in use.
pub async fn listen(address: &Address) -> io::Result<Input> {
    let socket = match address.ip() {
        Some(IpAddr::V4(group)) if group.is_multicast() => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, address.port)).await?;
            socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
            socket
        }
        Some(IpAddr::V6(group)) if group.is_multicast() => {
            let any = SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), address.port);
            let socket = UdpSocket::bind(any).await?;
            socket.join_multicast_v6(&group, 0)?;
            socket
        }
        Some(ip) => UdpSocket::bind((ip, address.port)).await?,
        None if address.host.is_empty() => {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, address.port)).await?
        }
        None => {
            let found: Vec<SocketAddr> = lookup_host((address.host.as_str(), address.port))
                .await?
                .collect();
            UdpSocket::bind(&found[..]).await?
        }
    };
    // Less than asked for is still something.
    let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES);
    info!("waiting for MPEG-TS at udp://{}", socket.local_addr()?);
    let receiver = Receiver {
        socket,
        sender: None,
        warned: false,
    };
    Ok(Box::pin(stream::try_unfold(
        receiver,
        |mut receiver| async { Ok(Some((receiver.next().await?, receiver))) },
    )))
}

struct Receiver {
    socket: UdpSocket,
    /// Who is the source, and when it was last heard.
    sender: Option<(SocketAddr, Instant)>,
    warned: bool,
}

impl Receiver {
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut datagram = BytesMut::zeroed(DATAGRAM_BYTES);
        loop {
            let (length, from) = self.socket.recv_from(&mut datagram).await?;
            match self.sender {
                Some((sender, heard)) if sender != from && heard.elapsed() < TAKEOVER => {
                    if !std::mem::replace(&mut self.warned, true) {
                        warn!("datagrams from {from} are left out while {sender} sends");
                    }
                    continue;
                }
                Some((sender, _)) if sender == from => {}
                _ => info!("the stream comes from {from}"),
            }
            self.sender = Some((from, Instant::now()));
            if length > 0 {
                datagram.truncate(length);
                return Ok(datagram.freeze());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    #[tokio::test]
    async fn the_first_sender_is_the_source() {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let url: Address = format!("udp://{address}").parse().unwrap();
        let mut input = listen(&url).await.unwrap();
        let [first, other] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        first.send_to(b"one", address).unwrap();
        assert_eq!(input.next().await.unwrap().unwrap(), "one");
        other.send_to(b"noise", address).unwrap();
        first.send_to(b"two", address).unwrap();
        assert_eq!(input.next().await.unwrap().unwrap(), "two");
        assert!(listen(&url).await.is_err());
    }
}
