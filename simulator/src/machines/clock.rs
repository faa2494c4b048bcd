//! A machine's clock, which may be wrong.

use crate::span::Stretch;
use hamlet_overlay::time::{Duration, Time};

/// Maps true time to what a clock shows, and back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// By how many billionths it is too fast.
    ppb: i64,
    /// When it jumps, and by how many microseconds, in the order of time.
    jumps: Vec<(Time, i64)>,
}

const BILLION: i128 = 1_000_000_000;

impl Clock {
    pub fn drift(&mut self, ppm: f64) {
        self.ppb += (ppm * 1000.0).round() as i64;
    }

    pub fn jump(&mut self, at: Time, by_ms: f64) {
        self.jumps.push((at, (by_ms * 1000.0).round() as i64));
        self.jumps.sort_by_key(|&(at, _)| at);
    }

    /// What it shows at a moment.
    pub fn shows(&self, now: Time) -> Time {
        let jumps = self.jumps.iter().take_while(|&&(at, _)| at <= now);
        self.shown(now, jumps.map(|&(_, by)| i128::from(by)).sum())
    }

    fn shown(&self, now: Time, jumped: i128) -> Time {
        let micros = i128::from(now.as_micros());
        let shown = micros + micros * i128::from(self.ppb) / BILLION + jumped;
        Time::from_micros(shown.clamp(0, u64::MAX.into()) as u64)
    }

    /// The first moment from `now` on at which it shows `time` or more.
    pub fn when(&self, time: Time, now: Time) -> Time {
        let before = self.jumps.iter().take_while(|&&(at, _)| at <= now);
        let mut jumped: i128 = before.map(|&(_, by)| i128::from(by)).sum();
        let mut stretch = Stretch {
            from: now,
            to: Time::NEVER,
        };
        let after = self.jumps.iter().filter(|&&(at, _)| at > now);
        for &(at, by) in after {
            stretch.to = at;
            if let Some(found) = self.when_within(time, jumped, stretch) {
                return found;
            }
            (stretch.from, jumped) = (at, jumped + i128::from(by));
        }
        stretch.to = Time::NEVER;
        self.when_within(time, jumped, stretch)
            .unwrap_or(Time::NEVER)
    }

    /// The same, within a stretch without jumps.
    fn when_within(&self, time: Time, jumped: i128, stretch: Stretch) -> Option<Time> {
        let micros = (i128::from(time.as_micros()) - jumped) * BILLION;
        // Both quotients are rounded: begin a little before.
        let guess = micros / (BILLION + i128::from(self.ppb)) - 2;
        let guess = Time::from_micros(guess.clamp(0, i128::from(u64::MAX / 2)) as u64);
        let mut found = guess.max(stretch.from);
        while self.shown(found, jumped) < time && found < stretch.to {
            found += Duration::from_micros(1);
        }
        (found < stretch.to).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn it_drifts_and_jumps() {
        let mut clock = Clock::default();
        clock.drift(1000.0);
        clock.jump(at(5_000), -2_000.0);
        assert_eq!(clock.shows(at(1_000)), at(1_001));
        assert_eq!(clock.shows(at(4_000)), at(4_004));
        assert_eq!(clock.shows(at(10_000)), at(8_010));
        // It shows 4.5 s once before it jumps back.
        assert_eq!(clock.when(at(4_004), at(0)), at(4_000));
        assert_eq!(clock.when(at(5_500), at(0)).as_micros() / 1000, 7_492);
    }

    proptest! {
        #[test]
        fn it_is_never_asked_too_early(
            ppm in -400_000.0f64..400_000.0,
            jumps in prop::collection::vec((0u64..20_000, -5_000.0f64..5_000.0), 0..4),
            time in 0u64..20_000_000,
            now in 0u64..20_000_000,
        ) {
            let mut clock = Clock::default();
            clock.drift(ppm);
            for (ms, by) in jumps {
                clock.jump(at(ms), by);
            }
            let (time, now) = (Time::from_micros(time), Time::from_micros(now));
            let when = clock.when(time, now);
            prop_assert!(when >= now && clock.shows(when) >= time);
            if when > now {
                let before = Time::from_micros(when.as_micros() - 1);
                prop_assert!(clock.shows(before) < time);
            }
        }
    }
}
