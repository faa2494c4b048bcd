//! The bounded queue of one link.
//!
//! Within a class frames leave in the order in which they came, and earlier classes go first. A queue
//! that would grow over its bound gives up frames of its least urgent class: of the stream that has most in
//! it, so that no stream crowds out another, the oldest segment; a live stream is better served by what is
//! new. What has waited too long is given up too: nobody could play it any more.

use super::{Parcel, counters::Counters};
use hamlet_overlay::{io::Class, wire::MAX_FRAME_BYTES};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The most frames that wait for one link.
pub const MAX_FRAMES: usize = 4096;
/// The most bytes that wait for one link.
pub const MAX_BYTES: usize = 4 * MAX_FRAME_BYTES;
/// How long a frame may wait: past this, its segment is too late for whoever plays live.
pub const MAX_WAIT: Duration = Duration::from_secs(2);

/// The streams of a link: what repairs the past never stands before what is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Control, notices, digests and shards that are owed.
    Live,
    /// Shards that were asked for.
    Repair,
}

impl Lane {
    /// Both.
    pub const ALL: [Lane; 2] = [Lane::Live, Lane::Repair];

    /// The lane on which frames of this class travel.
    pub fn of(class: Class) -> Lane {
        match class {
            Class::Control | Class::Notice | Class::Digest | Class::Live => Lane::Live,
            Class::Pull | Class::Backlog => Lane::Repair,
        }
    }

    fn classes(self) -> impl Iterator<Item = Class> {
        Class::ALL
            .into_iter()
            .filter(move |&class| Lane::of(class) == self)
    }
}

#[derive(Debug)]
struct Waiting {
    parcel: Parcel,
    /// When it may leave at the earliest.
    due: Instant,
}

/// Frames that wait for one link.
#[derive(Debug, Default)]
pub struct Queue {
    classes: [VecDeque<Waiting>; Class::ALL.len()],
    frames: usize,
    bytes: usize,
}

impl Queue {
    /// Takes a parcel that may leave at `due`, and gives up others if there is no room for all.
    pub fn push(&mut self, parcel: Parcel, due: Instant, counters: &Counters) {
        if parcel.frame.len() > MAX_FRAME_BYTES {
            counters.dropped(parcel.class, 1);
            return;
        }
        self.frames += 1;
        self.bytes += parcel.len();
        self.classes[parcel.class as usize].push_back(Waiting { parcel, due });
        while self.frames > MAX_FRAMES || self.bytes > MAX_BYTES {
            self.give_up_one(counters);
        }
    }

    /// Moves parcels of a lane that may leave now into `batch`, about `max_bytes` of them and at least
    /// one if there is any. Returns when the next one of the lane is due, if nothing could be taken.
    pub fn take(
        &mut self,
        lane: Lane,
        now: Instant,
        max_bytes: usize,
        batch: &mut Vec<Parcel>,
        counters: &Counters,
    ) -> Option<Instant> {
        let mut taken = 0;
        let mut next: Option<Instant> = None;
        for class in lane.classes() {
            let waiting = &mut self.classes[class as usize];
            while let Some(first) = waiting.front() {
                if first.due > now {
                    next = Some(next.map_or(first.due, |next| next.min(first.due)));
                    break;
                }
                if taken > 0 && taken + first.parcel.len() > max_bytes {
                    return None;
                }
                let late = now > first.due + MAX_WAIT;
                let Some(Waiting { parcel, .. }) = waiting.pop_front() else {
                    break;
                };
                self.frames -= 1;
                self.bytes -= parcel.len();
                if late {
                    counters.dropped(class, 1);
                } else {
                    taken += parcel.len();
                    batch.push(parcel);
                }
            }
        }
        if taken > 0 { None } else { next }
    }

    /// Whether nothing waits on a lane.
    pub fn is_empty(&self, lane: Lane) -> bool {
        lane.classes()
            .all(|class| self.classes[class as usize].is_empty())
    }

    /// Forgets all that waits.
    pub fn clear(&mut self) {
        *self = Queue::default();
    }

