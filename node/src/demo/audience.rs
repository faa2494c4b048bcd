//! What each peer received, when, and whether it is what the source published.
//!
//! A segment is expected of a peer that was there for it: of one that was killed, if it lived until the
//! segment's deadline, and of one that joined, from ten seconds after that on. What never arrives counts as infinitely late.

use super::summary::{Latency, Newcomers};
use hamlet_overlay::{
    agreement::Agreed,
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
/// How long a newcomer may take until it is given everything.
const SETTLING_IN: Duration = Duration::from_secs(10);
/// The fineness of latencies, and the longest one told apart from longer ones.
const LATENCY_STEP: Duration = Duration::from_micros(100);
const LATENCY_STEPS: usize = 200_000;

/// What a receiver saw.
pub enum Seen {
    /// It restored a segment.
    Restored(SegmentNumber, Time),
    /// It was handed a segment, in order.
    Delivered(SegmentNumber, Hash),
    /// It is a member of a cluster.
    Placed(Time),
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
                Ok((at, Event::Agreed(Agreed::Began(_)))) => Seen::Placed(at),
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
    /// When it came, if it was not there from the beginning, and had a place.
    joined: Option<Time>,
    placed: Option<Time>,
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
        Audience {
            receivers: (0..receivers).map(|_| Receiver::new(None)).collect(),
            pending: Default::default(),
            expected: 0,
            delivered: 0,
            on_time: 0,
            latencies: Latencies::default(),
        }
    }

    /// Somebody joins: the number of the receiver.
    pub fn join(&mut self, at: Time) -> usize {
        self.receivers.push(Receiver::new(Some(at)));
        self.receivers.len() - 1
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
            Seen::Placed(at) => {
                receiver.placed.get_or_insert(at);
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
                .filter(|receiver| receiver.died.is_none() && receiver.is_in(published.cut))
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
            let died = receiver.died.is_some_and(|died| died < cut + DEADLINE);
            if died || !receiver.is_in(cut) {
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

    /// Who joined.
    pub fn newcomers(&self) -> Newcomers {
        let joined = self.receivers.iter().filter_map(|receiver| {
            let joined = receiver.joined?;
            Some(receiver.placed.map(|placed| placed.since(joined)))
        });
        let joined: Vec<Option<Duration>> = joined.collect();
        let mut places = Latencies::default();
        for place in joined.iter().flatten() {
            places.add(Some(*place));
        }
        Newcomers {
            joined: joined.len(),
            placed: places.total as usize,
            place_ms: places.latency(),
        }
    }

    /// How long segments took from being cut until they were restored.
    pub fn latency(&self) -> Latency {
        self.latencies.latency()
    }
}

impl Receiver {
    fn new(joined: Option<Time>) -> Receiver {
        Receiver {
            joined,
            placed: None,
            died: None,
            arrivals: BTreeMap::new(),
            last_delivered: None,
            identical: true,
        }
    }

    /// Whether it has been in for long enough to be given what is cut now.
    fn is_in(&self, cut: Time) -> bool {
        self.joined.is_none_or(|joined| joined + SETTLING_IN <= cut)
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
    fn newcomers_are_expected_to_have_what_is_cut_ten_seconds_after_they_came() {
        let mut audience = audience(0, 8);
        let early = audience.join(Time::ZERO);
        audience.published(60, ms(15_000), payload(60));
        assert!(!audience.is_complete());
        audience.saw(early, Seen::Placed(ms(4_000)));
        audience.saw(early, Seen::Restored(60, ms(15_100)));
        audience.saw(early, Seen::Delivered(60, payload(60)));
        assert!(audience.is_complete());
        audience.settle_all();
        assert_eq!((audience.expected, audience.on_time_ratio()), (1, 1.0));
        assert!(audience.bytes_identical());
        let newcomers = audience.newcomers();
        assert_eq!((newcomers.joined, newcomers.placed), (1, 1));
        assert_eq!(newcomers.place_ms.max, Some(4_000.0));
    }

    #[test]
    fn segments_are_counted_once_nothing_more_is_expected() {
        let mut audience = audience(1, 2);
        arrive(&mut audience, 0, 0, 20);
        audience.settle(Time::ZERO + SETTLED);
        assert_eq!((audience.pending.len(), audience.expected), (1, 1));
    }
}
