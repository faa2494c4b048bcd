//! The figures of a run: what it came to, in numbers that follow from its settings alone.

use crate::{
    ledger::{Arrivals, Ledger, Sent},
    scene::Scene,
    settings::Settings,
};
use hamlet_overlay::{
    hash::Hash,
    identity::PeerId,
    io::{Class, Refusal},
    time::Time,
    view::Cluster,
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// What a run came to. Ratios of bytes are over the bytes of the stream; "receivers" are the honest peers
/// without the source.
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
    /// What honest peers, the source among them, handed to the transport: the mean of them.
    pub upload_ratio_mean: f64,
    /// The same, of the receiver that sent most.
    pub upload_ratio_max: f64,
    /// The same, of the source.
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
    /// The part of `upload_ratio_mean` that is everything else.
    pub control_ratio: f64,
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
    /// What one receiver in a hundred hands to the transport at least.
    pub upload_ratio_p99: f64,
    /// Bytes that are neither shards nor digests nor notices, a second; the mean of the honest.
    pub control_bytes_per_peer_per_s: f64,
    /// The share of clusters of which adversaries are half or more.
    pub captured_cluster_share: f64,
    /// Peers that were put out; nobody is, while membership is that of the founding.
    pub evicted: Evicted,
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
        let receivers = (0..settings.peers).filter(|&peer| scene.is_honest_receiver(peer));
        let receivers: Vec<usize> = receivers.collect();
        let published = scene.all_published().iter();
        let segments: Vec<Share> = published
            .zip(self.ledger.by_segment())
            .filter(|(published, _)| due(published.at))
            .map(|(published, arrivals)| Share {
                arrivals,
                owed: Share::owed(scene, &receivers, published.at),
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
        let all = segments.len() * receivers.len();

        let all_bytes = |sent: &Sent| sent.total();
        let stream_bytes = scene.all_published().iter();
        let stream_bytes = stream_bytes
            .map(|segment| segment.payload.len() as u64)
            .sum();
        let sent = self.ledger.by_peer();
        let honest = (0..settings.peers).filter(|&peer| !scene.byzantine[peer]);
        let honest: Vec<&Sent> = honest.map(|peer| &sent[peer]).collect();
        let mean = |of: &dyn Fn(&Sent) -> u64| {
            let bytes: u64 = honest.iter().map(|sent| of(sent)).sum();
            ratio(bytes, stream_bytes) / honest.len().max(1) as f64
        };
        let part = |class: Class| mean(&|sent| sent.of(class));
        let mut totals: Vec<u64> = receivers.iter().map(|&peer| sent[peer].total()).collect();
        totals.sort_unstable();
        let most = totals.last().copied();
        let p99 = totals.get((totals.len() * 99).div_ceil(100).saturating_sub(1));
        let seconds = self.now.since(Time::ZERO).as_secs_f64();

        Figures {
            peers: settings.peers,
            byzantine: settings.peers - honest.len(),
            clusters: scene.network.clusters().len(),
            g_min: parameters.g_min,
            g_max: parameters.g_max,
            h: parameters.h,
            n: parameters.n,
            k: parameters.k,
            seconds: settings.publishing.as_secs_f64(),
            segments_published: scene.all_published().len() as u64,
            stream_bytes,
            delivered_ratio: ratio(count(&Arrivals::was_delivered), owed),
            on_time_ratio: ratio(count(&Arrivals::was_on_time), owed),
            repaired_ratio: ratio(count(&Arrivals::was_repaired), owed),
            bytes_identical: self.ledger.by_segment().iter().all(|of| of.altered == 0),
            upload_ratio_mean: mean(&all_bytes),
            upload_ratio_max: ratio(most.unwrap_or_default(), stream_bytes),
            source_upload_ratio: ratio(sent[scene.source].total(), stream_bytes),
            live_ratio: part(Class::Live),
            digest_ratio: part(Class::Digest),
            notice_ratio: part(Class::Notice),
            pull_ratio: part(Class::Pull),
            backlog_ratio: part(Class::Backlog),
            control_ratio: part(Class::Control),
            connections_per_peer: self.connections as f64 / settings.peers as f64,
            handshakes_per_peer_per_min: match minutes > 0.0 {
                true => self.ledger.connections_made() as f64 / settings.peers as f64 / minutes,
                false => 0.0,
            },
            departures: self.ledger.departures(),
            absent_ratio: ratio(all as u64 - owed, all as u64),
            latency_ms: latency(&segments, owed),
            refused: self.refused,
            worst_clusters: worst_clusters(scene, &segments),
            on_time_ratio_worst_peer: on_time_at_worst(&segments, &receivers),
            upload_ratio_p99: ratio(p99.copied().unwrap_or_default(), stream_bytes),
            control_bytes_per_peer_per_s: match seconds > 0.0 {
                true => part(Class::Control) * stream_bytes as f64 / seconds,
                false => 0.0,
            },
            captured_cluster_share: captured(scene),
            evicted: Evicted::default(),
            seed: settings.seed,
            events: self.events,
            invariant_violations: self.violations,
            trace_hash: self.trace.to_string(),
        }
    }
}

/// A segment, and the receivers who must have got it.
struct Share<'a> {
    arrivals: &'a Arrivals,
    owed: Cow<'a, [usize]>,
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

/// The share of clusters of which adversaries are half or more.
fn captured(scene: &Scene) -> f64 {
    let clusters = scene.network.clusters();
    let is_byzantine = |id: &&PeerId| {
        let index = scene.directory.index(**id);
        index.is_some_and(|peer| scene.byzantine[peer])
    };
    let is_captured = |cluster: &&Cluster| {
        let members = cluster.members();
        members.iter().filter(is_byzantine).count() * 2 >= members.len()
    };
    let captured = clusters.iter().filter(is_captured).count();
    ratio(captured as u64, clusters.len() as u64)
}

fn worst_clusters(scene: &Scene, segments: &[Share]) -> Vec<ClusterFigures> {
    let figures = |cluster: &Cluster| {
        let members = cluster.members().iter();
        let members: Vec<usize> = members
            .filter_map(|&id| scene.directory.index(id))
            .collect();
        let (mut owed, mut on_time) = (0, 0);
        for segment in segments {
            for &peer in members.iter().filter(|&&peer| segment.owes(peer)) {
                owed += 1;
                on_time += u64::from(segment.arrivals.was_on_time(peer));
            }
        }
        (owed > 0).then(|| ClusterFigures {
            cluster: cluster.id,
            members: members.len(),
            byzantine: members
                .iter()
                .filter(|&&peer| scene.byzantine[peer])
                .count(),
            on_time_ratio: ratio(on_time, owed),
        })
    };
    let clusters = scene.network.clusters().iter();
    let mut worst: Vec<ClusterFigures> = clusters.filter_map(figures).collect();
    worst.retain(|cluster| cluster.on_time_ratio < 1.0);
    worst.sort_by(|a, b| a.on_time_ratio.total_cmp(&b.on_time_ratio));
    worst.truncate(WORST_CLUSTERS);
    worst
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
