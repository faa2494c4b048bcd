//! The newest pieces of a stream, within bounds.

use hamlet_overlay::io::Segment;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// The most pieces kept: 16 s of them, as a rule.
const PIECES: usize = 64;
/// The most bytes kept; the newest piece is kept in any case.
const BYTES: usize = 16 << 20;

/// What a stream is handed out in.
pub trait Piece {
    /// Its place in the stream.
    fn number(&self) -> u64;

    /// Its length in bytes.
    fn len(&self) -> usize;

    /// Whether a decoder can start with it.
    fn random_access(&self) -> bool;

    /// Whether something is missing before it, whatever its number says.
    fn discontinuity(&self) -> bool;
}

impl Piece for Segment {
    fn number(&self) -> u64 {
        self.number
    }

    fn len(&self) -> usize {
        Segment::len(self)
    }

    fn random_access(&self) -> bool {
        self.random_access
    }

    fn discontinuity(&self) -> bool {
        self.discontinuity
    }
}

/// The newest pieces of a stream, in ascending order of their numbers.
#[derive(Debug)]
pub(super) struct Window<T> {
    pieces: VecDeque<Kept<T>>,
    bytes: usize,
    /// The newest piece that is kept no more.
    dropped: Option<u64>,
    ended: bool,
}

/// A piece, and when it came.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub piece: Arc<T>,
    pub came: Instant,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept {
            piece: self.piece.clone(),
            came: self.came,
        }
    }
}

/// What a reader finds.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// Its next piece.
    Piece(Kept<T>),
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    End,
}

impl<T> Default for Window<T> {
    fn default() -> Window<T> {
        Window {
            pieces: VecDeque::new(),
            bytes: 0,
            dropped: None,
            ended: false,
        }
    }
}

impl<T: Piece> Window<T> {
    /// Takes the next piece. One that does not come after the last one is left out.
    pub(super) fn push(&mut self, piece: Arc<T>, came: Instant) {
        let last = self.pieces.back().map(|kept| kept.piece.number());
        if last.is_some_and(|last| piece.number() <= last) {
            return;
        }
        self.bytes += piece.len();
        self.pieces.push_back(Kept { piece, came });
        while self.pieces.len() > PIECES || (self.bytes > BYTES && self.pieces.len() > 1) {
            if let Some(old) = self.pieces.pop_front() {
                self.bytes -= old.piece.len();
                self.dropped = Some(old.piece.number());
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// The first piece for a newcomer who plays so long behind the newest: the last one that came so long ago
    /// with which a decoder can start, or else the first.
    pub(super) fn start(&self, behind: Duration) -> Found<T> {
        let starts = || self.pieces.iter().filter(|kept| kept.piece.random_access());
        let old = starts().rfind(|kept| kept.came.elapsed() >= behind);
        self.found(old.or_else(|| starts().next()))
    }

    /// The piece after number `last`; for a reader that is so late that it is gone, the oldest kept with
    /// which a decoder can start.
    pub(super) fn after(&self, last: u64) -> Found<T> {
        let late = self.dropped.is_some_and(|dropped| dropped > last);
        let next = self
            .pieces
            .partition_point(|kept| kept.piece.number() <= last);
        let mut rest = self.pieces.range(next..);
        self.found(match late {
            true => rest.find(|kept| kept.piece.random_access()),
            false => rest.next(),
        })
    }

    fn found(&self, kept: Option<&Kept<T>>) -> Found<T> {
        match kept {
            Some(kept) => Found::Piece(kept.clone()),
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

    fn segment(number: u64, bytes: usize) -> Arc<Segment> {
        Arc::new(Segment {
            stream: 0,
            number,
            payload: vec![Bytes::from(vec![0; bytes])],
            random_access: number.is_multiple_of(4),
            discontinuity: false,
            cut_unix_ms: 0,
        })
    }

    fn number(found: Found<Segment>) -> Option<u64> {
        match found {
            Found::Piece(kept) => Some(kept.piece.number),
            Found::Wait | Found::End => None,
        }
    }

    #[test]
    fn newcomers_begin_where_a_decoder_can_start() {
        let mut window = Window::default();
        assert!(matches!(window.start(Duration::ZERO), Found::Wait));
        (0..7).for_each(|number| window.push(segment(number, 1), Instant::now()));
        assert_eq!(number(window.start(Duration::ZERO)), Some(4));
        assert_eq!(number(window.start(Duration::from_secs(60))), Some(0));
        assert_eq!(number(window.after(4)), Some(5));
        assert!(matches!(window.after(6), Found::Wait));
        window.end();
        assert!(matches!(window.after(6), Found::End));
    }

    #[test]
    fn who_is_late_goes_on_where_a_decoder_can_start() {
        let mut window = Window::default();
        (0..200).for_each(|number| window.push(segment(number, 1), Instant::now()));
        assert_eq!(number(window.after(50)), Some(136));
        assert_eq!(number(window.after(135)), Some(136));
        assert_eq!(number(window.after(137)), Some(138));
    }

    #[test]
    fn numbers_that_the_stream_left_out_make_nobody_late() {
        let mut window = Window::default();
        window.push(segment(3, 1), Instant::now());
        window.push(segment(257, 1), Instant::now());
        assert_eq!(number(window.after(3)), Some(257));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_order_kept(sizes in prop::collection::vec(1usize..4_000_000, 1..100)) {
            let mut window = Window::default();
            for (number, bytes) in sizes.iter().enumerate() {
                window.push(segment(number as u64 * 3 % 50, *bytes), Instant::now());
                let kept: usize = window.pieces.iter().map(|kept| kept.piece.len()).sum();
                prop_assert!(kept == window.bytes && (kept <= BYTES || window.pieces.len() == 1));
                prop_assert!(window.pieces.len() <= PIECES);
                prop_assert!(window.pieces.iter().is_sorted_by(|a, b| a.piece.number < b.piece.number));
            }
        }
    }
}
