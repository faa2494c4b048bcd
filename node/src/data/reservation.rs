//! The segment numbers of a source, reserved on disk before they are used.
//!
//! Two digests for one number are proof of misbehaviour and end a stream for good. So a source notes ahead,
//! [`BLOCK`] numbers at a time, which ones it may be about to use; after a crash it begins behind all of
//! them, and leaves at most that many unused. One that lost its disk goes on from the number of milliseconds since 1970,
//! which is above all that it can have used: no segment is shorter than 50 ms.

use super::{Store, StoreError};
use hamlet_overlay::{hash::Hash, view::SegmentNumber};
use std::time::{SystemTime, UNIX_EPOCH};

/// So many numbers are reserved at once: about a minute of a stream.
const BLOCK: u64 = 256;

/// The numbers that a source may use.
#[derive(Debug)]
pub struct Reservation {
    store: Store,
    network: Hash,
    next: SegmentNumber,
    /// The end of what is reserved.
    end: SegmentNumber,
}

impl Reservation {
    /// The numbers of the source whose store this is. `fresh` says that its key was never used, so nothing can be lost.
    ///
    /// # Errors
    /// If the store cannot be read, or written for the first time.
    pub fn begin(store: Store, network: Hash, fresh: bool) -> Result<Reservation, StoreError> {
        let next = match store.publish_from(network)? {
            Some(next) => next,
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let lost = since.map_or(0, |since| since.as_millis() as SegmentNumber);
                let next = if fresh { 0 } else { lost };
                store.set_publish_from(network, next)?;
                next
            }
        };
        Ok(Reservation {
            store,
            network,
            next,
            end: next,
        })
    }

    /// The next number, which was never used.
    pub fn next(&self) -> SegmentNumber {
        self.next
    }

    /// Takes the next number; that it may have been used is on disk when this returns.
    ///
    /// # Errors
    /// If the store cannot be written; then the number must not be used.
    pub fn take(&mut self) -> Result<SegmentNumber, StoreError> {
        if self.next >= self.end {
            let end = self.next.saturating_add(BLOCK);
            self.store.set_publish_from(self.network, end)?;
            self.end = end;
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Gives back what was reserved and not used, at a clean end.
    ///
    /// # Errors
    /// If the store cannot be written; the numbers then stay unused, which does no harm.
    pub fn release(&mut self) -> Result<(), StoreError> {
        if self.next < self.end {
            self.store.set_publish_from(self.network, self.next)?;
            self.end = self.next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn open(path: &Path) -> Reservation {
        Reservation::begin(Store::open(path).unwrap(), Hash([3; 32]), true).unwrap()
    }

    #[test]
    fn a_source_that_lost_its_disk_goes_on_above_all_that_it_can_have_used() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str, fresh| {
            let store = Store::open(&folder.path().join(name)).unwrap();
            Reservation::begin(store, Hash([3; 32]), fresh).unwrap()
        };
        assert_eq!(begin("first", true).next(), 0);
        // The key is used, and the source has published nothing: nothing is lost.
        assert_eq!(begin("first", false).next(), 0);
        let mut lost = begin("second", false);
        assert!(lost.next() > 1_700_000_000_000);
        let used = publish(&mut lost, 3);
        drop(lost);
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(begin("third", false).next() > used);
    }

    fn publish(numbers: &mut Reservation, count: u64) -> SegmentNumber {
        for _ in 0..count {
            numbers.take().unwrap();
        }
        numbers.next()
    }

    #[test]
    fn no_number_is_used_twice_across_crashes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let mut after = 0;
        for count in [1, 300, 256, 0, 511] {
            let mut numbers = open(&path);
            assert!(numbers.next() >= after, "{} < {after}", numbers.next());
            assert!(numbers.next() <= after + BLOCK);
            after = publish(&mut numbers, count);
            // Dropped without a release, as by a crash.
        }
    }

    #[test]
    fn a_clean_end_leaves_no_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let mut numbers = open(&path);
        publish(&mut numbers, 10);
        numbers.release().unwrap();
        drop(numbers);
        assert_eq!(open(&path).next(), 10);
    }
}
