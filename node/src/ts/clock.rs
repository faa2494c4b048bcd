//! Time as a transport stream tells it: its PCR, unwrapped, with jumps left out.

use super::packet::{PCR_HZ, PCR_WRAP};
use std::time::Duration;

/// A larger step between two PCRs is a jump, not time that passed: they come every 100 ms at most
/// (ISO/IEC 13818-1, 2.7.2).
const STEP_MAX: u64 = 2 * PCR_HZ;

/// What a PCR said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So much time has passed since the one before.
    Passed(Duration),
    /// There is none before that it could be compared with.
    Jump,
}

/// The time that has passed in a stream.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    last: Option<u64>,
    elapsed_ticks: u64,
}

impl Clock {
    /// Takes a PCR in 27 MHz ticks; `discontinuity` says that its muxer announced a jump.
    pub fn observe(&mut self, pcr: u64, discontinuity: bool) -> Step {
        let pcr = pcr % PCR_WRAP;
        let step = self
            .last
            .replace(pcr)
            .map(|last| (pcr + PCR_WRAP - last) % PCR_WRAP)
            .filter(|&step| !discontinuity && step <= STEP_MAX);
        match step {
            None => Step::Jump,
            Some(step) => {
                self.elapsed_ticks += step;
                Step::Passed(duration(step))
            }
        }
    }

    /// Compares the next PCR with none before it: it comes from another program's clock.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// How much time has passed in the stream, jumps left out.
    pub fn elapsed(&self) -> Duration {
        duration(self.elapsed_ticks)
    }
}

fn duration(ticks: u64) -> Duration {
    let seconds = Duration::from_secs(ticks / PCR_HZ);
    seconds + Duration::from_nanos((ticks % PCR_HZ) * 1000 / 27)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_clock_runs_on_over_the_wrap() {
        let mut clock = Clock::default();
        assert_eq!(clock.observe(PCR_WRAP - 13_500_000, false), Step::Jump);
        let second = Step::Passed(Duration::from_secs(1));
        assert_eq!(clock.observe(13_500_000, false), second);
        assert_eq!(clock.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn jumps_do_not_count_as_time() {
        let mut clock = Clock::default();
        clock.observe(100 * PCR_HZ, false);
        assert_eq!(clock.observe(99 * PCR_HZ, false), Step::Jump);
        assert_eq!(clock.observe(103 * PCR_HZ, false), Step::Jump);
        assert_eq!(clock.observe(103 * PCR_HZ + 1, true), Step::Jump);
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn small_steps_add_up_from_anywhere(
            start in 0..PCR_WRAP, steps in prop::collection::vec(0..=STEP_MAX, 1..50),
        ) {
            let mut clock = Clock::default();
            let mut pcr = start;
            clock.observe(pcr, false);
            for step in &steps {
                pcr = (pcr + step) % PCR_WRAP;
                clock.observe(pcr, false);
            }
            prop_assert_eq!(clock.elapsed(), duration(steps.iter().sum()));
        }
    }
}
