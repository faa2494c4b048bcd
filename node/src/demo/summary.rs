//! The figures of a demonstration.

use super::{audience::Audience, process};
use crate::driver::PeerStatus;
use hamlet_overlay::{genesis::Network, io::Class};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// What a demonstration measured.
///
/// *Honest* peers are all but the silent ones: the source, and every receiver that plays by the rules; killed
/// ones count for as long as they lived. Ratios are bytes over the bytes that the source published (while
/// the peer lived).
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Peers that were started, the source and liars included.
    pub peers: usize,
    /// Peers that joined while it ran, and where they ended up.
    pub newcomers: Newcomers,
    /// Peers that were killed.
    pub killed: usize,
    /// Clusters in which honest peers have their places at the end.
    pub clusters: usize,
    /// The smallest cluster allowed.
    pub g_min: u8,
    /// The largest cluster allowed.
    pub g_max: u8,
    /// Hamiltonian cycles over the clusters.
    pub h: u8,
    /// Shards of a segment.
    pub n: u8,
    /// Shards that restore a segment.
    pub k: u8,
    /// How long the stream ran, in seconds.
    pub seconds: f64,
    /// Segments that the source published.
    pub segments_published: u64,
    /// Their bytes.
    pub stream_bytes: u64,
    /// The share of the expected segments that honest receivers handed out in order.
    pub delivered_ratio: f64,
    /// The share of the expected segments that they restored within 1.5 s of the cut.
    pub on_time_ratio: f64,
    /// Whether each of them handed out exactly what the source published.
    pub bytes_identical: bool,
    /// Everything that an honest peer handed to the transport, on average.
    pub upload_ratio_mean: f64,
    /// The same of the honest peer that uploaded most.
    pub upload_ratio_max: f64,
    /// What an honest peer's sockets sent, on average: UDP and TCP payloads since the process began,
    /// handshakes and acknowledgements included.
    pub wire_upload_ratio_mean: f64,
    /// What the source handed to the transport.
    pub source_upload_ratio: f64,
    /// Lists of leaf hashes, on average over honest peers; contained in the upload.
    pub digest_ratio: f64,
    /// Notices and control messages, likewise.
    pub notice_ratio: f64,
    /// Shards that were asked for, likewise.
    pub pull_ratio: f64,
    /// Peers with whom an honest peer is connected, on average.
    pub connections_per_peer: f64,
    /// From the cut until a segment was restored, in milliseconds.
    pub latency_ms: Latency,
    /// Processor time of the whole process while the stream ran, over all its peers and the stream's
    /// megabytes (10^6 bytes); the source's reading and the measuring itself are in it.
    pub cpu_ms_per_peer_per_stream_mb: Option<f64>,
    /// The most memory that the process ever occupied.
    pub peak_rss_bytes: Option<u64>,
    /// What honest peers did not accept, by kind.
    pub refused: BTreeMap<String, u64>,
}

/// Peers that joined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Newcomers {
    /// How many receivers did.
    pub joined: usize,
    /// How many of them had a place in a cluster, sooner or later.
    pub placed: usize,
    /// How long that took, in milliseconds.
    pub place_ms: Latency,
}

/// A distribution of latencies, in milliseconds; none where segments that never arrived would be in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<f64>,
    /// What 99 % do not exceed.
    pub p99: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// An honest peer at the end of its time.
pub struct Account {
    /// Whether it is the source.
    pub source: bool,
    /// What it said of itself.
    pub status: PeerStatus,
    /// What the source had published by then.
    pub stream_bytes: u64,
}

/// What the run itself knows.
pub struct Course {
    /// How long the stream ran.
    pub streamed: Duration,
    /// Peers that were started.
    pub peers: usize,
    /// Peers that were killed.
    pub killed: usize,
    /// Segments that the source published.
    pub segments: u64,
    /// Their bytes.
    pub stream_bytes: u64,
    /// Processor time used while it ran.
    pub cpu: Option<Duration>,
    /// Connections of honest peers that were there at the end, on average.
    pub connections_per_peer: f64,
}

