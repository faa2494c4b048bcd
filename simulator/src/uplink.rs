//! A peer's uplink: one message at a time at the rate of the line, the most urgent class first.

use hamlet_overlay::{
    io::Class,
    view::{SegmentNumber, StreamNumber},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How long a full queue takes to send.
const QUEUE: Duration = Duration::from_secs(2);

/// A message on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel<M> {
    /// The message.
    pub message: M,
    /// The receiver's index.
    pub to: u32,
    /// Bytes on the wire.
    pub bytes: u32,
    /// What it is for.
    pub class: Class,
    /// The stream it is about, if it is about one.
    pub stream: Option<StreamNumber>,
    /// The segment it belongs to.
    pub segment: SegmentNumber,
}

/// The queue of one peer.
///
/// When it is full, the least urgent class makes room, as in the node: of the stream that has most in it,
/// the oldest segment.
pub struct Uplink<M> {
    queues: [VecDeque<Parcel<M>>; Class::ALL.len()],
    queued_bytes: u64,
    sending: Option<Parcel<M>>,
}

impl<M> Default for Uplink<M> {
    fn default() -> Uplink<M> {
        Uplink {
            queues: Default::default(),
            queued_bytes: 0,
            sending: None,
        }
    }
}

impl<M> Uplink<M> {
    /// Takes a parcel. Gives how long until [`Uplink::sent`] if the line was idle, and the parcels dropped.
    pub fn queue(
        &mut self,
        parcel: Parcel<M>,
        bits_per_s: u64,
    ) -> (Option<Duration>, Vec<Parcel<M>>) {
        if self.sending.is_none() {
            let after = duration(parcel.bytes, bits_per_s);
            self.sending = Some(parcel);
            return (Some(after), Vec::new());
        }
        self.queued_bytes += u64::from(parcel.bytes);
        self.queues[parcel.class as usize].push_back(parcel);
        let room = u128::from(bits_per_s) * QUEUE.as_millis() / 8_000;
        let mut dropped = Vec::new();
        while u128::from(self.queued_bytes) > room
            && let Some(victim) = self.drop_one()
        {
            self.queued_bytes -= u64::from(victim.bytes);
            dropped.push(victim);
        }
        (None, dropped)
    }

    /// The parcel that has left, and how long until the next has.
    pub fn sent(&mut self, bits_per_s: u64) -> (Option<Parcel<M>>, Option<Duration>) {
        let sent = self.sending.take();
        self.sending = self.queues.iter_mut().find_map(VecDeque::pop_front);
        let next = self.sending.as_ref().map(|parcel| {
            self.queued_bytes -= u64::from(parcel.bytes);
            duration(parcel.bytes, bits_per_s)
        });
        (sent, next)
    }

    fn drop_one(&mut self) -> Option<Parcel<M>> {
        let queue = self
            .queues
            .iter_mut()
            .rev()
            .find(|queue| !queue.is_empty())?;
        let mut held = BTreeMap::<_, u64>::new();
        for parcel in queue.iter() {
            *held.entry(parcel.stream).or_default() += u64::from(parcel.bytes);
        }
        let (stream, _) = held.into_iter().max_by_key(|&(_, bytes)| bytes)?;
        let places = (0..queue.len()).filter(|&place| queue[place].stream == stream);
        let oldest = places.min_by_key(|&place| queue[place].segment)?;
        queue.remove(oldest)
    }
}

fn duration(bytes: u32, bits_per_s: u64) -> Duration {
    Duration::from_micros(u64::from(bytes) * 8_000_000 / bits_per_s.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(message: u32, class: Class, segment: SegmentNumber) -> Parcel<u32> {
        Parcel {
            message,
            to: 0,
            bytes: 1000,
            class,
            stream: Some(0),
            segment,
        }
    }

    #[test]
    fn urgent_classes_go_first_and_each_takes_its_time() {
        let rate = 8_000_000;
        let mut line = Uplink::default();
        let millisecond = Some(Duration::from_millis(1));
        assert_eq!(
            line.queue(parcel(1, Class::Backlog, 0), rate).0,
            millisecond
        );
        assert_eq!(line.queue(parcel(2, Class::Live, 0), rate).0, None);
        assert_eq!(line.queue(parcel(3, Class::Control, 0), rate).0, None);
        let order = [1, 3, 2].map(|message| {
            let (sent, next) = line.sent(rate);
            assert_eq!(next.is_some(), message != 2);
            sent.map(|parcel| parcel.message) == Some(message)
        });
        assert_eq!(order, [true; 3]);
        assert_eq!(line.queued_bytes, 0);
    }

    #[test]
    fn a_full_queue_drops_the_oldest_of_the_least_urgent() {
        // Two seconds at 8,000 bits/s are 2,000 bytes: two parcels besides the one being sent.
        let rate = 8_000;
        let mut line = Uplink::default();
        line.queue(parcel(0, Class::Live, 0), rate);
        line.queue(parcel(1, Class::Pull, 8), rate);
        line.queue(parcel(2, Class::Pull, 7), rate);
        let (_, dropped) = line.queue(parcel(3, Class::Live, 6), rate);
        assert_eq!(dropped, [parcel(2, Class::Pull, 7)]);
        let (_, dropped) = line.queue(parcel(4, Class::Live, 9), rate);
        assert_eq!(dropped, [parcel(1, Class::Pull, 8)]);
        let (_, dropped) = line.queue(parcel(5, Class::Live, 10), rate);
        assert_eq!(dropped, [parcel(3, Class::Live, 6)]);
        assert_eq!(line.queued_bytes, 2000);
    }

    #[test]
    fn a_stream_makes_room_for_itself_and_not_others_for_it() {
        let of = |stream, message, segment| Parcel {
            stream: Some(stream),
            ..parcel(message, Class::Live, segment)
        };
        let rate = 16_000;
        let mut line = Uplink::default();
        line.queue(of(0, 0, 0), rate);
        // Stream 1 began long after stream 0, so its numbers are lower.
        for (message, stream, segment) in [(1, 1, 3), (2, 0, 900), (3, 0, 901), (4, 0, 902)] {
            assert_eq!(line.queue(of(stream, message, segment), rate).1, []);
        }
        let (_, dropped) = line.queue(of(0, 5, 903), rate);
        assert_eq!(dropped, [of(0, 2, 900)]);
    }
}
