//! What a node says of itself.

use super::roll::PeerNumber;
use crate::{driver::Stopped, playback::Heard, service::Service, uri::StreamUri};
use hamlet_overlay::{
    genesis::Parameters, identity::PeerId, report::StreamReport, view::StreamNumber,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A stream whose newest segment is older than this has stalled.
const STALLED: Duration = Duration::from_millis(2_500);

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
    /// The newest epochs that it knows of its cluster and of those around.
    pub epochs: Vec<ClusterEpoch>,
    /// How long it has been running, in milliseconds.
    pub running_ms: u64,
    /// Where it listens for peers.
    pub listening: Vec<String>,
    /// Links that the peer wants, and those connected.
    pub links_wanted: usize,
    /// Links that are connected.
    pub links_connected: usize,
    /// The links, one by one.
    pub links: Vec<Link>,
    /// Bytes of frames sent, over all links.
    pub sent_bytes: u64,
    /// Bytes of frames received.
    pub received_bytes: u64,
    /// Bytes of frames sent over the bytes of all streams that were handed out or published here; none
    /// before there were any.
    pub upload_ratio: Option<f64>,
    /// Frames that were not accepted, by kind.
    pub refused: BTreeMap<String, u64>,
    /// The streams of the network.
    pub streams: Vec<StreamStatus>,
    /// All that the transport counted.
    pub transport: serde_json::Value,
}

/// The newest epoch that is known of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterEpoch {
    /// The cluster's number.
    pub cluster: u64,
    /// The epoch's number.
    pub epoch: u64,
}

/// A link that a peer wants.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The neighbour's number.
    pub peer: PeerNumber,
    /// Whether frames pass.
    pub connected: bool,
    /// Frames of it that were not accepted.
    pub refused: u64,
}

/// How a stream goes at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// It is only relayed: nobody here has asked for it.
    Relayed,
    /// No neighbour is connected yet.
    Connecting,
    /// Nothing of it has been heard.
    Unheard,
    /// Segments come, and none yet with which a decoder can start.
    WaitingForKeyframe,
    /// It plays.
    Live,
    /// It played, and nothing has come for a while.
    Stalled,
    /// It ended for good.
    Ended,
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
    /// How it goes.
    pub state: StreamState,
    /// The same for people, with what is being waited for.
    pub says: String,
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
    /// Segments restored more than 1.5 s after this peer first heard of them.
    pub late: u64,
    /// Segments that did not come in time and were left out.
    pub skipped: u64,
    /// Segments restored and waiting for an earlier one.
    pub buffered: usize,
    /// Slots of the own cluster that do not give what they owe, as this peer sees it.
    pub silent_slots: Vec<u8>,
    /// The median time from hearing of a segment until it is restored, over the newest, in milliseconds.
    pub restore_ms: Option<u64>,
    /// From when the source cut the newest segment until it was handed out here, in milliseconds, by the
    /// clocks of both hosts.
    pub delay_ms: Option<u64>,
    /// How long ago the newest segment was handed out, in milliseconds.
    pub idle_ms: Option<u64>,
    /// Why the stream ended for good, if it did.
    pub stopped: Option<String>,
}

