//! The segments of a stream that are at hand, in the order of their numbers.
//!
//! Of the segments within a window only the newest few are busy. What has to be known of the others all the
//! time, when they are due and how much they hold back, is kept beside their numbers, so that they
//! themselves are left alone: with many peers in one process they are far away in memory.

use super::segment::Segment;
use crate::{time::Time, view::SegmentNumber};
use std::ops::{RangeFrom, RangeTo};

/// The segments of a stream that are at hand.
#[derive(Default)]
pub(crate) struct Window {
    /// In ascending order of their numbers.
    entries: Vec<Entry>,
    /// The numbers of those that were given out to be changed since they were noted.
    changed: Vec<SegmentNumber>,
    /// Of the others together.
    noted: Noted,
}

struct Entry {
    number: SegmentNumber,
    segment: Box<Segment>,
    /// What was noted of the segment; `None` once it was given out to be changed.
    noted: Option<Noted>,
}

#[derive(Clone, Copy)]
struct Noted {
    /// When it is due; of several, when the first is, or before that.
    due: Time,
    /// How many shards wait for the list of leaves.
    held: usize,
}

impl Default for Noted {
    fn default() -> Noted {
        Noted {
            due: Time::NEVER,
            held: 0,
        }
    }
}

impl Noted {
    /// Leaves out what was noted of one segment.
    fn take(&mut self, one: Noted) {
        self.held -= one.held;
        if one.due == self.due && one.due < Time::NEVER {
            // Which of the others comes next is looked up when it is asked for.
            self.due = Time::ZERO;
        }
    }
}

impl Window {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn clear(&mut self) {
        *self = Window::default();
    }

    pub fn contains_key(&self, number: &SegmentNumber) -> bool {
        self.place(*number).is_ok()
    }

    pub fn get(&self, number: &SegmentNumber) -> Option<&Segment> {
        let place = self.place(*number).ok()?;
        Some(&self.entries[place].segment)
    }

    pub fn get_mut(&mut self, number: &SegmentNumber) -> Option<&mut Segment> {
        let place = self.place(*number).ok()?;
        Some(self.at_mut(place))
    }

    /// The segment at a place.
    pub fn at_mut(&mut self, place: usize) -> &mut Segment {
        let entry = &mut self.entries[place];
        if let Some(noted) = entry.noted.take() {
            self.noted.take(noted);
            self.changed.push(entry.number);
        }
        &mut entry.segment
    }

    /// Puts a segment where its number belongs.
    pub fn insert(&mut self, place: usize, segment: Segment) {
        let number = segment.number;
        self.changed.push(number);
        self.entries.insert(
            place,
            Entry {
                number,
                segment: Box::new(segment),
                noted: None,
            },
        );
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &SegmentNumber> + Clone {
        self.entries.iter().map(|entry| &entry.number)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.entries.iter().map(|entry| &*entry.segment)
    }

    /// The segments from a number on.
    pub fn range(
        &self,
        numbers: RangeFrom<SegmentNumber>,
    ) -> impl Iterator<Item = (&SegmentNumber, &Segment)> {
        let (Ok(place) | Err(place)) = self.place(numbers.start);
        let entries = self.entries[place..].iter();
        entries.map(|entry| (&entry.number, &*entry.segment))
    }

    /// The segments before a number, to be changed.
    pub fn range_mut(
        &mut self,
        numbers: RangeTo<SegmentNumber>,
    ) -> impl Iterator<Item = (&SegmentNumber, &mut Segment)> {
        let (Ok(end) | Err(end)) = self.place(numbers.end);
        for place in 0..end {
            self.at_mut(place);
        }
        let entries = self.entries[..end].iter_mut();
        entries.map(|entry| (&entry.number, &mut *entry.segment))
    }

    /// Lets go of the segments before a number.
    pub fn forget(&mut self, numbers: RangeTo<SegmentNumber>) {
        let (Ok(place) | Err(place)) = self.place(numbers.end);
        for entry in self.entries.drain(..place) {
            self.noted.take(entry.noted.unwrap_or_default());
        }
        self.changed.retain(|&number| number >= numbers.end);
    }

    /// Lets go of those segments from a number on that are not to be kept.
    pub fn retain(&mut self, numbers: RangeFrom<SegmentNumber>, keep: impl Fn(&Segment) -> bool) {
        let (Ok(first) | Err(first)) = self.place(numbers.start);
        for place in (first..self.entries.len()).rev() {
            if !keep(&self.entries[place].segment) {
                let entry = self.entries.remove(place);
                self.noted.take(entry.noted.unwrap_or_default());
                self.changed.retain(|&number| number != entry.number);
            }
        }
    }

    /// The segments to be looked at now: those that are due, and those that were changed and may be. And
    /// when the first of the others is due.
    pub fn due(&mut self, now: Time) -> (Vec<SegmentNumber>, Time) {
        let mut due = self.changed.clone();
        if self.noted.due <= now {
            let entries = self.entries.iter();
            let noted = entries.filter_map(|entry| Some((entry.number, entry.noted?.due)));
            due.extend(
                noted
                    .clone()
                    .filter(|(_, at)| *at <= now)
                    .map(|(number, _)| number),
            );
            let others = noted.map(|(_, at)| at).filter(|&at| at > now);
            self.noted.due = others.min().unwrap_or(Time::NEVER);
        }
        due.sort_unstable();
        (due, self.noted.due)
    }

    /// Notes of a segment that was looked at when it is due next.
    pub fn note(&mut self, number: SegmentNumber) {
        if let Ok(place) = self.place(number) {
            let entry = &mut self.entries[place];
            let noted = Noted {
                due: entry.segment.due(),
                held: entry.segment.held_len(),
            };
            match entry.noted.replace(noted) {
                Some(before) => self.noted.take(before),
                None => self.changed.retain(|&changed| changed != number),
            }
            self.noted.held += noted.held;
            self.noted.due = self.noted.due.min(noted.due);
        }
    }

    /// How many shards wait for the list of leaves, of all segments together.
    pub fn held(&self) -> usize {
        let changed = self.changed.iter().filter_map(|number| self.get(number));
        self.noted.held + changed.map(Segment::held_len).sum::<usize>()
    }

    /// The place of a segment, or where it would be; looked for from the newest on.
    pub fn place(&self, number: SegmentNumber) -> Result<usize, usize> {
        let before = self
            .entries
            .iter()
            .rposition(|entry| entry.number <= number);
        match before {
            Some(place) if self.entries[place].number == number => Ok(place),
            Some(place) => Err(place + 1),
            None => Err(0),
        }
    }
}
