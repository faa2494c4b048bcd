//! Duty: who owes which shard to whom. Pure functions of a segment, a deal of slots and what the receiver
//! asked for, so that everybody computes the same.
//!
//! * **D1** In segment `s` slot `t` relays shard `(t + rotation(stream, s)) mod n`.
//! * **D2** Of every segment a receiver is owed the `k + extra` lowest shards among those that the source
//!   gave out and whose slots it does not call silent. Whatever it claims, it is owed no more.
//! * **D3** A receiver is owed the list of leaves by the relays of the two lowest such shards among the
//!   first [`LISTS`], which reach their relays together with the list.
//! * **D4** A shard goes from its relay to the holder of the same slot in every neighbouring cluster.

use crate::{
    genesis::{below, generator},
    hash::{Domain, Hash},
    message::Standing,
    set::{Set64, ShardSet},
    view::{SegmentNumber, StreamNumber},
};

/// The shards that travel between clusters together with the list of all leaves.
pub const LISTS: u8 = 6;
/// How many carriers owe a receiver the list of leaves.
pub const CARRIERS: u8 = 2;

/// How far shards are rotated over slots in a segment: below `n`.
///
/// ChaCha12 seeded with BLAKE3 over the network's beacon, the stream's number and the segment's number
/// (both little-endian), one number drawn by multiplication with rejection.
pub fn rotation(beacon: Hash, stream: StreamNumber, segment: SegmentNumber, n: u8) -> u8 {
    let mut random = generator(
        Domain::Rotation,
        &[&beacon.0, &stream.to_le_bytes(), &segment.to_le_bytes()],
    );
    below(&mut random, n.into()) as u8
}

/// The deal of one segment's shards to slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How far shards are rotated over slots.
    pub by: u8,
    /// Slots, and shards.
    pub n: u8,
    /// Shards that restore the segment.
    pub k: u8,
}

impl Rotation {
    /// The slot that relays `shard`.
    pub fn slot(self, shard: u8) -> u8 {
        (shard + self.n - self.by) % self.n
    }

    /// The shard that `slot` relays.
    pub fn shard(self, slot: u8) -> u8 {
        (slot + self.by) % self.n
    }

    /// The shards that these slots relay.
    pub fn shards(self, slots: Set64) -> ShardSet {
        slots.rotate(self.by, self.n)
    }

    /// The shards that the source gave out when it added `parity` to the data.
    pub fn given_out(self, parity: u8) -> ShardSet {
        ShardSet::below(self.k.saturating_add(parity).min(self.n))
    }

    /// The shards that a receiver is owed (D2).
    pub fn owed(self, standing: &Standing, parity: u8) -> ShardSet {
        if standing.idle {
            return ShardSet::EMPTY;
        }
        let expected = self.given_out(parity).without(self.shards(standing.silent));
        expected.lowest(self.k.saturating_add(standing.extra))
    }

    /// The shards whose relays owe a receiver the list of leaves (D3).
    pub fn lists(self, standing: &Standing, parity: u8) -> ShardSet {
        self.owed(standing, parity)
            .intersection(ShardSet::below(LISTS))
            .lowest(CARRIERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rotation_follows_the_written_vectors() {
        let drawn: Vec<u8> = (0..8)
            .map(|segment| rotation(Hash([0; 32]), 0, segment, 32))
            .collect();
        assert_eq!(drawn, [10, 6, 29, 6, 16, 29, 16, 23]);
        let drawn: Vec<u8> = (0..8)
            .map(|segment| rotation(Hash([1; 32]), 3, segment, 24))
            .collect();
        assert_eq!(drawn, [11, 13, 13, 2, 0, 10, 2, 1]);
    }

    proptest! {
        #[test]
        fn no_claim_is_owed_more_than_k_and_the_extra(
            silent: u64, extra in 0u8..=255, by in 0u8..32, parity in 0u8..=16,
        ) {
            let rotation = Rotation { by, n: 32, k: 16 };
            let silent = Set64(silent).intersection(Set64::below(32));
            let standing = Standing { silent, extra, idle: false };
            let owed = rotation.owed(&standing, parity);
            prop_assert!(owed.len() <= 16u8.saturating_add(extra));
            prop_assert!(owed.without(ShardSet::below(16 + parity)).is_empty());
            for shard in owed.iter() {
                prop_assert!(!silent.contains(rotation.slot(shard)));
                prop_assert_eq!(rotation.shard(rotation.slot(shard)), shard);
            }
        }
    }
}
