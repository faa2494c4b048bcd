//! What a node counted, as Prometheus reads it. One registry holds the node's own figures, collected when
//! they are asked for, and those of libp2p.

use super::status::{Status, StreamState, StreamStatus};
use crate::{
    driver::{AgreementStatus, Stopped},
    service::Service,
    transport::counters::TransportReport,
};
use hamlet_overlay::{agreement::Part, identity::PeerId, io::Refusal, time::Time};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use serde::Serialize;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A member that was not heard of for so long is silent: five beats.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// What the answer is: the text format that Prometheus asks for.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    latest: Latest,
}

/// What was said last.
#[derive(Clone, Debug, Default)]
struct Latest(Arc<Mutex<Option<Facts>>>);

#[derive(Debug)]
struct Facts {
    status: Status,
    transport: TransportReport,
    agreement: AgreementStatus,
}

impl Metrics {
    /// Adds the node's own to a registry.
    pub fn new(mut registry: Registry) -> Metrics {
        let latest = Latest::default();
        registry
            .sub_registry_with_prefix("hamlet")
            .register_collector(Box::new(latest.clone()));
        Metrics { registry, latest }
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn text(&self, service: &Service, base: &str) -> Result<String, Stopped> {
        let transport = service.handle().status().await?.transport;
        let status = Status::of(service, base).await?;
        let agreement = service.handle().agreement().await?;
        *self.latest.lock() = Some(Facts {
            status,
            transport,
            agreement,
        });
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = text::encode(&mut text, &self.registry);
        Ok(text)
    }
}

impl Latest {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Facts>> {
        // It is replaced whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Latest {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        match &*self.lock() {
            Some(facts) => facts.encode(&mut Sheet(&mut encoder)),
            None => Ok(()),
        }
    }
}

type Labels = Vec<(&'static str, String)>;

/// Writes families of metrics.
struct Sheet<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Sheet<'_, '_> {
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let (encoder, kind) = (&mut self.0, MetricType::Counter);
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        rows.into_iter().try_for_each(|(labels, value)| {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)
        })
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let (encoder, kind) = (&mut self.0, MetricType::Gauge);
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        rows.into_iter().try_for_each(|(labels, value)| {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)
        })
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<Unit>, value: u64) -> fmt::Result {
        self.counters(name, help, unit, [(Vec::new(), value)])
    }
}

/// The name of a kind, as in JSON.
fn name(kind: &impl Serialize) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "other".to_owned(),
    }
}

impl Facts {
    fn encode(&self, sheet: &mut Sheet) -> fmt::Result {
        self.encode_node(sheet)?;
        self.encode_transport(sheet)?;
        self.encode_agreement(sheet)?;
        self.encode_streams(sheet)
    }

    fn encode_node(&self, sheet: &mut Sheet) -> fmt::Result {
        let status = &self.status;
        let about = vec![
            ("version", status.version.clone()),
            ("network", status.network.id.clone()),
            ("peer", status.peer.clone()),
            ("cluster", status.cluster.to_string()),
        ];
        sheet.gauges("node_info", "Which node this is", None, [(about, 1.0)])?;
        sheet.gauges(
            "running",
            "Time since the peer started",
            Some(Unit::Seconds),
            [(Vec::new(), status.running_ms as f64 / 1e3)],
        )?;
        let links = [
            ("wanted", status.links_wanted),
            ("connected", status.links_connected),
        ];
        let links = links.map(|(state, count)| (vec![("state", state.to_owned())], count as f64));
        sheet.gauges("links", "Links with neighbours", None, links)?;
        // All reasons, since an alarm cannot see a counter that appears with its first count.
        let refused = Refusal::ALL.iter().map(name);
        sheet.counters(
            "refused_frames",
            "Frames that were not accepted, by the reason",
            None,
            refused.map(|kind| {
                let count = status.refused.get(&kind).copied().unwrap_or_default();
                (vec![("kind", kind)], count)
            }),
        )
    }

    fn encode_transport(&self, sheet: &mut Sheet) -> fmt::Result {
        let transport = &self.transport;
        let sent = transport.sent_bytes.iter();
        sheet.counters(
            "sent",
            "Bytes of frames handed to the transport, by what they are for",
            Some(Unit::Bytes),
            sent.map(|(class, &bytes)| (vec![("class", name(class))], bytes)),
        )?;
        let bytes = Some(Unit::Bytes);
        let help = "Bytes of frames that came";
        sheet.counter("received", help, bytes.clone(), transport.received_bytes)?;
        let help = "Bytes that the sockets sent, without headers of IP, UDP and TCP";
        sheet.counter("wire_sent", help, bytes.clone(), transport.wire_sent_bytes)?;
        let help = "Bytes that the sockets received, without headers of IP, UDP and TCP";
        sheet.counter("wire_received", help, bytes, transport.wire_received_bytes)?;
        let dropped = transport.dropped_frames.iter();
        sheet.counters(
            "dropped_frames",
            "Frames given up because a queue was full or they had waited too long",
            None,
            dropped.map(|(class, &frames)| (vec![("class", name(class))], frames)),
        )?;
        for (name, help, value) in [
            (
                "connections_made",
                "Connections made, by either side",
                transport.connections_made,
            ),
            (
                "connections_closed",
                "Connections lost or closed",
                transport.connections_closed,
            ),
            ("dials_failed", "Dials that failed", transport.dials_failed),
            (
                "strangers_refused",
                "Connections refused because nobody asked for that peer",
                transport.strangers_refused,
            ),
            (
                "streams_broken",
                "Streams closed because what came was not framed as agreed",
                transport.broken_streams,
            ),
            (
                "peers_punished",
                "Connections closed because the peer sent what is no message",
                transport.punished,
            ),
        ] {
            sheet.counter(name, help, None, value)?;
        }
        Ok(())
    }

