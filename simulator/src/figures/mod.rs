//! The figures of a run: what it came to, in numbers that follow from its settings alone.

mod blame;
mod clusters;
mod joins;
mod proof;

pub(crate) use blame::Blame;
pub use joins::Joins;

use crate::{
    control::Kind,
    ledger::{Arrivals, Ledger, Sent},
    scene::Scene,
    settings::Settings,
};
use hamlet_overlay::{
    hash::Hash,
    io::{Class, Refusal},
    time::Time,
    view::{Cluster, StreamNumber},
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// What a run came to. Ratios of bytes are over the bytes of the stream; "receivers" of a stream are the
/// honest peers without its source. Of several streams the figures are over all of them together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Peers, the source and the Byzantine ones included.
    pub peers: usize,
    /// Byzantine peers.
    pub byzantine: usize,
    /// Clusters.
    pub clusters: usize,
    /// The smallest cluster allowed.
    pub g_min: u8,
    /// The largest cluster allowed.
    pub g_max: u8,
    /// Cycles.
    pub h: u8,
    /// Shards of a segment.
    pub n: u8,
    /// Shards that restore it.
    pub k: u8,
    /// For how long the source published, in seconds.
    pub seconds: f64,
    /// Streams.
    pub streams: usize,
    /// Segments published.
    pub segments_published: u64,
    /// Their payloads' bytes.
    pub stream_bytes: u64,
    /// Segments handed out, over segments published, over all receivers.
    pub delivered_ratio: f64,
    /// Segments restored within the deadline after the source cut them, over all receivers.
    pub on_time_ratio: f64,
    /// Segments restored after shards had to be asked for, over all receivers.
    pub repaired_ratio: f64,
    /// Whether everything that receivers handed out was what the source had cut.
    pub bytes_identical: bool,
    /// What honest peers, sources among them, handed to the transport: the mean of them.
    pub upload_ratio_mean: f64,
    /// The same, of the honest peer that sent most and is no source.
    pub upload_ratio_max: f64,
    /// The same, of the source; of several, the one that sent most.
    pub source_upload_ratio: f64,
    /// The part of `upload_ratio_mean` that is owed shards.
    pub live_ratio: f64,
    /// The part of `upload_ratio_mean` that is digests.
    pub digest_ratio: f64,
    /// The part of `upload_ratio_mean` that is notices.
    pub notice_ratio: f64,
    /// The part of `upload_ratio_mean` that is shards asked for.
    pub pull_ratio: f64,
    /// The part of `upload_ratio_mean` that is shards asked for to catch up.
    pub backlog_ratio: f64,
    /// The part of `upload_ratio_mean` that is everything else, handshakes included.
    pub control_ratio: f64,
    /// The bytes of `control_ratio` by kind of message, of all honest peers together; commands are told apart where members tell each
    /// other of them (`command_…`) and where they stand in blocks (`block_…`).
    pub control_bytes_by_kind: BTreeMap<Kind, u64>,
    /// Connections of a peer, the mean of all.
    pub connections_per_peer: f64,
    /// Connections that a peer made in a minute since the first segment was cut, the mean of all.
    pub handshakes_per_peer_per_min: f64,
    /// How often peers left.
    pub departures: u64,
    /// The share of (receiver, segment) pairs left out of all other figures, since the receiver was away or had
    /// come (back) less than ten seconds before.
    pub absent_ratio: f64,
    /// From the cut of a segment to its restoration.
    pub latency_ms: Latency,
    /// What honest peers refused, by kind.
    pub refused: BTreeMap<Refusal, u64>,
    /// The clusters whose honest receivers got least on time, at most [`WORST_CLUSTERS`]; none if all did.
    pub worst_clusters: Vec<ClusterFigures>,
    /// Segments restored within the deadline at the receiver that got fewest of them in time.
    pub on_time_ratio_worst_peer: f64,
    /// What one honest peer in a hundred, without sources, hands to the transport at least.
    pub upload_ratio_p99: f64,
    /// Bytes that are neither shards nor digests nor notices, a second; the mean of the honest.
    pub control_bytes_per_peer_per_s: f64,
    /// The share of clusters of which adversaries are half or more.
    pub captured_cluster_share: f64,
    /// Slots of honest peers that honest fellow members call silent in the end, over all such slots: on these nobody
    /// counts, since their holders are too slow or links fail. Sources, who are no relays of their own streams, are left out.
    pub honest_called_silent_ratio: f64,
    /// The same of slots that Byzantine peers have.
    pub byzantine_called_silent_ratio: f64,
    /// Receivers that ended a stream for good, of those streams whose source contradicted itself.
    pub stopped_ratio: f64,
    /// From the first contradiction until the last of them did; `None` if nobody did.
    pub stopped_after_ms: Option<f64>,
    /// Peers that were put out of the network; nobody is, while membership is that of the founding, and where it lives it is not
    /// counted yet.
    pub evicted: Evicted,
    /// How newcomers got on, and how clusters changed, where membership lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joins>,
    /// The seed of the world.
    pub seed: u64,
    /// Events that happened.
    pub events: u64,
    /// Rules broken, over all steps.
    pub invariant_violations: u64,
    /// BLAKE3 over all events.
    pub trace_hash: String,
}

