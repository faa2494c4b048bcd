//! Playing a transport stream again from its beginning as if it had never ended.
//!
//! Every round is moved later by the length of the rounds before, and continuity counters go on counting.
//! The length is measured while the first round plays: from the first to the last decoding time of the
//! pictures (or of the sound, if there are none), and one frame more.

use crate::ts::{
    packet::{PTS_HZ, PTS_WRAP, Packet, SplitHeader},
    tables::Tables,
};
use std::collections::BTreeMap;

/// A larger step between two frames is a jump, not time.
const STEP_MAX: u64 = 10 * PTS_HZ;

/// A stream that cannot be joined to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoopError {
    /// A timestamp cannot be changed in place.
    #[error(transparent)]
    Split(#[from] SplitHeader),
    /// No two frames carry decoding times.
    #[error("it has no two frames with timestamps, so its length is unknown")]
    NoLength,
}

/// Moves the packets of each round to where the round before ended.
#[derive(Default)]
pub struct Joiner {
    tables: Tables,
    /// By how much this round is moved, in 90 kHz ticks.
    delay: u64,
    length: Length,
    counters: BTreeMap<u16, Counter>,
}

/// How long a round is, in 90 kHz ticks.
#[derive(Default)]
struct Length {
    /// The PID that is measured.
    pid: Option<u16>,
    last: Option<u64>,
    sum: u64,
    /// The last step between two frames: how long the last frame stays.
    step: u64,
}

impl Length {
    fn observe(&mut self, dts: u64) {
        let step = self
            .last
            .map(|last| (dts + PTS_WRAP - last) % PTS_WRAP)
            .filter(|&step| step <= STEP_MAX);
        self.last = Some(dts);
        if let Some(step) = step {
            self.sum += step;
            self.step = step;
        }
    }
}

struct Counter {
    moved: u8,
    /// What the last packet that went out had.
    last: u8,
    /// Whether it has been seen in this round.
    seen: bool,
}

impl Joiner {
    /// The packet as it goes out in this round.
    pub fn pass(&mut self, mut packet: Packet) -> Result<Packet, LoopError> {
        self.tables.observe(&packet);
        self.measure(&packet);
        if self.delay > 0 {
            packet.delay(self.delay)?;
        }
        let counter = self.counters.entry(packet.pid()).or_insert(Counter {
            moved: 0,
            last: 0,
            seen: true,
        });
        if !std::mem::replace(&mut counter.seen, true) {
            let next = counter.last.wrapping_add(packet.counts().into());
            counter.moved = next.wrapping_sub(packet.continuity());
        }
        packet.set_continuity(packet.continuity().wrapping_add(counter.moved));
        counter.last = packet.continuity();
        Ok(packet)
    }

    fn measure(&mut self, packet: &Packet) {
        let main = self.tables.main_pid();
        if main.is_some() && self.length.pid != main {
            self.length = Length {
                pid: main,
                ..Length::default()
            };
        }
        if self.length.pid == Some(packet.pid())
            && let Some(at) = packet.timestamps()
        {
            self.length.observe(at.dts);
        }
    }

    /// Begins the next round.
    pub fn rewind(&mut self) -> Result<(), LoopError> {
        let length = std::mem::take(&mut self.length);
        if length.step == 0 {
            return Err(LoopError::NoLength);
        }
        self.delay = (self.delay + length.sum + length.step) % PTS_WRAP;
        for counter in self.counters.values_mut() {
            counter.seen = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{
        clock::{Clock, Step},
        fixtures,
        framing::{Framer, Item},
        packet::{PCR_WRAP, Timestamps},
    };
    use std::time::Duration;

    fn packets(bytes: &[u8]) -> Vec<Packet> {
        let mut framer = Framer::default();
        framer.push(bytes);
        framer.end();
        std::iter::from_fn(|| framer.next_item().unwrap())
            .filter_map(|item| match item {
                Item::Packet(packet) => Some(packet),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_clip_joins_itself_without_a_seam() {
        let clip = packets(crate::ingest::CLIP);
        let (mut joiner, mut clock) = (Joiner::default(), Clock::default());
        let mut counters = BTreeMap::<u16, u8>::new();
        let mut decoded = BTreeMap::<u16, u64>::new();
        let rounds = 30;
        for _ in 0..rounds {
            for packet in &clip {
                let packet = joiner.pass(packet.clone()).unwrap();
                let pid = packet.pid();
                if let Some(last) = counters.insert(pid, packet.continuity()) {
                    assert_eq!(packet.continuity(), (last + u8::from(packet.counts())) & 15);
                }
                if let Some(pcr) = packet.pcr()
                    && let Step::Passed(step) = clock.observe(pcr, packet.is_discontinuity())
                {
                    assert!(
                        step > Duration::ZERO && step <= Duration::from_millis(100),
                        "{step:?}"
                    );
                }
                if let Some(Timestamps { dts, .. }) = packet.timestamps()
                    && let Some(last) = decoded.insert(pid, dts)
                {
                    // A picture lasts 3000 ticks; a PES packet of sound holds several frames of 1920.
                    let step = (dts + PTS_WRAP - last) % PTS_WRAP;
                    let whole = if pid == fixtures::VIDEO_PID {
                        3000
                    } else {
                        1920
                    };
                    assert!(
                        step > 0 && step < 90_000 && step.is_multiple_of(whole),
                        "{pid:#x}: {step}"
                    );
                }
            }
            joiner.rewind().unwrap();
        }
        assert!(clock.elapsed() > Duration::from_millis(rounds * 8_000 - 100));
    }

    #[test]
    fn rounds_go_on_over_the_wrap() {
        let frame = |number: u64| {
            let dts = (PTS_WRAP - 9000 + number * 3000) % PTS_WRAP;
            fixtures::video(
                number as u8 & 15,
                Some(dts * 300 % PCR_WRAP),
                Timestamps { pts: dts, dts },
                true,
            )
        };
        let mut joiner = Joiner::default();
        let mut last = None;
        for _ in 0..5 {
            for packet in [fixtures::pat(0), fixtures::pmt(0)]
                .into_iter()
                .chain((0..7).map(frame))
            {
                let packet = joiner.pass(packet).unwrap();
                if let Some(at) = packet.timestamps() {
                    let expected = last.map_or(at.dts, |last| (last + 3000) % PTS_WRAP);
                    assert_eq!(at.dts, expected);
                    assert_eq!(packet.pcr(), Some(expected * 300));
                    last = Some(at.dts);
                }
            }
            joiner.rewind().unwrap();
        }
    }

    #[test]
    fn a_stream_without_frames_has_no_length() {
        let mut joiner = Joiner::default();
        joiner.pass(fixtures::pat(0)).unwrap();
        assert_eq!(joiner.rewind(), Err(LoopError::NoLength));
    }
}
