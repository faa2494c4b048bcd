//! The disk of a source, on which it notes which numbers it may be about to use.
//!
//! Two digests for one number end a stream for good. So a source, as the node does it, notes ahead on disk
//! which numbers it will use next, and after a crash begins behind all of them. If the disk is lost it begins with the
//! number of milliseconds that its wall clock shows.

use super::DiskFate;
use hamlet_overlay::{
    time::{Duration, Time},
    view::SegmentNumber,
};

/// So many numbers are noted at once, as by the node: about a minute of a stream.
pub(crate) const BLOCK: u64 = 256;

/// What wall clocks show when a world begins.
const BORN_UNIX_MS: u64 = 1_700_000_000_000;

/// What is on the disk, and what is being written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk {
    /// The first number that is not noted.
    noted: SegmentNumber,
    /// What it will be, and when.
    writing: Option<(SegmentNumber, Time)>,
}

impl Disk {
    /// Asks to use a number; if it is not noted, it is written, and gives when it is.
    pub fn reserve(&mut self, number: SegmentNumber, now: Time, takes: Duration) -> Option<Time> {
        self.settle(now);
        if number < self.noted {
            return None;
        }
        let (_, done) = *self.writing.get_or_insert((number + BLOCK, now + takes));
        self.settle(now);
        (number >= self.noted).then_some(done)
    }

    /// The machine crashes; gives the number to begin with when it starts again.
    pub fn crash(&mut self, now: Time, fate: DiskFate) -> SegmentNumber {
        self.settle(now);
        match (self.writing.take(), fate) {
            (Some((noted, _)), DiskFate::Kept) => self.noted = noted,
            (_, DiskFate::Lost) => {
                let since = now.since(Time::ZERO).as_millis();
                self.noted = BORN_UNIX_MS + since as SegmentNumber;
            }
            _ => {}
        }
        self.noted
    }

    fn settle(&mut self, now: Time) {
        if let Some((noted, _)) = self.writing.take_if(|(_, done)| *done <= now) {
            self.noted = noted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_used_before_it_is_noted() {
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        let slow = Duration::from_millis(50);
        let mut disk = Disk::default();
        assert_eq!(disk.reserve(0, at(0), slow), Some(at(50)));
        assert_eq!(
            disk.reserve(0, at(20), slow),
            Some(at(50)),
            "one writing at a time"
        );
        let mut torn = disk;
        assert_eq!(
            torn.crash(at(49), DiskFate::Torn),
            0,
            "none was used either"
        );
        let mut kept = disk;
        assert_eq!(kept.crash(at(49), DiskFate::Kept), BLOCK);
        assert_eq!(disk.reserve(0, at(50), slow), None);
        assert_eq!(disk.crash(at(50), DiskFate::Torn), BLOCK, "it was on disk");
        assert_eq!(disk.reserve(BLOCK, at(60), Duration::ZERO), None);
        let lost = disk.crash(at(70), DiskFate::Lost);
        assert_eq!(lost, BORN_UNIX_MS + 70, "nothing is on it");
    }
}