/// Peers that were put out of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evicted {
    /// Rightly.
    pub byzantine: usize,
    /// Wrongly.
    pub honest: usize,
}

/// How many of the worst clusters are named.
pub const WORST_CLUSTERS: usize = 3;

/// How the honest receivers of one cluster fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterFigures {
    /// The cluster's number.
    pub cluster: u64,
    /// Its members.
    pub members: usize,
    /// How many of them are Byzantine.
    pub byzantine: usize,
    /// Segments restored within the deadline, over segments published and honest receivers.
    pub on_time_ratio: f64,
}

/// A distribution of latencies, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The median; `None` if half of the segments never came: those count as infinitely late.
    pub p50: Option<f64>,
    /// The 99th percentile; `None` if one in a hundred never came.
    pub p99: Option<f64>,
    /// The latest of those that came.
    pub max: Option<f64>,
}

/// What a world hands over to be summed up.
pub(crate) struct Account<'a> {
    pub now: Time,
    pub settings: &'a Settings,
    pub scene: &'a Scene,
    pub ledger: &'a Ledger,
    pub connections: usize,
    pub refused: BTreeMap<Refusal, u64>,
    pub blame: Blame,
    /// The clusters as they are in the end.
    pub clusters: Vec<Arc<Cluster>>,
    /// The share of honest peers with a place, where membership lives.
    pub placed_ratio: Option<f64>,
    pub events: u64,
    pub violations: u64,
    pub trace: Hash,
}

