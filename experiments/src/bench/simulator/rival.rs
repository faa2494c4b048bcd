//! The same messages in a world of `turmoil`, which runs a Tokio task for each host.

use super::pattern::{UNDER_WAY, latency, next};
use std::{cell::Cell, error::Error, net::SocketAddr, rc::Rc, time::Duration};
use turmoil::{Builder, lookup, net::UdpSocket};

const PORT: u16 = 7000;

/// Runs so many hosts for so much virtual time; gives how many messages arrived.
pub fn run(peers: usize, time: Duration) -> Result<u64, Box<dyn Error>> {
    let [low, high] = latency();
    let mut world = Builder::new()
        .rng_seed(1)
        .simulation_duration(time * 2)
        .min_message_latency(low)
        .max_message_latency(high)
        .udp_capacity(1 << 16)
        .build();
    let arrived = Rc::new(Cell::new(0));
    for peer in 0..peers {
        let arrived = arrived.clone();
        world.host(name(peer), move || pass_on(peer, peers, arrived.clone()));
    }
    world.client("clock", async move {
        tokio::time::sleep(time).await;
        Ok(())
    });
    world.run()?;
    Ok(arrived.get())
}

fn name(peer: usize) -> String {
    format!("peer-{peer}")
}

async fn pass_on(peer: usize, peers: usize, arrived: Rc<Cell<u64>>) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let address = |other: usize| SocketAddr::new(lookup(name(other)), PORT);
    let mut buffer = [0; 8];
    let mut sent = 0;
    for _ in 0..UNDER_WAY {
        socket
            .send_to(&buffer, address(next(peer, sent, peers)))
            .await?;
        sent += 1;
    }
    loop {
        socket.recv_from(&mut buffer).await?;
        arrived.set(arrived.get() + 1);
        socket
            .send_to(&buffer, address(next(peer, sent, peers)))
            .await?;
        sent = sent.wrapping_add(1);
    }
}
