//! A peer's uplink: one message at a time at the rate of the line, the most urgent class first.

use hamlet_overlay::{io::Class, view::SegmentNumber};
use std::{collections::VecDeque, time::Duration};

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
    /// The segment it belongs to.
    pub segment: SegmentNumber,
}

/// The queue of one peer.
///
/// When it is full, the oldest segments of the least urgent class make room, as in the node.
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
        let places = 0..queue.len();
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
}
