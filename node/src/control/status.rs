//! What a node says of itself.

use crate::{driver::Stopped, service::Service, uri::StreamUri};
use hamlet_overlay::{genesis::Parameters, report::StreamReport};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// What a node says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// The network.
    pub network: NetworkStatus,
    /// The peer's key, in hexadecimal.
    pub peer: String,
    /// The number of the peer's cluster.
    pub cluster: u64,
    /// How long it has been running, in milliseconds.
    pub running_ms: u64,
    /// Where it listens for peers.
    pub listening: Vec<String>,
    /// Links that the peer wants, and those connected.
    pub links_wanted: usize,
    /// Links that are connected.
    pub links_connected: usize,
    /// Bytes of frames sent, over all links.
    pub sent_bytes: u64,
    /// Bytes of frames received.
    pub received_bytes: u64,
    /// Frames that were not accepted, by kind.
    pub refused: BTreeMap<String, u64>,
    /// The streams of the network.
    pub streams: Vec<StreamStatus>,
    /// All that the transport counted.
    pub transport: serde_json::Value,
}

/// What a node says of its network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// Its identity, in hexadecimal.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How many founders it has.
    pub peers: usize,
    /// How many clusters.
    pub clusters: usize,
    /// Its parameters.
    pub parameters: Parameters,
}

/// What a node says of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Its name.
    pub uri: String,
    /// Where players play it.
    pub player: String,
    /// Whether this peer publishes it.
    pub own: bool,
    /// The highest rate of its certificate, in bits per second.
    pub max_bits_per_s: u64,
    /// Whether this node receives it, or only relays it.
    pub received: bool,
    /// Players that play it here.
    pub players: usize,
    /// The newest segment whose digest was verified.
    pub newest: Option<u64>,
    /// Segments published here.
    pub published: u64,
    /// Segments handed out in order.
    pub delivered: u64,
    /// Bytes handed out in order.
    pub delivered_bytes: u64,
    /// Segments restored after shards had to be asked for.
    pub repaired: u64,
    /// Segments that did not come in time and were left out.
    pub skipped: u64,
    /// Why the stream ended for good, if it did.
    pub stopped: Option<String>,
}

impl Status {
    /// What a node says now that is reached at this address.
    ///
    /// # Errors
    /// If its peer has stopped.
    pub async fn of(service: &Service, address: SocketAddr) -> Result<Status, Stopped> {
        let status = service.handle().status().await?;
        let players = service.playback().players().await;
        let network = service.network();
        let genesis = network.genesis();
        let report = status.report;
        let streams = genesis
            .publishers
            .iter()
            .enumerate()
            .map(|(number, publisher)| {
                let number = number as u16;
                let counted: StreamReport =
                    report.streams.get(&number).cloned().unwrap_or_default();
                let uri = StreamUri {
                    network: network.id(),
                    stream: publisher.stream,
                };
                StreamStatus {
                    player: format!("http://{address}/live.ts?stream={}", uri.stream),
                    uri: uri.to_string(),
                    own: publisher.stream == service.handle().id(),
                    max_bits_per_s: publisher.max_bits_per_s,
                    received: players.contains_key(&number),
                    players: players.get(&number).copied().unwrap_or(0),
                    newest: counted.newest,
                    published: counted.published,
                    delivered: counted.delivered,
                    delivered_bytes: counted.delivered_bytes,
                    repaired: counted.repaired,
                    skipped: counted.skipped,
                    stopped: counted.stopped,
                }
            });
        let kinds = report.refused.iter().map(|(kind, &count)| {
            let name = serde_json::to_value(kind).ok();
            let name = name.as_ref().and_then(|name| name.as_str());
            (name.unwrap_or("other").to_owned(), count)
        });
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            network: NetworkStatus {
                id: network.id().to_string(),
                name: genesis.name.clone(),
                peers: genesis.founders.len(),
                clusters: network.clusters().len(),
                parameters: genesis.parameters,
            },
            peer: status.peer,
            cluster: network
                .cluster_of(service.handle().id())
                .map_or(0, |cluster| cluster.id),
            running_ms: status.running_ms,
            listening: status.listening,
            links_wanted: report.links_wanted,
            links_connected: report.links_connected,
            sent_bytes: report.sent_bytes.values().sum(),
            received_bytes: report.received_bytes,
            refused: kinds.collect(),
            streams: streams.collect(),
            transport: serde_json::to_value(&status.transport).unwrap_or_default(),
        })
    }
}
