//! Filling a stream up to a chosen rate with packets that carry nothing, for measuring.

use crate::ts::packet::{PACKET_BYTES, Packet};
use std::time::Duration;

/// Counts how many packets are missing at a constant rate.
pub struct Padding {
    bits_per_s: u64,
    /// What is owed, in bits times nanoseconds per second; negative while the stream is ahead.
    owed: i128,
}

const PACKET: i128 = (PACKET_BYTES * 8) as i128 * 1_000_000_000;

impl Padding {
    /// Fills up to this rate.
    pub fn new(bits_per_s: u64) -> Padding {
        Padding {
            bits_per_s,
            owed: 0,
        }
    }

    /// Counts a packet of the stream itself.
    pub fn count(&mut self) {
        self.owed -= PACKET;
    }

    /// The packets to be put in after so much more time of the stream.
    pub fn fill(&mut self, passed: Duration) -> impl Iterator<Item = Packet> + use<> {
        self.owed += i128::from(self.bits_per_s) * passed.as_nanos() as i128;
        let missing = (self.owed / PACKET).max(0);
        self.owed -= missing * PACKET;
        (0..missing).map(|_| Packet::null())
    }

    /// By how much the stream itself is over the rate, in seconds at that rate.
    pub fn excess(&self) -> Duration {
        let nanos = (-self.owed).max(0) / i128::from(self.bits_per_s.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_rate_is_kept_to_within_a_packet(
            kbit in 1u64..20_000, steps in prop::collection::vec((1u64..100, 0usize..4), 1..200),
        ) {
            let mut padding = Padding::new(kbit * 1000);
            let (mut packets, mut passed, mut own) = (0u64, 0, 0);
            for (ms, count) in steps {
                (0..count).for_each(|_| padding.count());
                own += count as u64;
                passed += ms;
                packets += count as u64 + padding.fill(Duration::from_millis(ms)).count() as u64;
            }
            let expected = (kbit * passed / (188 * 8)).max(own);
            // While the stream itself is over the rate nothing is put in, but never less than the rate goes out.
            prop_assert!(packets + 1 >= expected.min(kbit * passed / (188 * 8)));
            prop_assert!(packets <= expected + own + 1);
        }
    }

    #[test]
    fn a_stream_over_the_rate_is_noticed() {
        let mut padding = Padding::new(188 * 8);
        (0..10).for_each(|_| padding.count());
        assert_eq!(padding.fill(Duration::from_secs(1)).count(), 0);
        assert_eq!(padding.excess(), Duration::from_secs(9));
    }
}
