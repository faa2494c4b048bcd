//! A token bucket: a rate with a burst.

use crate::time::{Duration, Time};

/// Lets through `rate` units per second, and `burst` at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate_per_s: u64,
    burst: u64,
    level: u64,
    /// What accrued and is less than a unit, in millionths.
    fraction: u64,
    filled: Time,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate_per_s: u64, burst: u64) -> Bucket {
        Bucket {
            rate_per_s,
            burst,
            level: burst,
            fraction: 0,
            filled: Time::ZERO,
        }
    }

    /// A bucket for a stream of at most this rate: a tenth above it, and as much at once as it brings in
    /// `burst`.
    pub fn for_stream(max_bits_per_s: u64, burst: Duration) -> Bucket {
        let rate = max_bits_per_s / 8;
        let burst = u128::from(rate) * burst.as_micros() / 1_000_000;
        Bucket::new(
            rate + rate / 10,
            u64::try_from(burst).unwrap_or(u64::MAX).max(1),
        )
    }

    /// Takes `amount` out, if it is there.
    pub fn take(&mut self, amount: u64, now: Time) -> bool {
        let accrued = u128::from(self.rate_per_s) * now.since(self.filled).as_micros()
            + u128::from(self.fraction);
        let whole = u64::try_from(accrued / 1_000_000).unwrap_or(u64::MAX);
        self.fraction = (accrued % 1_000_000) as u64;
        self.filled = self.filled.max(now);
        self.level = self.level.saturating_add(whole).min(self.burst);
        let there = self.level >= amount;
        if there {
            self.level -= amount;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(1000, 500);
        let ms = |ms| Time::ZERO + Duration::from_millis(ms);
        assert!(bucket.take(500, ms(0)));
        assert!(!bucket.take(1, ms(0)));
        let taken = (1..=2000).filter(|&now| bucket.take(1, ms(now))).count();
        assert_eq!(taken, 2000);
        assert!(!bucket.take(501, ms(100_000)));
    }
}
