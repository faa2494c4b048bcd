//! The calendar: what is to happen, in one total order.
//!
//! Events are ordered by (time, sequence), the sequence being the order in which they were entered. The
//! structure is a timing wheel after Brown's calendar queue (CACM 31(10), 1988): near events lie unsorted in
//! slots of [`SLOT_MICROS`], a slot is sorted when its turn comes, and what lies beyond the wheel waits in a
//! heap. So entering and taking an event cost the same however many peers there are.

use hamlet_overlay::time::Time;
use std::{cmp::Ordering, collections::BinaryHeap, mem};

/// The width of a slot, in microseconds; a power of two.
const SLOT_MICROS: u64 = 1 << SLOT_SHIFT;
const SLOT_SHIFT: u32 = 6;
/// Slots of the wheel; a power of two, so that the wheel spans about a second.
const SLOTS: u64 = 1 << 14;
const WORDS: u64 = SLOTS / 64;

/// Events in the order of their times, and of their entry where times are equal.
pub struct Calendar<E> {
    /// The number, since time zero, of the slot at hand.
    current: u64,
    /// The events of the slot at hand when its turn came, the next one last.
    near: Vec<Entry<E>>,
    /// Those that were entered since, into this slot or one before it.
    late: BinaryHeap<Entry<E>>,
    /// The events of the `SLOTS - 1` slots that follow.
    wheel: Vec<Vec<Entry<E>>>,
    /// One bit per slot of the wheel: whether anything is in it.
    occupied: Vec<u64>,
    /// The events after those.
    far: BinaryHeap<Entry<E>>,
    entered: u64,
    len: usize,
}

struct Entry<E> {
    time: Time,
    sequence: u64,
    event: E,
}

impl<E> Calendar<E> {
    /// An empty calendar at time zero.
    pub fn new() -> Calendar<E> {
        Calendar {
            current: 0,
            near: Vec::new(),
            late: BinaryHeap::new(),
            wheel: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: vec![0; WORDS as usize],
            far: BinaryHeap::new(),
            entered: 0,
            len: 0,
        }
    }

    /// How many events are to happen.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing more is to happen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Enters an event. One whose time has passed happens next.
    pub fn enter(&mut self, time: Time, event: E) {
        let sequence = self.entered;
        self.entered += 1;
        self.len += 1;
        self.place(Entry {
            time,
            sequence,
            event,
        });
    }

    /// Takes the next event, if its time is not after `until`.
    pub fn take(&mut self, until: Time) -> Option<(Time, E)> {
        if self.near.is_empty() && self.late.is_empty() && !self.advance() {
            return None;
        }
        // The greater entry is the earlier one, and none is the least of all.
        let is_late = self.late.peek() > self.near.last();
        let next = match is_late {
            true => self.late.peek(),
            false => self.near.last(),
        };
        if next?.time > until {
            return None;
        }
        let taken = match is_late {
            true => self.late.pop(),
            false => self.near.pop(),
        };
        let Entry { time, event, .. } = taken?;
        self.len -= 1;
        Some((time, event))
    }

    fn place(&mut self, entry: Entry<E>) {
        let slot = slot(entry.time);
        if slot <= self.current {
            self.late.push(entry);
        } else if slot < self.current + SLOTS {
            let place = slot % SLOTS;
            self.wheel[place as usize].push(entry);
            self.occupied[(place / 64) as usize] |= 1 << (place % 64);
        } else {
            self.far.push(entry);
        }
    }

    /// Goes on to the next slot with anything in it; whether there is one.
    fn advance(&mut self) -> bool {
        let next = self.next_occupied();
        let Some(next) = next.or_else(|| self.far.peek().map(|entry| slot(entry.time))) else {
            return false;
        };
        self.current = next;
        let place = next % SLOTS;
        // The emptied storage takes the slot's place, so that no slot allocates anew each time.
        mem::swap(&mut self.near, &mut self.wheel[place as usize]);
        self.near.sort_unstable();
        self.occupied[(place / 64) as usize] &= !(1 << (place % 64));
        while let Some(entry) = self.far.peek()
            && slot(entry.time) < self.current + SLOTS
            && let Some(entry) = self.far.pop()
        {
            self.place(entry);
        }
        true
    }

    /// The number of the first slot after the current one with anything in it, if the wheel holds any.
    fn next_occupied(&self) -> Option<u64> {
        let start = self.current + 1;
        let place = start % SLOTS;
        let (word, bit) = (place / 64, place % 64);
        // The first word is looked at twice: from `bit` on, and in the end up to it.
        (0..=WORDS).find_map(|step| {
            let bits = self.occupied[((word + step) % WORDS) as usize];
            let bits = match step {
                0 => bits & (u64::MAX << bit),
                WORDS => bits & !(u64::MAX << bit),
                _ => bits,
            };
            (bits != 0).then(|| start - bit + step * 64 + u64::from(bits.trailing_zeros()))
        })
    }
}

impl<E> Default for Calendar<E> {
    fn default() -> Calendar<E> {
        Calendar::new()
    }
}

fn slot(time: Time) -> u64 {
    time.as_micros() / SLOT_MICROS
}

// Heaps give their greatest first, and sorted lists end with it; so the earlier entry is the greater.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.sequence).cmp(&(self.time, self.sequence))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain sort: batches are entered at delays of every scale, then some events are taken.
        #[test]
        fn order_is_by_time_then_by_entry(
            batches in prop::collection::vec(
                (prop::collection::vec((0u32..36, 0u64..1000), 0..20), 0usize..30),
                1..40,
            )
        ) {
            let mut calendar = Calendar::new();
            let mut model: Vec<(Time, u64)> = Vec::new();
            let (mut now, mut name) = (Time::ZERO, 0);
            for (delays, takes) in batches {
                for (scale, step) in delays {
                    let time = Time::from_micros(now.as_micros() + ((step << scale) >> 10));
                    calendar.enter(time, name);
                    model.push((time, name));
                    name += 1;
                }
                model.sort();
                for _ in 0..takes {
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(calendar.take(Time::NEVER), expected);
                    now = expected.map_or(now, |(time, _)| time);
                }
                prop_assert_eq!(calendar.len(), model.len());
            }
        }
    }

    #[test]
    fn nothing_is_taken_before_its_time() {
        let mut calendar = Calendar::new();
        calendar.enter(Time::from_micros(5_000_000), 'b');
        calendar.enter(Time::from_micros(70), 'a');
        assert_eq!(calendar.take(Time::from_micros(69)), None);
        let a = Time::from_micros(70);
        assert_eq!(calendar.take(a), Some((a, 'a')));
        assert_eq!(calendar.take(a), None);
        // What is entered between goes before what waited.
        calendar.enter(Time::from_micros(71), 'c');
        assert_eq!(
            calendar.take(Time::NEVER),
            Some((Time::from_micros(71), 'c'))
        );
        assert_eq!(
            calendar.take(Time::NEVER).map(|(_, event)| event),
            Some('b')
        );
        assert!(calendar.is_empty());
    }
}
