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

/// A token bucket that several tasks share.
#[derive(Debug)]
pub struct Bucket {
    bytes_per_s: f64,
    burst: f64,
    /// The bytes that may be sent, negative when in debt, and when that was so.
    level: Mutex<(f64, Instant)>,
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
        let bytes_per_s = (bits_per_s as f64 / 8.0).max(1.0);
        let burst = bytes_per_s * BURST.as_secs_f64();
        Bucket {
            bytes_per_s,
            burst,
            level: Mutex::new((burst, Instant::now())),
            turns: Default::default(),
        }
    }

    /// Waits until a frame of this lane may be sent.
    pub async fn turn(&self, lane: Lane) -> Turn<'_> {
        let first = self.turns[lane as usize].lock().await;
        let wanted = match lane {
            Lane::Live => 0.0,
            Lane::Repair => self.burst / 2.0,
        };
        loop {
            let missing = wanted - self.change(0.0);
            if missing <= 0.0 {
                return Turn {
                    bucket: self,
                    _first: first,
                };
            }
            // A little longer than it takes, so that rounding does not make us come back for nothing.
            sleep(Duration::from_secs_f64(missing / self.bytes_per_s) + Duration::from_micros(100))
                .await;
        }
    }

    fn change(&self, taken: f64) -> f64 {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let grown = now.duration_since(level.1).as_secs_f64() * self.bytes_per_s;
        *level = ((level.0 + grown).min(self.burst) - taken, now);
        level.0
    }
}

impl Turn<'_> {
    /// Takes what is sent out of the bucket.
    pub fn spend(self, bytes: usize) {
        self.bucket.change(bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn the_long_run_rate_holds_over_several_senders() {
        let bucket = Arc::new(Bucket::new(800_000));
        let start = Instant::now();
        let senders: Vec<_> = (0..5)
            .map(|_| {
                let bucket = bucket.clone();
                tokio::spawn(async move {
                    for _ in 0..20 {
                        bucket.turn(Lane::Live).await.spend(10_000);
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        // A million bytes at 100,000 a second, less the burst and the last one's debt.
        let took = start.elapsed().as_secs_f64();
        assert!((9.7..10.1).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn live_data_goes_before_repairs() {
        let bucket = Arc::new(Bucket::new(800_000));
        let repair = tokio::spawn({
            let bucket = bucket.clone();
            async move {
                bucket.turn(Lane::Live).await.spend(60_000);
                bucket.turn(Lane::Repair).await.spend(1);
                Instant::now()
            }
        });
        tokio::task::yield_now().await;
        for _ in 0..10 {
            bucket.turn(Lane::Live).await.spend(10_000);
        }
        let live = Instant::now();
        assert!(repair.await.unwrap() > live);
    }
}
