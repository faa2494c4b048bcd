//! The upload cap over all links, and the rate of a single link: a token bucket.
//!
//! Whoever wants to send waits for a turn, which comes when the bucket is not in debt, and then takes what
//! it sends, even into debt; so a frame larger than the bucket passes and the long-run rate holds. Turns
//! are given in the order in which they were asked for. Repairs wait until the bucket is half full: as
//! long as live data takes all there is, they get nothing.

use super::queue::Lane;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What may be sent at once after a pause, as time at the full rate.
const BURST: Duration = Duration::from_millis(100);

/// How much may be sent.
#[derive(Debug)]
struct Level {
    bytes_per_s: f64,
    burst: f64,
    /// Negative when in debt.
    bytes: f64,
    at: Instant,
}

impl Level {
    fn new(bits_per_s: u64, now: Instant) -> Level {
        let bytes_per_s = (bits_per_s as f64 / 8.0).max(1.0);
        let burst = bytes_per_s * BURST.as_secs_f64();
        Level {
            bytes_per_s,
            burst,
            bytes: burst,
            at: now,
        }
    }

    /// How long a lane has still to wait.
    fn wait(&mut self, lane: Lane, now: Instant) -> Duration {
        self.spend(0, now);
        let wanted = match lane {
            Lane::Live => 0.0,
            Lane::Repair => self.burst / 2.0,
        };
        match wanted - self.bytes {
            missing if missing > 0.0 => {
                // A little longer, so that rounding does not make anybody come back for nothing.
                Duration::from_secs_f64(missing / self.bytes_per_s) + Duration::from_micros(100)
            }
            _ => Duration::ZERO,
        }
    }

    fn spend(&mut self, bytes: usize, now: Instant) {
        let grown = now.duration_since(self.at).as_secs_f64() * self.bytes_per_s;
        self.bytes = (self.bytes + grown).min(self.burst) - bytes as f64;
        self.at = now;
    }
}

/// A token bucket that several tasks share.
#[derive(Debug)]
pub struct Bucket {
    level: Mutex<Level>,
    turns: [tokio::sync::Mutex<()>; Lane::ALL.len()],
}

/// The right to send now.
#[must_use]
pub struct Turn<'a> {
    bucket: &'a Bucket,
    _first: tokio::sync::MutexGuard<'a, ()>,
}

impl Bucket {
    /// A bucket that lets this much through.
    pub fn new(bits_per_s: u64) -> Bucket {
        Bucket {
            level: Mutex::new(Level::new(bits_per_s, Instant::now())),
            turns: Default::default(),
        }
    }

    /// Waits until a frame of this lane may be sent.
    pub async fn turn(&self, lane: Lane) -> Turn<'_> {
        let first = self.turns[lane as usize].lock().await;
        loop {
            let wait = self.with(|level| level.wait(lane, Instant::now()));
            if wait.is_zero() {
                return Turn {
                    bucket: self,
                    _first: first,
                };
            }
            sleep(wait).await;
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Level) -> T) -> T {
        change(&mut self.level.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Turn<'_> {
    /// Takes what is sent out of the bucket.
    pub fn spend(self, bytes: usize) {
        self.bucket.with(|level| level.spend(bytes, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_run_rate_holds() {
        let start = Instant::now();
        let mut now = start;
        let mut level = Level::new(800_000, start);
        for _ in 0..100 {
            now += level.wait(Lane::Live, now);
            level.spend(10_000, now);
        }
        // A million bytes at 100,000 a second, less the burst and the last one's debt.
        let took = now.duration_since(start).as_secs_f64();
        assert!((9.75..10.0).contains(&took), "{took}");
    }

    #[test]
    fn repairs_wait_while_live_data_takes_all() {
        let start = Instant::now();
        let mut now = start;
        let mut level = Level::new(800_000, start);
        level.spend(10_000, now);
        for _ in 0..50 {
            assert!(!level.wait(Lane::Repair, now).is_zero());
            now += level.wait(Lane::Live, now);
            level.spend(1_000, now);
        }
        now += Duration::from_millis(60);
        assert!(level.wait(Lane::Repair, now).is_zero());
    }

    #[test]
    fn a_long_pause_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let mut level = Level::new(800_000, start);
        let later = start + Duration::from_secs(60);
        level.spend(10_001, later);
        assert!(!level.wait(Lane::Live, later).is_zero());
    }
}