    /// Where the own cluster's agreement is; nothing if this peer never took part.
    fn encode_agreement(&self, sheet: &mut Sheet) -> fmt::Result {
        let Some(standing) = &self.agreement.standing else {
            return Ok(());
        };
        let now = self.agreement.now;
        let me = self.status.peer.as_str();
        let is_heard = |&&(peer, heard): &&(PeerId, Option<Time>)| {
            peer.to_string() == me || heard.is_some_and(|at| now.since(at) < SILENT_AFTER)
        };
        let takes_part = self.agreement.failed.is_none() && standing.part == Part::Member;
        let heard = standing.members.iter().filter(is_heard).count();
        let silent = standing.members.len() - heard;
        let members = [("heard", heard), ("silent", silent)];
        let members =
            members.map(|(state, count)| (vec![("state", state.to_owned())], count as f64));
        let help = "Members of the own cluster, by whether they were heard of in the last 5 s";
        sheet.gauges("agreement_members", help, None, members)?;
        for (name, help, value) in [
            (
                "agreement_epoch",
                "Newest epoch of the own cluster that this peer knows",
                standing.epoch as f64,
            ),
            (
                "agreement_height",
                "Height of the cluster's log that this member has executed",
                standing.height as f64,
            ),
            (
                "agreement_view",
                "View that this member is in",
                standing.view as f64,
            ),
            (
                "agreement_quorum",
                "Members of the own cluster that have to be up for it to decide",
                standing.quorum as f64,
            ),
            (
                "agreement_takes_part",
                "1 while this peer is a member of its cluster's newest epoch; 0 if not, or if it had to stop",
                f64::from(u8::from(takes_part)),
            ),
        ] {
            sheet.gauges(name, help, None, [(Vec::new(), value)])?;
        }
        Ok(())
    }

    fn encode_streams(&self, sheet: &mut Sheet) -> fmt::Result {
        let streams = &self.status.streams;
        let key = |uri: &str| uri.rsplit('/').next().unwrap_or_default().to_owned();
        let label = |uri: &str| vec![("stream", key(uri))];
        for (name, help, value) in [
            (
                "segments_published",
                "Segments published here",
                (|s| s.published) as fn(&StreamStatus) -> u64,
            ),
            ("segments_delivered", "Segments handed out in order", |s| {
                s.delivered
            }),
            (
                "segments_late",
                "Segments restored more than 1.5 s after they were first heard of",
                |s| s.late,
            ),
            (
                "segments_repaired",
                "Segments restored after shards had to be asked for",
                |s| s.repaired,
            ),
            (
                "segments_left_out",
                "Segments that did not come in time and were left out",
                |s| s.skipped,
            ),
        ] {
            let rows = streams
                .iter()
                .map(|stream| (label(&stream.uri), value(stream)));
            sheet.counters(name, help, None, rows)?;
        }
        sheet.counters(
            "delivered",
            "Bytes handed out in order",
            Some(Unit::Bytes),
            streams
                .iter()
                .map(|stream| (label(&stream.uri), stream.delivered_bytes)),
        )?;
        let states = [
            StreamState::Relayed,
            StreamState::Connecting,
            StreamState::Unheard,
            StreamState::WaitingForKeyframe,
            StreamState::Live,
            StreamState::Stalled,
            StreamState::Ended,
        ];
        let rows = streams.iter().flat_map(|stream| {
            states.map(|state| {
                let mut labels = label(&stream.uri);
                labels.push(("state", name(&state)));
                (labels, f64::from(u8::from(stream.state == state)))
            })
        });
        sheet.gauges(
            "stream_state",
            "1 for the state that a stream is in",
            None,
            rows,
        )?;
        let gauge = |value: fn(&StreamStatus) -> Option<f64>| {
            streams
                .iter()
                .filter_map(move |stream| Some((label(&stream.uri), value(stream)?)))
        };
        let seconds = Some(Unit::Seconds);
        sheet.gauges(
            "restore",
            "Median time from hearing of a segment until it is restored",
            seconds.clone(),
            gauge(|stream| stream.restore_ms.map(|ms| ms as f64 / 1e3)),
        )?;
        sheet.gauges(
            "delay",
            "From the source's cut until a segment was handed out, by the clocks of both hosts",
            seconds,
            gauge(|stream| stream.delay_ms.map(|ms| ms as f64 / 1e3)),
        )?;
        let help = "Segments restored that wait for an earlier one";
        sheet.gauges(
            "buffered_segments",
            help,
            None,
            gauge(|s| Some(s.buffered as f64)),
        )?;
        let help = "Slots of the own cluster that do not give what they owe";
        sheet.gauges(
            "silent_slots",
            help,
            None,
            gauge(|s| Some(s.silent_slots.len() as f64)),
        )?;
        let help = "Players on this node";
        sheet.gauges("players", help, None, gauge(|s| Some(s.players as f64)))
    }
}
