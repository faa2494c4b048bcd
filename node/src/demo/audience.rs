//! What each peer received, when, and whether it is what the source published.
//!
//! A segment is expected of a peer that was there for it: of one that was killed, if it lived until the
//! segment's deadline. What never arrives counts as infinitely late.

use super::summary::Latency;
use hamlet_overlay::{
    hash::{Domain, Hash},
    io::{Event, Segment},
    time::{Duration, Time},
    view::SegmentNumber,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{broadcast, mpsc};

/// A segment is on time if it is restored so soon after its source cut it.
pub const DEADLINE: Duration = Duration::from_millis(1_500);
/// After so long nothing more is expected of a segment, and it is counted.
const SETTLED: Duration = Duration::from_secs(12);
/// The fineness of latencies, and the longest one told apart from longer ones.
const LATENCY_STEP: Duration = Duration::from_micros(100);
const LATENCY_STEPS: usize = 200_000;

/// What a receiver saw.
pub enum Seen {
    /// It restored a segment.
    Restored(SegmentNumber, Time),
    /// It was handed a segment, in order.
    Delivered(SegmentNumber, Hash),
}

/// The hash by which payloads are compared.
pub fn hash<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let mut hasher = Domain::Payload.hasher();
    for piece in pieces {
        hasher.update(piece);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// Tells what one receiver sees, until its peer has stopped.
pub async fn watch(
    receiver: usize,
    mut events: broadcast::Receiver<(Time, Event)>,
    mut segments: broadcast::Receiver<Arc<Segment>>,
    seen: mpsc::Sender<(usize, Seen)>,
) {
    loop {
        let next = tokio::select! {
            event = events.recv() => match event {
                Ok((at, Event::Restored { segment, .. })) => Seen::Restored(segment, at),
                Ok(_) => continue,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(receiver, missed, "events were missed: too much to do at once");
                    continue;
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
            segment = segments.recv() => match segment {
                Ok(segment) => {
                    Seen::Delivered(segment.number, hash(segment.payload.iter().map(AsRef::as_ref)))
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(receiver, missed, "segments were missed: too much to do at once");
                    continue;
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
        if seen.send((receiver, next)).await.is_err() {
            return;
        }
    }
}

struct Published {
    segment: SegmentNumber,
    cut: Time,
    hash: Hash,
}

#[derive(Default)]
struct Arrival {
    restored: Option<Time>,
    delivered: Option<Hash>,
}

struct Receiver {
    died: Option<Time>,
    arrivals: BTreeMap<SegmentNumber, Arrival>,
    last_delivered: Option<SegmentNumber>,
    identical: bool,
}

/// All receivers, against the source.
pub struct Audience {
    receivers: Vec<Receiver>,
    /// What is not counted yet, the oldest first.
    pending: std::collections::VecDeque<Published>,
    expected: u64,
    delivered: u64,
    on_time: u64,
    latencies: Latencies,
}

impl Audience {
    /// An audience of so many receivers.
    pub fn new(receivers: usize) -> Audience {
        let receiver = || Receiver {
            died: None,
            arrivals: BTreeMap::new(),
            last_delivered: None,
            identical: true,
        };
        Audience {
            receivers: (0..receivers).map(|_| receiver()).collect(),
            pending: Default::default(),
            expected: 0,
            delivered: 0,
            on_time: 0,
            latencies: Latencies::default(),
        }
    }

    /// The source published a segment that it had cut at `cut`.
    pub fn published(&mut self, segment: SegmentNumber, cut: Time, hash: Hash) {
        self.pending.push_back(Published { segment, cut, hash });
    }

    /// A receiver saw something.
    pub fn saw(&mut self, receiver: usize, seen: Seen) {
        let Some(receiver) = self.receivers.get_mut(receiver) else {
            return;
        };
        match seen {
            Seen::Restored(segment, at) => {
                let arrival = receiver.arrivals.entry(segment).or_default();
                arrival.restored.get_or_insert(at);
            }
            Seen::Delivered(segment, hash) => {
                // In order, and once.
                receiver.identical &= receiver.last_delivered < Some(segment);
                receiver.last_delivered = Some(segment);
                receiver.arrivals.entry(segment).or_default().delivered = Some(hash);
            }
        }
    }

    /// A receiver was killed.
    pub fn died(&mut self, receiver: usize, at: Time) {
        if let Some(receiver) = self.receivers.get_mut(receiver) {
            receiver.died = Some(at);
        }
    }

    /// Whether every living receiver was handed all that was published.
    pub fn is_complete(&self) -> bool {
        self.pending.iter().all(|published| {
            self.receivers
                .iter()
                .filter(|receiver| receiver.died.is_none())
                .all(|receiver| {
                    receiver
                        .arrivals
                        .get(&published.segment)
                        .is_some_and(|arrival| arrival.delivered.is_some())
                })
        })
    }

    /// Counts what nothing more is expected of.
    pub fn settle(&mut self, now: Time) {
        while let Some(first) = self.pending.front() {
            if now < first.cut + SETTLED {
                return;
            }
            self.settle_first();
        }
    }

    /// Counts all.
    pub fn settle_all(&mut self) {
        while !self.pending.is_empty() {
            self.settle_first();
        }
    }

    fn settle_first(&mut self) {
        let Some(Published { segment, cut, hash }) = self.pending.pop_front() else {
            return;
        };
        for receiver in &mut self.receivers {
            let arrival = receiver.arrivals.remove(&segment).unwrap_or_default();
            if receiver.died.is_some_and(|died| died < cut + DEADLINE) {
                continue;
            }
            self.expected += 1;
            let latency = arrival.restored.map(|at| at.since(cut));
            self.latencies.add(latency);
            self.on_time += u64::from(latency.is_some_and(|latency| latency <= DEADLINE));
            self.delivered += u64::from(arrival.delivered.is_some());
            receiver.identical &= arrival.delivered == Some(hash);
        }
    }

    /// The share of what was expected that was handed out in order.
    pub fn delivered_ratio(&self) -> f64 {
        ratio(self.delivered, self.expected)
    }

    /// The share of what was expected that was restored on time.
    pub fn on_time_ratio(&self) -> f64 {
        ratio(self.on_time, self.expected)
    }

    /// The same while the demonstration runs; none before anything was counted.
    pub fn on_time_so_far(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.on_time_ratio())
    }

    /// Whether every receiver was handed what the source published, all of it, in order and once.
    pub fn bytes_identical(&self) -> bool {
        self.expected > 0 && self.receivers.iter().all(|receiver| receiver.identical)
    }

    /// How long segments took from being cut until they were restored.
    pub fn latency(&self) -> Latency {
        self.latencies.latency()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

/// Latencies, counted in steps, so that a demonstration can run for days.
#[derive(Default)]
struct Latencies {
    counts: Vec<u64>,
    total: u64,
    finite: u64,
    max: Duration,
}

impl Latencies {
    fn add(&mut self, latency: Option<Duration>) {
        self.total += 1;
        let Some(latency) = latency else { return };
        self.finite += 1;
        self.max = self.max.max(latency);
        let step = (latency.as_micros() / LATENCY_STEP.as_micros()) as usize;
        let step = step.min(LATENCY_STEPS - 1);
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
    }

    /// The latency that this share of all did not exceed; none if so many never arrived.
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        for (step, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= rank {
                let ms = LATENCY_STEP.as_secs_f64() * 1e3 * (step + 1) as f64;
                return Some(ms.min(self.max.as_secs_f64() * 1e3));
            }
        }
        None
    }

    fn latency(&self) -> Latency {
        let all = self.total > 0 && self.finite == self.total;
        Latency {
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
            max: all.then_some(self.max.as_secs_f64() * 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn payload(segment: u64) -> Hash {
        hash([&segment.to_le_bytes()[..]])
    }

    fn audience(receivers: usize, segments: u64) -> Audience {
        let mut audience = Audience::new(receivers);
        for segment in 0..segments {
            audience.published(segment, ms(250 * segment), payload(segment));
        }
        audience
    }

    fn arrive(audience: &mut Audience, receiver: usize, segment: u64, after: u64) {
        audience.saw(receiver, Seen::Restored(segment, ms(250 * segment + after)));
        audience.saw(receiver, Seen::Delivered(segment, payload(segment)));
    }

    #[test]
    fn all_on_time_and_identical() {
        let mut audience = audience(2, 4);
        for segment in 0..4 {
            arrive(&mut audience, 0, segment, 1_500);
            arrive(&mut audience, 1, segment, 20);
        }
        assert!(audience.is_complete());
        audience.settle_all();
        assert_eq!(
            (audience.delivered_ratio(), audience.on_time_ratio()),
            (1.0, 1.0)
        );
        assert!(audience.bytes_identical());
        assert_eq!(audience.latency().max, Some(1_500.0));
    }

    #[test]
    fn what_is_late_lost_or_changed_shows() {
        let mut audience = audience(1, 4);
        arrive(&mut audience, 0, 0, 20);
        arrive(&mut audience, 0, 1, 1_501);
        audience.saw(0, Seen::Restored(2, ms(510)));
        audience.saw(0, Seen::Delivered(2, payload(9)));
        assert!(!audience.is_complete());
        audience.settle_all();
        assert_eq!(
            (audience.delivered_ratio(), audience.on_time_ratio()),
            (0.75, 0.5)
        );
        assert!(!audience.bytes_identical());
        assert_eq!(audience.latency().max, None);
    }

    #[test]
    fn order_matters() {
        let mut audience = audience(1, 2);
        arrive(&mut audience, 0, 1, 20);
        arrive(&mut audience, 0, 0, 20);
        audience.settle_all();
        assert_eq!(audience.delivered_ratio(), 1.0);
        assert!(!audience.bytes_identical());
    }

    #[test]
    fn the_dead_are_expected_to_have_what_was_due_before() {
        let mut audience = audience(2, 8);
        for segment in 0..8 {
            arrive(&mut audience, 0, segment, 20);
        }
        arrive(&mut audience, 1, 0, 20);
        // Segment 0 was due by 1500 ms, segment 1 by 1750.
        audience.died(1, ms(1_600));
        assert!(audience.is_complete());
        audience.settle_all();
        assert_eq!(audience.delivered_ratio(), 1.0);
        assert!(audience.bytes_identical());
    }

    #[test]
    fn segments_are_counted_once_nothing_more_is_expected() {
        let mut audience = audience(1, 2);
        arrive(&mut audience, 0, 0, 20);
        audience.settle(Time::ZERO + SETTLED);
        assert_eq!((audience.pending.len(), audience.expected), (1, 1));
    }
}