impl Summary {
    /// Adds everything up.
    pub fn new(
        network: &Network,
        course: &Course,
        audience: &Audience,
        honest: &[Account],
    ) -> Summary {
        let parameters = network.parameters();
        let peers = course.peers;
        let ratios = |bytes: &dyn Fn(&Account) -> u64| -> Vec<f64> {
            honest
                .iter()
                .filter(|account| account.stream_bytes > 0)
                .map(|account| bytes(account) as f64 / account.stream_bytes as f64)
                .collect()
        };
        let of = |classes: &'static [Class]| {
            mean(&ratios(&|account| {
                let sent = &account.status.transport.sent_bytes;
                classes
                    .iter()
                    .map(|class| sent.get(class).copied().unwrap_or(0))
                    .sum()
            }))
        };
        let uploads = ratios(&|account| account.status.transport.sent_bytes_total());
        let source: Vec<f64> = honest
            .iter()
            .filter(|account| account.source && account.stream_bytes > 0)
            .map(|account| {
                account.status.transport.sent_bytes_total() as f64 / account.stream_bytes as f64
            })
            .collect();
        let clusters: BTreeSet<u64> = honest
            .iter()
            .map(|account| account.status.around.own.id)
            .collect();
        let mut refused = BTreeMap::new();
        for account in honest {
            for (kind, count) in &account.status.report.refused {
                *refused.entry(name(kind)).or_insert(0) += count;
            }
        }
        let stream_mb = course.stream_bytes as f64 / 1e6;
        Summary {
            peers,
            newcomers: audience.newcomers(),
            killed: course.killed,
            clusters: clusters.len(),
            g_min: parameters.g_min,
            g_max: parameters.g_max,
            h: parameters.h,
            n: parameters.n,
            k: parameters.k,
            seconds: course.streamed.as_secs_f64(),
            segments_published: course.segments,
            stream_bytes: course.stream_bytes,
            delivered_ratio: audience.delivered_ratio(),
            on_time_ratio: audience.on_time_ratio(),
            bytes_identical: audience.bytes_identical(),
            upload_ratio_mean: mean(&uploads),
            upload_ratio_max: uploads.iter().copied().fold(0.0, f64::max),
            wire_upload_ratio_mean: mean(&ratios(&|account| {
                account.status.transport.wire_sent_bytes
            })),
            source_upload_ratio: mean(&source),
            digest_ratio: of(&[Class::Digest]),
            notice_ratio: of(&[Class::Control, Class::Notice]),
            pull_ratio: of(&[Class::Pull, Class::Backlog]),
            connections_per_peer: course.connections_per_peer,
            latency_ms: audience.latency(),
            cpu_ms_per_peer_per_stream_mb: course
                .cpu
                .filter(|_| stream_mb > 0.0)
                .map(|cpu| cpu.as_secs_f64() * 1e3 / peers as f64 / stream_mb),
            peak_rss_bytes: process::peak_rss_bytes(),
            refused,
        }
    }

    /// Whether everything honest arrived, on time and identical.
    pub fn passed(&self) -> bool {
        self.delivered_ratio == 1.0 && self.on_time_ratio == 1.0 && self.bytes_identical
    }
}

/// The name of a kind in JSON.
fn name(kind: &impl Serialize) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "other".to_owned(),
    }
}

fn mean(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        len => values.iter().sum::<f64>() / len as f64,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ms: Option<f64>| ms.map_or("never".to_owned(), |ms| format!("{ms:.0} ms"));
        let percent = |ratio: f64| format!("{:.3} %", 100.0 * ratio);
        writeln!(
            f,
            "{} segments, {:.2} MB in {:.1} s, to {} peers in {} clusters",
            self.segments_published,
            self.stream_bytes as f64 / 1e6,
            self.seconds,
            self.peers,
            self.clusters,
        )?;
        writeln!(
            f,
            "delivered  {}, on time {}, {}",
            percent(self.delivered_ratio),
            percent(self.on_time_ratio),
            match self.bytes_identical {
                true => "every byte as published",
                false => "NOT every byte as published",
            },
        )?;
        let Newcomers {
            joined,
            placed,
            place_ms,
        } = self.newcomers;
        if joined + self.killed > 0 {
            writeln!(
                f,
                "peers      {joined} joined, {placed} of them found a place, half of them within {}; {} died",
                ms(place_ms.p50),
                self.killed,
            )?;
        }
        writeln!(
            f,
            "latency    {} median, {} p99, {} at most",
            ms(self.latency_ms.p50),
            ms(self.latency_ms.p99),
            ms(self.latency_ms.max),
        )?;
        writeln!(
            f,
            "upload     {:.2} times the stream, {:.2} at most, {:.2} by the source, {:.2} on the wire",
            self.upload_ratio_mean,
            self.upload_ratio_max,
            self.source_upload_ratio,
            self.wire_upload_ratio_mean,
        )?;
        writeln!(
            f,
            "of it      digests {:.3}, notices {:.3}, asked for {:.3}",
            self.digest_ratio, self.notice_ratio, self.pull_ratio,
        )?;
        write!(f, "cost       ")?;
        if let Some(cpu) = self.cpu_ms_per_peer_per_stream_mb {
            write!(f, "{cpu:.1} ms of processor time per peer and MB, ")?;
        }
        if let Some(rss) = self.peak_rss_bytes {
            write!(f, "{:.0} MB of memory in all, ", rss as f64 / 1e6)?;
        }
        writeln!(f, "{:.1} connections per peer", self.connections_per_peer)?;
        if !self.refused.is_empty() {
            write!(f, "refused   ")?;
            for (kind, count) in &self.refused {
                write!(f, " {count} {}", kind.replace('_', " "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
