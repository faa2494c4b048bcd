//! One unbroken time for the pictures and the sound of a stream, whatever its source's clock does.
//!
//! 1. Timestamps count 33 bits at 90 kHz and wrap; differences are taken modulo 2^33.
//! 2. The leading track (pictures, or sound where there are none) says what the time is. A step back, or one
//!    forward by more than [`STEP_MAX`], is a new clock: the source was started again. Its time goes on where
//!    the old one ended, so players see neither a step back nor a hole.
//! 3. A smaller step forward is time in which something is missing, and stays.
//! 4. What the other track says is taken if it is near the leading track's time, and left out if not: after a
//!    jump the two do not change clocks with the same packet.

use crate::ts::packet::{PTS_HZ, PTS_WRAP, Timestamps};

/// A larger step forward, in 90 kHz ticks, is a new clock.
const STEP_MAX: i64 = 10 * PTS_HZ as i64;
/// How far the two tracks may be apart, in 90 kHz ticks.
const APART_MAX: i64 = 5 * PTS_HZ as i64;
/// Where a stream's time begins, in 90 kHz ticks: sound may be a little earlier than the first picture.
const BEGIN: i64 = APART_MAX;

/// The time of a stream.
#[derive(Debug, Default)]
pub struct Timeline {
    /// A source's timestamp, and the stream's own time for it.
    reference: Option<(u64, i64)>,
    /// Where the stream's own time has come to.
    end: i64,
}

impl Timeline {
    /// The own time of what the leading track decodes at `at`, which lasts about `duration` ticks.
    pub fn lead(&mut self, at: Timestamps, duration: i64) -> i64 {
        let time = match self.reference {
            None => BEGIN,
            Some((source, time)) => match difference(at.dts, source) {
                step @ 0..=STEP_MAX => time + step,
                _ => self.end,
            },
        };
        self.reference = Some((at.dts, time));
        self.end = self.end.max(time + duration);
        time
    }

    /// The own time of what the other track decodes at `ticks`, if the time is known and near.
    pub fn follow(&self, ticks: u64) -> Option<i64> {
        let (source, time) = self.reference?;
        let apart = difference(ticks, source);
        (-APART_MAX..=APART_MAX)
            .contains(&apart)
            .then_some(time + apart)
    }
}

/// From `from` to `to`, the short way round, in 90 kHz ticks.
pub fn difference(to: u64, from: u64) -> i64 {
    let forward = ((to + PTS_WRAP - from % PTS_WRAP) % PTS_WRAP) as i64;
    match forward > PTS_WRAP as i64 / 2 {
        true => forward - PTS_WRAP as i64,
        false => forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dts: u64) -> Timestamps {
        Timestamps { pts: dts, dts }
    }

    #[test]
    fn time_goes_on_over_the_wrap() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.lead(at(PTS_WRAP - 1000), 3000), BEGIN);
        assert_eq!(timeline.lead(at(2000), 3000), BEGIN + 3000);
        assert_eq!(timeline.follow(PTS_WRAP - 1000), Some(BEGIN));
    }

    #[test]
    fn a_source_that_begins_again_goes_on_where_it_ended() {
        let mut timeline = Timeline::default();
        timeline.lead(at(900_000), 3000);
        assert_eq!(timeline.lead(at(903_000), 3000), BEGIN + 3000);
        // Back to the beginning; the sound that is still to come from before is left out.
        assert_eq!(timeline.lead(at(126_000), 3000), BEGIN + 6000);
        assert_eq!(timeline.follow(900_000), None);
        assert_eq!(timeline.lead(at(129_000), 3000), BEGIN + 9000);
        assert_eq!(timeline.lead(at(90_000_000), 3000), BEGIN + 12_000);
    }

    #[test]
    fn what_is_missing_takes_its_time() {
        let mut timeline = Timeline::default();
        timeline.lead(at(0), 3000);
        assert_eq!(timeline.lead(at(450_000), 3000), BEGIN + 450_000);
    }
}