    fn give_up_one(&mut self, counters: &Counters) {
        let Some(class) = Class::ALL
            .into_iter()
            .rev()
            .find(|&class| !self.classes[class as usize].is_empty())
        else {
            return;
        };
        let waiting = &mut self.classes[class as usize];
        let mut held = BTreeMap::<_, usize>::new();
        for Waiting { parcel, .. } in waiting.iter() {
            *held.entry(parcel.stream).or_default() += parcel.len();
        }
        let most = held.into_iter().max_by_key(|&(_, bytes)| bytes);
        let oldest = waiting
            .iter()
            .enumerate()
            .filter(|(_, waiting)| most.is_some_and(|(stream, _)| stream == waiting.parcel.stream))
            .min_by_key(|(place, waiting)| (waiting.parcel.segment, *place))
            .map(|(place, _)| place);
        if let Some(Waiting { parcel, .. }) = oldest.and_then(|place| waiting.remove(place)) {
            self.frames -= 1;
            self.bytes -= parcel.len();
            counters.dropped(class, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hamlet_overlay::wire::Frame;
    use proptest::prelude::*;

    fn parcel(class: Class, segment: u64, len: usize) -> Parcel {
        Parcel {
            frame: Frame::received(Bytes::from(vec![0; len])),
            class,
            stream: Some(0),
            segment,
        }
    }

    fn take_all(queue: &mut Queue, lane: Lane, now: Instant) -> Vec<(Class, u64)> {
        let mut batch = Vec::new();
        queue.take(lane, now, usize::MAX, &mut batch, &Counters::default());
        batch
            .iter()
            .map(|parcel| (parcel.class, parcel.segment))
            .collect()
    }

    #[test]
    fn urgent_classes_leave_first_and_repairs_on_their_own_lane() {
        let now = Instant::now();
        let counters = Counters::default();
        let mut queue = Queue::default();
        for class in Class::ALL.into_iter().rev() {
            queue.push(parcel(class, 7, 10), now, &counters);
        }
        assert_eq!(
            take_all(&mut queue, Lane::Live, now),
            [Class::Control, Class::Notice, Class::Digest, Class::Live].map(|class| (class, 7))
        );
        assert_eq!(
            take_all(&mut queue, Lane::Repair, now),
            [Class::Pull, Class::Backlog].map(|class| (class, 7))
        );
    }

    #[test]
    fn a_full_queue_gives_up_the_oldest_segment_of_the_least_urgent_class() {
        let now = Instant::now();
        let counters = Counters::default();
        let mut queue = Queue::default();
        let half = MAX_FRAME_BYTES / 2;
        for segment in [5, 3, 4] {
            queue.push(parcel(Class::Pull, segment, half), now, &counters);
        }
        for segment in 10..16 {
            queue.push(parcel(Class::Live, segment, half), now, &counters);
        }
        // Eight halves and their lengths do not fit: two frames had to go.
        assert_eq!(take_all(&mut queue, Lane::Repair, now), [(Class::Pull, 5)]);
        assert_eq!(take_all(&mut queue, Lane::Live, now).len(), 6);
        let dropped = counters.report(0).dropped_frames;
        assert_eq!((dropped[&Class::Pull], dropped[&Class::Live]), (2, 0));
    }

    #[test]
    fn a_stream_makes_room_for_itself_and_not_others_for_it() {
        let now = Instant::now();
        let counters = Counters::default();
        let mut queue = Queue::default();
        // Stream 1 began long after stream 0, so its numbers are lower.
        for (stream, segment) in [(1, 3), (0, 900), (0, 901), (0, 902), (0, 903)] {
            let stream = Some(stream);
            let parcel = parcel(Class::Live, segment, MAX_BYTES / 5);
            queue.push(Parcel { stream, ..parcel }, now, &counters);
        }
        let left = take_all(&mut queue, Lane::Live, now);
        assert_eq!(
            left,
            [3, 901, 902, 903].map(|segment| (Class::Live, segment))
        );
    }

    #[test]
    fn what_waited_too_long_is_given_up() {
        let now = Instant::now();
        let counters = Counters::default();
        let mut queue = Queue::default();
        queue.push(parcel(Class::Live, 1, 10), now, &counters);
        queue.push(parcel(Class::Live, 2, 10), now + MAX_WAIT, &counters);
        let later = now + MAX_WAIT + Duration::from_millis(1);
        let mut batch = Vec::new();
        queue.take(Lane::Live, later, usize::MAX, &mut batch, &counters);
        assert_eq!(batch.len(), 1);
        assert_eq!(batch[0].segment, 2);
        assert_eq!(counters.report(0).dropped_frames[&Class::Live], 1);
    }

    #[test]
    fn nothing_leaves_before_it_is_due() {
        let now = Instant::now();
        let due = now + Duration::from_millis(50);
        let counters = Counters::default();
        let mut queue = Queue::default();
        queue.push(parcel(Class::Live, 1, 10), due, &counters);
        let mut batch = Vec::new();
        let next = queue.take(Lane::Live, now, usize::MAX, &mut batch, &counters);
        assert_eq!((batch.len(), next), (0, Some(due)));
        queue.take(Lane::Live, due, usize::MAX, &mut batch, &counters);
        assert_eq!(batch.len(), 1);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_every_frame_is_accounted_for(
            pushes in prop::collection::vec((0usize..6, 0u64..9, 1usize..MAX_FRAME_BYTES), 1..60),
        ) {
            let now = Instant::now();
            let counters = Counters::default();
            let mut queue = Queue::default();
            for &(class, segment, len) in &pushes {
                queue.push(parcel(Class::ALL[class], segment, len), now, &counters);
                prop_assert!(queue.bytes <= MAX_BYTES && queue.frames <= MAX_FRAMES);
            }
            let left = take_all(&mut queue, Lane::Live, now).len() + take_all(&mut queue, Lane::Repair, now).len();
            let dropped: u64 = counters.report(0).dropped_frames.values().sum();
            prop_assert_eq!(left as u64 + dropped, pushes.len() as u64);
            prop_assert_eq!((queue.bytes, queue.frames), (0, 0));
        }
    }
}
