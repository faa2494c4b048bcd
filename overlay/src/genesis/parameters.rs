//! The parameters of a network, and what follows from them.

use super::{GenesisError, Model};
use crate::{set::MAX_SLOTS, wire};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The parameters of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Clusters smaller than this merge.
    pub g_min: u8,
    /// Clusters larger than this split.
    pub g_max: u8,
    /// Hamiltonian cycles over the clusters.
    pub h: u8,
    /// Slots of a cluster, and shards of a segment.
    pub n: u8,
    /// Shards that restore a segment.
    pub k: u8,
    /// How much of a stream one segment holds, in milliseconds.
    pub segment_ms: u16,
    /// How long an epoch of a cluster lasts at least, in milliseconds: what changes it meanwhile comes with the next.
    pub epoch_ms: u32,
    /// How long a member may keep its place until it must walk again, in milliseconds; without it, for ever.
    #[serde(default)]
    pub lease_ms: Option<u32>,
    /// How long a member may be silent until its fellows put it out, in milliseconds; without it, for ever. Where it is set,
    /// fellows also put out members that give too little of what they owe.
    #[serde(default)]
    pub silence_ms: Option<u32>,
    /// How long a key is barred that evidence proves guilty, in milliseconds.
    #[serde(default = "an_hour_ms")]
    pub bar_ms: u32,
    /// What clusters assume of their faulty members, and of the network.
    pub fault_model: Model,
    /// The cap on the sum of all streams' highest rates, in bits per second.
    pub total_bits_per_s: u64,
}

fn an_hour_ms() -> u32 {
    3_600_000
}

impl Parameters {
    /// Parameters that suit a network of this many peers: at least four clusters where that is possible,
    /// of at most 32 members, with two shards sent for each that is needed.
    pub fn for_peers(peers: usize) -> Parameters {
        let g_max = peers.div_ceil(4).clamp(1, 32) as u8;
        let n = g_max * 8u8.div_ceil(g_max);
        Parameters {
            g_min: g_max.div_ceil(2),
            g_max,
            h: if peers > 256 { 3 } else { 2 },
            n,
            k: n / 2,
            segment_ms: 250,
            epoch_ms: 4_000,
            lease_ms: None,
            silence_ms: None,
            bar_ms: an_hour_ms(),
            fault_model: Model::PartialSynchrony,
            total_bits_per_s: 100_000_000,
        }
    }

    /// How much of a stream one segment holds.
    pub fn segment(&self) -> Duration {
        Duration::from_millis(self.segment_ms.into())
    }

    /// How long an epoch of a cluster lasts at least.
    pub fn epoch(&self) -> Duration {
        Duration::from_millis(self.epoch_ms.into())
    }

    /// How long a key is barred that evidence proves guilty.
    pub fn bar(&self) -> Duration {
        Duration::from_millis(self.bar_ms.into())
    }

    /// The largest payload of a segment of a stream of at most this rate, in bytes: what it brings in four
    /// segments' time or two seconds, but at least 64 KiB and at most what shards of a frame's size hold.
    pub fn max_segment_bytes(&self, max_bits_per_s: u64) -> usize {
        let ms = u64::from(self.segment_ms).saturating_mul(4).max(2_000);
        let bytes = (max_bits_per_s / 8).saturating_mul(ms) / 1_000;
        let largest = usize::from(self.k) * (wire::MAX_FRAME_BYTES - wire::MAX_HEAD_BYTES);
        usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .max(64 << 10)
            .min(largest)
    }

    pub(super) fn check(&self) -> Result<(), GenesisError> {
        let wrong = |problem: &'static str| Err(GenesisError::Parameters(problem));
        if self.g_min == 0 || self.g_min > self.g_max {
            return wrong("g_min must be at least 1 and at most g_max");
        }
        if self.n < self.g_max || self.n > MAX_SLOTS {
            return wrong(
                "n must be at least g_max and at most 64, so that every member holds a slot",
            );
        }
        if self.k == 0 || self.k >= self.n {
            return wrong("k must be at least 1 and less than n");
        }
        if self.h == 0 || self.h > 8 {
            return wrong("h must be between 1 and 8");
        }
        if !(50..=5_000).contains(&self.segment_ms) {
            return wrong("segment_ms must be between 50 and 5000");
        }
        if !(200..=3_600_000).contains(&self.epoch_ms) {
            return wrong("epoch_ms must be between 200 and 3600000");
        }
        let shortest = self.epoch_ms.saturating_mul(8);
        if self.lease_ms.is_some_and(|lease| lease < shortest) {
            return wrong("lease_ms must be at least eight times epoch_ms, time enough for a walk");
        }
        let shortest = self.epoch_ms.saturating_mul(2).max(5_000);
        if self.silence_ms.is_some_and(|silence| silence < shortest) {
            return wrong("silence_ms must be at least 5000 and twice epoch_ms: slow is not dead");
        }
        if self.bar_ms < self.epoch_ms.saturating_mul(4) {
            return wrong(
                "bar_ms must be at least four times epoch_ms, time enough to put a member out",
            );
        }
        let sane = Duration::from_millis(10)..=Duration::from_secs(60);
        if (self.fault_model.bound()).is_some_and(|bound| !sane.contains(&bound)) {
            return wrong("bound_ms of fault_model.synchrony must be between 10 and 60000");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_the_largest_segment_fit_a_frame() {
        let parameters = Parameters::for_peers(32);
        assert_eq!(parameters.max_segment_bytes(1_000_000), 250_000);
        let huge = parameters.max_segment_bytes(u64::MAX);
        assert!(huge.div_ceil(parameters.k.into()) + wire::MAX_HEAD_BYTES <= wire::MAX_FRAME_BYTES);
    }
}
