//! What is to happen in a small world, in one total order: by time, and at equal times as it was entered.
//!
//! For worlds of one cluster, whose events are few; the [calendar](crate::calendar) is for those of thousands of peers.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Events to come. Times are in the unit of whoever uses it.
pub(crate) struct Agenda<E> {
    /// Time, number, and the place of the event: what is moved about in the heap is small.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    entered: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Agenda<E> {
        Agenda {
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            entered: 0,
        }
    }
}

impl<E> Agenda<E> {
    /// Enters an event.
    pub fn enter(&mut self, at: u64, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.entered += 1;
        self.queue.push(Reverse((at, self.entered, place)));
    }

    /// When the next event is.
    pub fn next_at(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next event, and when it is.
    pub fn take(&mut self) -> Option<(u64, E)> {
        let Reverse((at, _, place)) = self.queue.pop()?;
        let event = self.events[place].take()?;
        self.free.push(place);
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_entered() {
        let mut agenda = Agenda::default();
        for (at, event) in [(5, "e"), (2, "b"), (2, "c"), (1, "a")] {
            agenda.enter(at, event);
        }
        assert_eq!(agenda.next_at(), Some(1));
        assert_eq!(agenda.take(), Some((1, "a")));
        agenda.enter(2, "d");
        let rest: Vec<_> = std::iter::from_fn(|| agenda.take()).collect();
        assert_eq!(rest, [(2, "b"), (2, "c"), (2, "d"), (5, "e")]);
    }
}
