//! The newest segments of a stream, within bounds.

use hamlet_overlay::{io::Segment, view::SegmentNumber};
use std::{collections::VecDeque, sync::Arc};

/// The most segments kept: 16 s of them, as a rule.
const SEGMENTS: usize = 64;
/// The most bytes kept; the newest segment is kept in any case.
const BYTES: usize = 16 << 20;

/// The newest segments of a stream, in ascending order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Window {
    segments: VecDeque<Arc<Segment>>,
    bytes: usize,
    /// The newest segment that is kept no more.
    dropped: Option<SegmentNumber>,
    ended: bool,
}

/// What a reader finds.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Its next segment.
    Segment(Arc<Segment>),
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    End,
}

impl Window {
    /// Takes the next segment. One that does not come after the last one is left out.
    pub(super) fn push(&mut self, segment: Arc<Segment>) {
        let after = self.segments.back().map(|last| last.number);
        if after.is_some_and(|last| segment.number <= last) {
            return;
        }
        self.bytes += segment.len();
        self.segments.push_back(segment);
        while self.segments.len() > SEGMENTS || (self.bytes > BYTES && self.segments.len() > 1) {
            if let Some(old) = self.segments.pop_front() {
                self.bytes -= old.len();
                self.dropped = Some(old.number);
            }
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// The first segment for a newcomer: the newest with which a decoder can start.
    pub(super) fn newest_start(&self) -> Found {
        let start = self
            .segments
            .iter()
            .rev()
            .find(|segment| segment.random_access);
        self.found(start)
    }

    /// The segment after number `last`; for a reader that is so late that it is gone, the oldest kept with
    /// which a decoder can start.
    pub(super) fn after(&self, last: SegmentNumber) -> Found {
        let late = self.dropped.is_some_and(|dropped| dropped > last);
        let next = self
            .segments
            .partition_point(|segment| segment.number <= last);
        let mut rest = self.segments.range(next..);
        self.found(match late {
            true => rest.find(|segment| segment.random_access),
            false => rest.next(),
        })
    }

    fn found(&self, segment: Option<&Arc<Segment>>) -> Found {
        match segment {
            Some(segment) => Found::Segment(segment.clone()),
            None if self.ended => Found::End,
            None => Found::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn segment(number: SegmentNumber, bytes: usize) -> Arc<Segment> {
        Arc::new(Segment {
            stream: 0,
            number,
            payload: vec![Bytes::from(vec![0; bytes])],
            random_access: number.is_multiple_of(4),
            discontinuity: false,
            cut_unix_ms: 0,
        })
    }

    fn number(found: Found) -> Option<SegmentNumber> {
        match found {
            Found::Segment(segment) => Some(segment.number),
            Found::Wait | Found::End => None,
        }
    }

    #[test]
    fn newcomers_begin_where_a_decoder_can_start() {
        let mut window = Window::default();
        assert_eq!(window.newest_start(), Found::Wait);
        (0..7).for_each(|number| window.push(segment(number, 1)));
        assert_eq!(number(window.newest_start()), Some(4));
        assert_eq!(number(window.after(4)), Some(5));
        assert_eq!(window.after(6), Found::Wait);
        window.end();
        assert_eq!(window.after(6), Found::End);
    }

    #[test]
    fn who_is_late_goes_on_where_a_decoder_can_start() {
        let mut window = Window::default();
        (0..200).for_each(|number| window.push(segment(number, 1)));
        assert_eq!(number(window.after(50)), Some(136));
        assert_eq!(number(window.after(135)), Some(136));
        assert_eq!(number(window.after(137)), Some(138));
    }

    #[test]
    fn numbers_that_the_stream_left_out_make_nobody_late() {
        let mut window = Window::default();
        window.push(segment(3, 1));
        window.push(segment(257, 1));
        assert_eq!(number(window.after(3)), Some(257));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_order_kept(sizes in prop::collection::vec(1usize..4_000_000, 1..100)) {
            let mut window = Window::default();
            for (number, bytes) in sizes.iter().enumerate() {
                window.push(segment(number as u64 * 3 % 50, *bytes));
                let kept: usize = window.segments.iter().map(|segment| segment.len()).sum();
                prop_assert!(kept == window.bytes && (kept <= BYTES || window.segments.len() == 1));
                prop_assert!(window.segments.len() <= SEGMENTS);
                prop_assert!(window.segments.iter().is_sorted_by(|a, b| a.number < b.number));
            }
        }
    }
}