impl Account<'_> {
    /// The figures. Segments cut too recently to be waited for are left out, as those of an interrupted run.
    pub fn figures(self) -> Figures {
        let Account {
            settings, scene, ..
        } = self;
        let parameters = &settings.parameters;
        let due = |at: Time| at + Settings::DRAIN <= self.now;
        let everybody = scene.directory.len();
        let honest = (0..everybody).filter(|&peer| !scene.byzantine[peer]);
        let receivers: Vec<usize> = honest.collect();
        let watchers: Vec<Vec<usize>> = (0..settings.streams)
            .map(|stream| {
                let watches =
                    |&peer: &usize| scene.is_honest_receiver(peer, stream as StreamNumber);
                receivers.iter().copied().filter(watches).collect()
            })
            .collect();
        let published = scene.all_published().iter();
        let segments: Vec<Share> = published
            .zip(self.ledger.by_segment())
            .filter(|(published, _)| due(published.at))
            .map(|(published, arrivals)| {
                let receivers = &watchers[usize::from(published.stream)];
                Share {
                    arrivals,
                    cut: published.at,
                    owed: Share::owed(scene, receivers, published.at),
                    receivers: receivers.len(),
                }
            })
            .collect();
        let owed: u64 = segments
            .iter()
            .map(|segment| segment.owed.len() as u64)
            .sum();
        let count = |of: &dyn Fn(&Arrivals, usize) -> bool| {
            let fared = |segment: &Share| {
                let owed = segment.owed.iter();
                owed.filter(|&&peer| of(segment.arrivals, peer)).count() as u64
            };
            segments.iter().map(fared).sum()
        };
        let minutes = self.now.since(Time::ZERO + Settings::WARM_UP).as_secs_f64() / 60.0;
        let all: usize = segments.iter().map(|segment| segment.receivers).sum();

        let all_bytes = |sent: &Sent| sent.total();
        let stream_bytes = scene.all_published().iter();
        let stream_bytes = stream_bytes
            .map(|segment| segment.first.payload.len() as u64)
            .sum();
        let sent = self.ledger.by_peer();
        let presence = Presence::of(scene, settings, self.now);
        let honest: Vec<&Sent> = receivers.iter().map(|&peer| &sent[peer]).collect();
        let mean = |of: &dyn Fn(&Sent) -> u64| {
            let bytes: u64 = honest.iter().map(|sent| of(sent)).sum();
            ratio(bytes, stream_bytes) / presence.of_honest
        };
        let part = |class: Class| mean(&|sent| sent.of(class));
        let plain = receivers
            .iter()
            .filter(|&&peer| scene.stream_of(peer).is_none());
        // Of those who were there for less than a while nothing can be said.
        let plain = plain.filter(|&&peer| presence.shares[peer] >= SHORTEST_SHARE);
        let upload =
            |&peer: &usize| ratio(sent[peer].total(), stream_bytes) / presence.shares[peer];
        let mut uploads: Vec<f64> = plain.map(upload).collect();
        uploads.sort_unstable_by(f64::total_cmp);
        let most = uploads.last().copied();
        let p99 = uploads.get((uploads.len() * 99).div_ceil(100).saturating_sub(1));
        let of_sources = scene.sources.iter().map(|&source| sent[source].total());
        let proof = proof::proof(scene, self.ledger, &watchers);
        let seconds = self.now.since(Time::ZERO).as_secs_f64();

        Figures {
            peers: settings.peers,
            byzantine: scene.byzantine[..settings.peers]
                .iter()
                .filter(|lies| **lies)
                .count(),
            clusters: self.clusters.len(),
            g_min: parameters.g_min,
            g_max: parameters.g_max,
            h: parameters.h,
            n: parameters.n,
            k: parameters.k,
            seconds: settings.publishing.as_secs_f64(),
            streams: settings.streams,
            segments_published: scene.all_published().len() as u64,
            stream_bytes,
            delivered_ratio: ratio(count(&Arrivals::was_delivered), owed),
            on_time_ratio: ratio(count(&Arrivals::was_on_time), owed),
            repaired_ratio: ratio(count(&Arrivals::was_repaired), owed),
            bytes_identical: self.ledger.by_segment().iter().all(|of| of.altered == 0),
            upload_ratio_mean: mean(&all_bytes),
            upload_ratio_max: most.unwrap_or_default(),
            source_upload_ratio: ratio(of_sources.max().unwrap_or_default(), stream_bytes),
            live_ratio: part(Class::Live),
            digest_ratio: part(Class::Digest),
            notice_ratio: part(Class::Notice),
            pull_ratio: part(Class::Pull),
            backlog_ratio: part(Class::Backlog),
            control_ratio: part(Class::Control),
            control_bytes_by_kind: self.ledger.control().by_kind().clone(),
            connections_per_peer: self.connections as f64 / presence.there_now,
            handshakes_per_peer_per_min: match minutes > 0.0 {
                true => self.ledger.connections_made() as f64 / presence.of_all / minutes,
                false => 0.0,
            },
            departures: self.ledger.departures(),
            absent_ratio: ratio(all as u64 - owed, all as u64),
            latency_ms: latency(&segments, owed),
            refused: self.refused,
            worst_clusters: clusters::worst_clusters(scene, &self.clusters, &segments),
            on_time_ratio_worst_peer: on_time_at_worst(&segments, &receivers),
            upload_ratio_p99: p99.copied().unwrap_or_default(),
            control_bytes_per_peer_per_s: match seconds > 0.0 {
                true => part(Class::Control) * stream_bytes as f64 / seconds,
                false => 0.0,
            },
            captured_cluster_share: clusters::captured(scene, &self.clusters),
            honest_called_silent_ratio: self.blame.honest(),
            byzantine_called_silent_ratio: self.blame.byzantine(),
            stopped_ratio: proof.stopped_ratio,
            stopped_after_ms: proof.stopped_after_ms,
            evicted: Evicted::default(),
            joins: self.placed_ratio.map(|placed| {
                Joins::of(
                    &presence,
                    (&segments, &receivers),
                    scene,
                    self.ledger,
                    &self.clusters,
                    self.now,
                    placed,
                )
            }),
            seed: settings.seed,
            events: self.events,
            invariant_violations: self.violations,
            trace_hash: self.trace.to_string(),
        }
    }
}

