//! A running estimate of how long something takes, as transports estimate their round trip.

use crate::time::Duration;

/// Smoothed mean and deviation (Jacobson and Karels, SIGCOMM 1988: gains 1/8 and 1/4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    mean_us: u32,
    deviation_us: u32,
    floor_us: u32,
    ceiling_us: u32,
}

impl Estimate {
    /// Begins with a guess of the time-out; time-outs stay between `floor` and `ceiling`.
    pub fn new(guess: Duration, floor: Duration, ceiling: Duration) -> Estimate {
        let guess = micros(guess);
        Estimate {
            mean_us: guess / 2,
            deviation_us: guess / 8,
            floor_us: micros(floor),
            ceiling_us: micros(ceiling),
        }
    }

    pub fn sample(&mut self, took: Duration) {
        let took = micros(took).min(self.ceiling_us);
        let off = took.abs_diff(self.mean_us);
        self.deviation_us = self.deviation_us - self.deviation_us / 4 + off / 4;
        self.mean_us = self.mean_us - self.mean_us / 8 + took / 8;
    }

    /// After how long it is late: four deviations over the mean.
    pub fn timeout(&self) -> Duration {
        let late = self
            .mean_us
            .saturating_add(self.deviation_us.saturating_mul(4));
        Duration::from_micros(late.clamp(self.floor_us, self.ceiling_us).into())
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_what_is_seen_within_its_bounds() {
        let ms = Duration::from_millis;
        let mut estimate = Estimate::new(ms(400), ms(30), ms(700));
        assert_eq!(estimate.timeout(), ms(400));
        for _ in 0..100 {
            estimate.sample(ms(100));
        }
        assert!(estimate.timeout() >= ms(99) && estimate.timeout() < ms(110));
        for _ in 0..100 {
            estimate.sample(ms(5000));
        }
        assert_eq!(estimate.timeout(), ms(700));
    }
}
