//! How long segments take to be restored at a peer, as it goes.

use crate::driver::PeerHandle;
use hamlet_overlay::{io::Event, view::StreamNumber};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast::error::RecvError;

/// A segment that was restored later than this after the peer first heard of it counts as late.
pub const LATE: Duration = Duration::from_millis(1_500);
/// The newest segments, over which the median is taken: 16 s of them, as a rule.
const NEWEST: usize = 64;

/// What a peer's restored segments had in common, stream by stream.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    streams: Arc<Mutex<BTreeMap<StreamNumber, Restored>>>,
}

#[derive(Debug, Default)]
struct Restored {
    late: u64,
    newest: VecDeque<Duration>,
}

impl Tally {
    /// Follows a peer until it stops.
    pub fn follow(handle: &PeerHandle) -> Tally {
        let tally = Tally::default();
        let (mut events, filled) = (handle.events(), tally.clone());
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok((_, Event::Restored { stream, after, .. })) => filled.note(stream, after),
                    // What was missed is a sample less.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        tally
    }

    /// Segments of a stream that were restored late.
    pub fn late(&self, stream: StreamNumber) -> u64 {
        self.lock().get(&stream).map_or(0, |restored| restored.late)
    }

    /// The median of the time from hearing of a segment until it was restored, over the newest segments of
    /// a stream.
    pub fn median(&self, stream: StreamNumber) -> Option<Duration> {
        let mut newest: Vec<Duration> = self.lock().get(&stream)?.newest.iter().copied().collect();
        newest.sort_unstable();
        newest.get(newest.len() / 2).copied()
    }

    fn note(&self, stream: StreamNumber, after: Duration) {
        let mut streams = self.lock();
        let restored = streams.entry(stream).or_default();
        restored.late += u64::from(after > LATE);
        restored.newest.push_back(after);
        if restored.newest.len() > NEWEST {
            restored.newest.pop_front();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<StreamNumber, Restored>> {
        // Nothing that holds the lock can leave a count half changed.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_late_are_counted_and_the_median_follows_the_newest() {
        let tally = Tally::default();
        let ms = Duration::from_millis;
        assert_eq!((tally.late(0), tally.median(0)), (0, None));
        for after in [1_501, 1_500, 20] {
            tally.note(0, ms(after));
        }
        assert_eq!((tally.late(0), tally.median(0)), (1, Some(ms(1_500))));
        (0..NEWEST).for_each(|_| tally.note(0, ms(30)));
        assert_eq!((tally.late(0), tally.median(0)), (1, Some(ms(30))));
        assert_eq!(tally.late(1), 0);
    }
}
