//! Duty: who owes which shard to whom. Pure functions of a segment, a deal of slots and what the receiver
//! asked for, so that everybody computes the same.
//!
//! * **D1** In segment `s` slot `t` relays shard `(t + rotation(stream, s)) mod n`.
//! * **D2** Of every segment a receiver is owed the `k + extra` lowest shards among those that the source
//!   gave out and whose slots it does not call silent. Whatever it claims, it is owed no more.
//! * **D3** A receiver is owed the list of leaves by the relays of the two lowest such shards among the
//!   first [`LISTS`], which reach their relays together with the list.
//! * **D4** A shard goes from its relay to the holder of the same slot in every neighbouring cluster.
//! * **D5** A receiver whose slots that are not silent hardly suffice is owed the lowest shards of silent
//!   slots as well, as many as it lacks, by their *substitutes*: the holders of the first slots after them
//!   that it does not call silent. Substitutes fetch them from neighbouring clusters.

use crate::{
    genesis::{below, generator},
    hash::{Domain, Hash},
    message::Standing,
    set::{Set64, ShardSet, SlotSet},
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

    /// Whether a receiver is owed this shard (D2).
    pub fn owes(self, standing: &Standing, parity: u8, shard: u8) -> bool {
        let expected = self.given_out(parity).without(self.shards(standing.silent));
        let before = expected.intersection(ShardSet::below(shard)).len();
        !standing.idle && expected.contains(shard) && before < self.k.saturating_add(standing.extra)
    }

    /// The shards of silent slots that a receiver is owed by substitutes (D5).
    pub fn imported(self, standing: &Standing, parity: u8) -> ShardSet {
        if standing.silent.is_empty() {
            return ShardSet::EMPTY;
        }
        let wanted = self.k.saturating_add(standing.extra);
        let lacking = wanted.saturating_sub(self.owed(standing, parity).len());
        let relays = self.n.saturating_sub(standing.silent.len());
        let poor = wanted.saturating_add(spare(self.k)).saturating_sub(relays);
        let missing = lacking.max(poor).min(self.k);
        if standing.idle || missing == 0 {
            return ShardSet::EMPTY;
        }
        self.shards(standing.silent).lowest(missing)
    }

    /// The slots that may stand in for the relay of a shard, in their order: those after the relay's that
    /// are not silent.
    pub fn substitutes(self, shard: u8, silent: SlotSet) -> impl Iterator<Item = u8> {
        let relay = self.slot(shard);
        (1..self.n)
            .map(move |step| (relay + step) % self.n)
            .filter(move |&slot| !silent.contains(slot))
    }

    /// The shards that the holder of `mine` owes a receiver as a substitute (D5).
    pub fn substituted(self, standing: &Standing, parity: u8, mine: SlotSet) -> ShardSet {
        let by_me = |shard: &u8| {
            let first = self.substitutes(*shard, standing.silent).next();
            first.is_some_and(|slot| mine.contains(slot))
        };
        self.imported(standing, parity)
            .iter()
            .filter(by_me)
            .collect()
    }

    /// The shards whose relays owe a receiver the list of leaves (D3).
    pub fn lists(self, standing: &Standing, parity: u8) -> ShardSet {
        self.owed(standing, parity)
            .intersection(ShardSet::below(LISTS))
            .lowest(CARRIERS)
    }
}

/// How many relays beyond those needed a receiver counts on before it is owed the shards of silent ones.
fn spare(k: u8) -> u8 {
    k / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_silent_slots_withhold_is_owed_by_those_after_them() {
        let rotation = Rotation {
            by: 3,
            n: 32,
            k: 16,
        };
        let standing = |silent: u8, extra| Standing {
            silent: SlotSet::below(silent),
            extra,
            idle: false,
        };
        // 19 slots are left of 18 wanted; 17 of 18; 15 of 19.
        assert_eq!(rotation.imported(&standing(13, 0), 16), ShardSet::EMPTY);
        assert_eq!(rotation.imported(&standing(15, 0), 16), Set64::one(3));
        let four: ShardSet = [3, 4, 5, 6].into_iter().collect();
        assert_eq!(rotation.imported(&standing(17, 1), 16), four);
        let all = |slot| rotation.substituted(&standing(17, 1), 16, SlotSet::one(slot));
        assert_eq!((all(17), all(18)), (four, ShardSet::EMPTY));
    }

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
            let imported = rotation.imported(&standing, parity);
            prop_assert!(imported.len() <= 16);
            for shard in imported.iter() {
                prop_assert!(silent.contains(rotation.slot(shard)));
                let owing = (0..32).filter(|&slot| {
                    rotation.substituted(&standing, parity, Set64::one(slot)).contains(shard)
                });
                // Whoever calls everybody silent has nobody to stand in for them.
                prop_assert_eq!(owing.count(), usize::from(silent != Set64::below(32)));
            }
        }
    }
}
