//! The calendar: what is to happen to each peer, in one total order per peer.
//!
//! Links take time, so what one peer does within a short enough window cannot touch another within the same
//! window (the *lookahead* of conservative parallel simulation: Chandy and Misra, CACM 24(4), 1981). So time
//! is cut into windows; the events of a window are taken together, one peer's after another's. A peer's
//! events are ordered by (time, sender, number of the sender's event), which does not depend on the order in
//! which they were entered. The windows are a wheel after Brown's calendar queue (CACM 31(10), 1988); what
//! lies beyond it waits in a map.

use hamlet_overlay::time::Time;
use std::{cmp::Ordering, collections::BTreeMap, mem};

/// Windows of the wheel.
const WINDOWS: u64 = 256;

/// Something that is to happen.
#[derive(Clone, Debug)]
pub struct Entry<E> {
    /// When.
    pub time: Time,
    /// To whom, by index.
    pub to: u32,
    /// Whose doing it is, by index.
    pub from: u32,
    /// The how many-eth of their events it is.
    pub number: u32,
    /// What.
    pub event: E,
}

/// Events by windows of time.
pub struct Calendar<E> {
    /// The length of a window in microseconds.
    length: u64,
    /// The number, since time zero, of the window at hand.
    current: u64,
    /// The events of the window at hand and of those that follow, unsorted.
    wheel: Vec<Vec<Entry<E>>>,
    /// The events after those.
    far: BTreeMap<u64, Vec<Entry<E>>>,
}

impl<E> Calendar<E> {
    /// An empty calendar at time zero, whose windows are as long as `lookahead_micros`, but at least one
    /// microsecond.
    pub fn new(lookahead_micros: u64) -> Calendar<E> {
        Calendar {
            length: lookahead_micros.max(1),
            current: 0,
            wheel: (0..WINDOWS).map(|_| Vec::new()).collect(),
            far: BTreeMap::new(),
        }
    }

    /// Enters an event. One whose time has passed belongs to the window at hand.
    pub fn enter(&mut self, entry: Entry<E>) {
        let window = self.window(entry.time).max(self.current);
        if window < self.current + WINDOWS {
            self.wheel[(window % WINDOWS) as usize].push(entry);
        } else {
            self.far.entry(window).or_default().push(entry);
        }
    }

    /// The window that holds the next event, if there is any.
    pub fn next(&self) -> Option<u64> {
        (self.current..self.current + WINDOWS)
            .find(|window| !self.wheel[(window % WINDOWS) as usize].is_empty())
            .or_else(|| self.far.keys().next().copied())
    }

    /// Goes on to a window before which nothing is left, and takes what happens in it until `until`, ordered
    /// by peer and then as it happens.
    pub fn take(&mut self, window: u64, until: Time, taken: &mut Vec<Entry<E>>) {
        self.current = window;
        while let Some(far) = self.far.first_entry()
            && *far.key() < window + WINDOWS
        {
            let place = (far.key() % WINDOWS) as usize;
            self.wheel[place].append(&mut far.remove());
        }
        let whole = self.end(window) <= until;
        let here = &mut self.wheel[(window % WINDOWS) as usize];
        if whole {
            mem::swap(here, taken);
        } else {
            taken.extend(here.extract_if(.., |entry| entry.time <= until));
        }
        sort(taken);
    }

    /// The window in which a time lies.
    pub fn window(&self, time: Time) -> u64 {
        time.as_micros() / self.length
    }

    /// When a window is over: the first moment after it.
    pub fn end(&self, window: u64) -> Time {
        Time::from_micros((window + 1) * self.length)
    }
}

/// Sorts by peer, and the events of each as they happen: dealt to the peers, who are many and have few each.
fn sort<E>(entries: &mut [Entry<E>]) {
    let peers = entries.iter().map(|entry| entry.to);
    let (Some(first), Some(last)) = (peers.clone().min(), peers.max()) else {
        return;
    };
    let peers = (last - first) as usize + 1;
    if peers / 8 > entries.len() {
        entries.sort_unstable_by(|a, b| a.to.cmp(&b.to).then_with(|| a.order(b)));
        return;
    }
    // Per peer, where its events begin, then where they end.
    let mut ends = vec![0; peers + 1];
    for entry in &*entries {
        ends[(entry.to - first) as usize + 1] += 1;
    }
    for peer in 1..peers {
        ends[peer] += ends[peer - 1];
    }
    let mut places = vec![0; entries.len()];
    for (place, entry) in places.iter_mut().zip(&*entries) {
        let end = &mut ends[(entry.to - first) as usize];
        *place = *end;
        *end += 1;
    }
    for at in 0..entries.len() {
        while places[at] != at {
            let place = places[at];
            entries.swap(at, place);
            places.swap(at, place);
        }
    }
    let mut begin = 0;
    for &end in &ends[..peers] {
        entries[begin..end].sort_unstable_by(Entry::order);
        begin = end;
    }
}

impl<E> Entry<E> {
    /// The order in which events happen to one peer.
    pub fn order(&self, other: &Entry<E>) -> Ordering {
        let key = |entry: &Entry<E>| (entry.time, entry.from, entry.number);
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain sort: events at delays of every scale, taken in slices of every length.
        #[test]
        fn nothing_is_lost_and_each_peer_sees_its_events_in_order(
            delays in prop::collection::vec((0u32..40, 0u64..1000, 0u32..3), 1..200),
            slices in prop::collection::vec(1u64..100_000, 1..20),
            lookahead in 0u64..50_000,
        ) {
            let mut calendar = Calendar::new(lookahead);
            let mut model: Vec<Vec<(Time, u32)>> = vec![Vec::new(); 3];
            for (number, (scale, step, to)) in (0..).zip(delays) {
                let time = Time::from_micros((step << scale) >> 10);
                calendar.enter(Entry { time, to, from: 0, number, event: () });
                model[to as usize].push((time, number));
            }
            let mut happened: Vec<Vec<(Time, u32)>> = vec![Vec::new(); 3];
            let slices = slices.into_iter().scan(Time::ZERO, |now, slice| {
                *now = Time::from_micros(now.as_micros() + slice);
                Some(*now)
            });
            for until in slices.chain([Time::from_micros(u64::MAX / 4)]) {
                let mut taken = Vec::new();
                while let Some(window) = calendar.next()
                    && calendar.window(until) >= window
                {
                    calendar.take(window, until, &mut taken);
                    for entry in taken.drain(..) {
                        prop_assert!(entry.time <= until);
                        happened[entry.to as usize].push((entry.time, entry.number));
                    }
                    if calendar.end(window) > until {
                        break;
                    }
                }
            }
            model.iter_mut().for_each(|events| events.sort());
            prop_assert_eq!(happened, model);
        }
    }
}
