//! How large a segment becomes.

use std::time::Duration;

/// A shard below this size costs more in hashes and headers than it carries.
const SHARD_BYTES_MIN: usize = 1024;
/// A segment is never longer than this, however little is in it.
pub const SEGMENT_MAX: Duration = Duration::from_secs(2);

/// When a segment is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much of the stream a segment holds, as a rule.
    pub segment: Duration,
    /// A segment with fewer bytes is made longer, up to [`SEGMENT_MAX`].
    pub bytes_min: usize,
    /// A segment with more bytes is cut earlier.
    pub bytes_max: usize,
}

impl Limits {
    /// The limits for segments of this length that are coded to `k` data shards.
    pub fn new(segment: Duration, k: u8, bytes_max: usize) -> Limits {
        Limits {
            segment: segment.min(SEGMENT_MAX),
            bytes_min: (usize::from(k) * SHARD_BYTES_MIN).min(bytes_max),
            bytes_max,
        }
    }

    /// Whether a segment that holds so much is due to be cut.
    pub fn due(&self, elapsed: Duration, bytes: usize) -> bool {
        elapsed >= SEGMENT_MAX || (elapsed >= self.segment && bytes >= self.bytes_min)
    }

    /// Whether it is near enough to being due that cutting it early for a decoder's sake costs little.
    pub fn nearly_due(&self, elapsed: Duration, bytes: usize) -> bool {
        self.due(elapsed * 2, bytes * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_content_makes_segments_longer_but_not_endless() {
        let limits = Limits::new(Duration::from_millis(250), 16, 1 << 20);
        let ms = Duration::from_millis;
        assert!(!limits.due(ms(249), 1 << 19));
        assert!(limits.due(ms(250), 16 * 1024));
        assert!(!limits.due(ms(250), 16 * 1024 - 1));
        assert!(!limits.due(ms(1999), 1));
        assert!(limits.due(ms(2000), 1));
        assert!(limits.nearly_due(ms(125), 8 * 1024));
        assert!(!limits.nearly_due(ms(124), 1 << 19));
    }
}
