//! Letting a stream go on at its own pace.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A stream that is later than this by its own clock is not hurried to catch up.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Ties a stream's own time to the clock on the wall.
#[derive(Default)]
pub struct Pace {
    /// A point in time, and the stream's own time then.
    anchor: Option<(Instant, Duration)>,
}

impl Pace {
    /// Waits until the stream's own time `at` has come; it never goes back.
    pub async fn reach(&mut self, at: Duration) {
        let now = Instant::now();
        let due = self
            .anchor
            .map(|(then, time)| then + at.saturating_sub(time));
        match due {
            Some(due) if now.saturating_duration_since(due) <= LATE_MAX => sleep_until(due).await,
            // The beginning, or the end of a pause in a live source.
            _ => self.anchor = Some((now, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_keeps_its_pace_and_is_not_hurried_after_a_pause() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let second = Duration::from_secs(1);
        pace.reach(5 * second).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        pace.reach(7 * second).await;
        assert_eq!(start.elapsed(), 2 * second);
        tokio::time::advance(10 * second).await;
        pace.reach(8 * second).await;
        pace.reach(9 * second).await;
        assert_eq!(start.elapsed(), 13 * second);
    }
}
