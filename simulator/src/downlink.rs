//! A peer's downlink: what arrives waits for what arrived before it, at the rate of the line.

use hamlet_overlay::time::{Duration, Time};

/// How much may wait: what the line carries in this time. What arrives beyond is dropped, as routers do.
const QUEUE: Duration = Duration::from_millis(500);

/// The line of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Downlink {
    bits_per_s: Option<u64>,
    /// When it has carried all that arrived.
    free_at: Time,
}

/// What becomes of a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It takes no time.
    Now,
    /// It is there then.
    At(Time),
    /// There is no room for it.
    Dropped,
}

impl Downlink {
    /// A line of so many bits per second; `None` for any amount.
    pub fn new(bits_per_s: Option<u64>) -> Downlink {
        Downlink {
            bits_per_s,
            free_at: Time::ZERO,
        }
    }

    /// Takes a message of so many bytes that arrives now.
    pub fn receive(&mut self, now: Time, bytes: u32) -> Received {
        let Some(bits_per_s) = self.bits_per_s else {
            return Received::Now;
        };
        if self.free_at.since(now) > QUEUE {
            return Received::Dropped;
        }
        let takes = u64::from(bytes) * 8_000_000 / bits_per_s.max(1);
        self.free_at = self.free_at.max(now) + Duration::from_micros(takes);
        Received::At(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_waits_its_turn_and_what_finds_no_room_is_dropped() {
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        // A message of 1,000 bytes takes 100 ms.
        let mut line = Downlink::new(Some(80_000));
        assert_eq!(line.receive(at(0), 1000), Received::At(at(100)));
        assert_eq!(line.receive(at(50), 1000), Received::At(at(200)));
        for turn in 3..=6 {
            assert_eq!(line.receive(at(100), 1000), Received::At(at(turn * 100)));
        }
        assert_eq!(line.receive(at(100), 1000), Received::At(at(700)));
        assert_eq!(line.receive(at(100), 1000), Received::Dropped);
        assert_eq!(line.receive(at(900), 1000), Received::At(at(1000)));
        assert_eq!(Downlink::new(None).receive(at(5), 1000), Received::Now);
    }
}