impl Status {
    /// What a node says now that is reached under this URL.
    ///
    /// # Errors
    /// If its peer has stopped.
    pub async fn of(service: &Service, base: &str) -> Result<Status, Stopped> {
        let status = service.handle().status().await?;
        let heard = service.playback().heard().await;
        let network = service.network();
        let genesis = network.genesis();
        service.meet(&status.around);
        let report = status.report;
        let stream = |number: StreamNumber, source: PeerId| {
            let counted = report.streams.get(&number).cloned().unwrap_or_default();
            let heard = heard.get(&number);
            let idle = heard
                .and_then(|heard| heard.last)
                .map(|last| last.elapsed());
            let uri = StreamUri {
                network: network.id(),
                stream: source,
            };
            let waiting = Waiting {
                connected: report.links_connected,
                wanted: report.links_wanted,
                idle,
            };
            let state = state(&counted, heard, &waiting);
            StreamStatus {
                says: waiting.says(state, &counted),
                state,
                player: format!("{base}/live.ts?stream={source}"),
                uri: uri.to_string(),
                own: source == service.handle().id(),
                max_bits_per_s: genesis.publishers[usize::from(number)].max_bits_per_s,
                received: heard.is_some(),
                players: heard.map_or(0, |heard| heard.players),
                newest: counted.newest,
                published: counted.published,
                delivered: counted.delivered,
                delivered_bytes: counted.delivered_bytes,
                repaired: counted.repaired,
                late: service.tally().late(number),
                skipped: counted.skipped,
                buffered: counted.buffered,
                silent_slots: counted.silent_slots,
                restore_ms: service.tally().median(number).map(ms),
                delay_ms: heard.and_then(|heard| heard.delay).map(ms),
                idle_ms: idle.map(ms),
                stopped: counted.stopped,
            }
        };
        let publishers = genesis.publishers.iter().enumerate();
        let streams = publishers.map(|(number, one)| stream(number as u16, one.stream));
        let kinds = report.refused.iter().map(|(kind, &count)| {
            let name = serde_json::to_value(kind).ok();
            let name = name.as_ref().and_then(|name| name.as_str());
            (name.unwrap_or("other").to_owned(), count)
        });
        let links = status.links.iter().filter_map(|link| {
            let refused = report.refused_from.get(&link.peer);
            Some(Link {
                peer: service.roll().number(link.peer)?,
                connected: link.connected,
                refused: refused.map_or(0, |kinds| kinds.values().sum()),
            })
        });
        let stream_bytes: u64 = report
            .streams
            .values()
            .map(|stream| stream.delivered_bytes.max(stream.published_bytes))
            .sum();
        let sent_bytes = report.sent_bytes.values().sum();
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
            cluster: status.around.own.id,
            epochs: (status.around.clusters())
                .map(|cluster| ClusterEpoch {
                    cluster: cluster.id,
                    epoch: cluster.epoch,
                })
                .collect(),
            running_ms: status.running_ms,
            listening: status.listening,
            links_wanted: report.links_wanted,
            links_connected: report.links_connected,
            links: links.collect(),
            sent_bytes,
            received_bytes: report.received_bytes,
            upload_ratio: (stream_bytes > 0).then(|| sent_bytes as f64 / stream_bytes as f64),
            refused: kinds.collect(),
            streams: streams.collect(),
            transport: serde_json::to_value(&status.transport).unwrap_or_default(),
        })
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn state(counted: &StreamReport, heard: Option<&Heard>, waiting: &Waiting) -> StreamState {
    match heard {
        _ if counted.stopped.is_some() => StreamState::Ended,
        None => StreamState::Relayed,
        Some(Heard { playable: true, .. }) if waiting.idle.is_some_and(|idle| idle < STALLED) => {
            StreamState::Live
        }
        Some(Heard { playable: true, .. }) => StreamState::Stalled,
        Some(_) if counted.newest.is_some() => StreamState::WaitingForKeyframe,
        Some(_) if waiting.connected == 0 && waiting.wanted > 0 => StreamState::Connecting,
        Some(_) => StreamState::Unheard,
    }
}

/// What can be said while a stream does not play.
struct Waiting {
    connected: usize,
    wanted: usize,
    idle: Option<Duration>,
}

impl Waiting {
    fn says(&self, state: StreamState, counted: &StreamReport) -> String {
        let Waiting {
            connected, wanted, ..
        } = self;
        let links = format!("{connected} of {wanted} neighbours connected");
        match state {
            StreamState::Relayed => format!("{links}; relayed, nobody here has asked for it"),
            StreamState::Connecting => format!("{links}, waiting for the first"),
            StreamState::Unheard => format!("{links}, nothing of this stream has been heard yet"),
            StreamState::WaitingForKeyframe => format!("{links}, waiting for a keyframe"),
            StreamState::Live => format!("live; {links}"),
            StreamState::Stalled => {
                let idle = self.idle.unwrap_or_default().as_secs();
                format!("{links}; nothing has come for {idle} s")
            }
            StreamState::Ended => {
                let why = counted
                    .stopped
                    .as_deref()
                    .unwrap_or("its source misbehaved");
                format!("ended for good: {why}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn waiting(connected: usize, idle_ms: Option<u64>) -> Waiting {
        Waiting {
            connected,
            wanted: 31,
            idle: idle_ms.map(Duration::from_millis),
        }
    }

    #[test]
    fn a_stream_says_what_it_waits_for() {
        let unheard = StreamReport::default();
        let newest = StreamReport {
            newest: Some(7),
            ..StreamReport::default()
        };
        let received = Heard::default();
        let playable = Heard {
            playable: true,
            last: Some(Instant::now()),
            ..received
        };
        for (counted, heard, waiting, expected, says) in [
            (
                &unheard,
                None,
                waiting(3, None),
                StreamState::Relayed,
                "3 of 31",
            ),
            (
                &unheard,
                Some(&received),
                waiting(0, None),
                StreamState::Connecting,
                "0 of 31",
            ),
            (
                &unheard,
                Some(&received),
                waiting(3, None),
                StreamState::Unheard,
                "nothing of this",
            ),
            (
                &newest,
                Some(&received),
                waiting(3, None),
                StreamState::WaitingForKeyframe,
                "3 of 31 neighbours connected, waiting for a keyframe",
            ),
            (
                &newest,
                Some(&playable),
                waiting(31, Some(20)),
                StreamState::Live,
                "live",
            ),
            (
                &newest,
                Some(&playable),
                waiting(31, Some(9_100)),
                StreamState::Stalled,
                "9 s",
            ),
        ] {
            let state = state(counted, heard, &waiting);
            assert_eq!(state, expected);
            let text = waiting.says(state, counted);
            assert!(text.contains(says), "{text}");
        }
    }
}