/// Below this share of a world's time a peer is left out of the figures of the busiest.
const SHORTEST_SHARE: f64 = 0.1;

/// Who was there for which share of a world's time, from 0 to 1.
pub(crate) struct Presence {
    shares: Vec<f64>,
    of_all: f64,
    of_honest: f64,
    there_now: f64,
}

impl Presence {
    /// Where membership is fixed a place counts as its peer, whether that is away or not.
    fn of(scene: &Scene, settings: &Settings, now: Time) -> Presence {
        let all = now.since(Time::ZERO).as_secs_f64();
        let share = |peer: usize| {
            let away = scene.absences[peer].iter();
            let away = away.map(|away| away.to.min(now).since(away.from).as_secs_f64());
            match settings.lives() && all > 0.0 {
                true => 1.0 - away.sum::<f64>() / all,
                false => 1.0,
            }
        };
        let shares: Vec<f64> = (0..scene.directory.len()).map(share).collect();
        let honest = |peer: &usize| !scene.byzantine[*peer];
        let there = |peer: &usize| !settings.lives() || scene.was_there(*peer, now, now);
        Presence {
            of_all: shares.iter().sum(),
            of_honest: (0..shares.len())
                .filter(honest)
                .map(|peer| shares[peer])
                .sum::<f64>()
                .max(f64::MIN_POSITIVE),
            there_now: (0..shares.len()).filter(there).count().max(1) as f64,
            shares,
        }
    }
}

/// A segment, and the receivers who must have got it.
struct Share<'a> {
    arrivals: &'a Arrivals,
    /// When it was cut.
    cut: Time,
    owed: Cow<'a, [usize]>,
    /// How many receivers there are, those included who were away.
    receivers: usize,
}

impl Share<'_> {
    fn owed<'a>(scene: &Scene, receivers: &'a [usize], cut: Time) -> Cow<'a, [usize]> {
        let settled = |&peer: &usize| scene.is_settled(peer, cut);
        match receivers.iter().all(settled) {
            true => Cow::Borrowed(receivers),
            false => receivers.iter().copied().filter(settled).collect(),
        }
    }

    fn owes(&self, peer: usize) -> bool {
        self.owed.binary_search(&peer).is_ok()
    }
}

/// The share of the segments owed to it that the receiver restored on time who got fewest so.
fn on_time_at_worst(segments: &[Share], receivers: &[usize]) -> f64 {
    let of = |&peer: &usize| {
        let owed = segments.iter().filter(|segment| segment.owes(peer));
        let on_time = owed
            .clone()
            .filter(|segment| segment.arrivals.was_on_time(peer));
        let owed = owed.count() as u64;
        (owed > 0).then(|| ratio(on_time.count() as u64, owed))
    };
    let all = receivers.iter().filter_map(of);
    all.min_by(f64::total_cmp).unwrap_or(0.0)
}

fn latency(segments: &[Share], owed: u64) -> Latency {
    let of = |segment: &Share| -> Vec<u32> {
        let restored = segment.arrivals.restored.iter();
        let restored = restored.filter(|&&(peer, _)| segment.owes(peer as usize));
        restored.map(|&(_, micros)| micros).collect()
    };
    let mut micros: Vec<u32> = segments.iter().flat_map(of).collect();
    micros.sort_unstable();
    let ms = |micros: &u32| f64::from(*micros) / 1000.0;
    // The smallest value that at least this share of all is not above.
    let percentile = |percent: u64| {
        let rank = (owed * percent).div_ceil(100).checked_sub(1)?;
        micros.get(rank as usize).map(ms)
    };
    Latency {
        p50: percentile(50),
        p99: percentile(99),
        max: micros.last().map(ms),
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
