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
}

struct Entry {
    number: SegmentNumber,
    segment: Box<Segment>,
    /// What was noted of the segment; `None` once it was given out to be changed.
    noted: Option<Noted>,
}

#[derive(Clone, Copy)]
struct Noted {
    due: Time,
    held: usize,
}

impl Window {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
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
        Some(self.entries[place].change())
    }

    /// The segment of a number, begun now if there is none.
    pub fn get_or_begin(
        &mut self,
        number: SegmentNumber,
        begin: impl FnOnce() -> Segment,
    ) -> &mut Segment {
        let place = self.place(number).unwrap_or_else(|place| {
            let (segment, noted) = (Box::new(begin()), None);
            self.entries.insert(
                place,
                Entry {
                    number,
                    segment,
                    noted,
                },
            );
            place
        });
        self.entries[place].change()
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
        let (Ok(place) | Err(place)) = self.place(numbers.end);
        let entries = self.entries[..place].iter_mut();
        entries.map(|entry| {
            entry.noted = None;
            (&entry.number, &mut *entry.segment)
        })
    }

    /// Lets go of the segments before a number.
    pub fn forget(&mut self, numbers: RangeTo<SegmentNumber>) {
        let (Ok(place) | Err(place)) = self.place(numbers.end);
        self.entries.drain(..place);
    }

    /// Lets go of those segments from a number on that are not to be kept.
    pub fn retain(&mut self, numbers: RangeFrom<SegmentNumber>, keep: impl Fn(&Segment) -> bool) {
        self.entries
            .retain(|entry| entry.number < numbers.start || keep(&entry.segment));
    }

    /// The segments to be looked at now: those that are due, and those that were changed and may be. And
    /// when the first of the others is due.
    pub fn due(&self, now: Time) -> (Vec<SegmentNumber>, Time) {
        let mut next = Time::NEVER;
        let due = self.entries.iter().filter_map(|entry| match entry.noted {
            Some(noted) if noted.due > now => {
                next = next.min(noted.due);
                None
            }
            _ => Some(entry.number),
        });
        (due.collect(), next)
    }

    /// Notes of a segment that was looked at when it is due next.
    pub fn note(&mut self, number: SegmentNumber) {
        if let Ok(place) = self.place(number) {
            let entry = &mut self.entries[place];
            entry.noted = Some(Noted {
                due: entry.segment.due(),
                held: entry.segment.held_len(),
            });
        }
    }

    /// How many shards wait for the list of leaves, of all segments together.
    pub fn held(&self) -> usize {
        let held = |entry: &Entry| match entry.noted {
            Some(noted) => noted.held,
            None => entry.segment.held_len(),
        };
        self.entries.iter().map(held).sum()
    }

    /// The place of a segment, or where it would be; looked for from the newest on.
    fn place(&self, number: SegmentNumber) -> Result<usize, usize> {
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

impl Entry {
    fn change(&mut self) -> &mut Segment {
        self.noted = None;
        &mut self.segment
    }
}
