//! Small sets of slots and of shards: one bit each, so that duties are computed with a few instructions.

use serde::{Deserialize, Serialize};

/// The most slots, and so shards, that a cluster can have.
pub const MAX_SLOTS: u8 = 64;

/// A set of numbers below [`MAX_SLOTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Set64(pub u64);

/// A set of slots of a cluster.
pub type SlotSet = Set64;

/// A set of shards of a segment.
pub type ShardSet = Set64;

impl Set64 {
    /// The empty set.
    pub const EMPTY: Set64 = Set64(0);

    /// The numbers below `count`.
    pub const fn below(count: u8) -> Set64 {
        if count >= 64 {
            Set64(u64::MAX)
        } else {
            Set64((1 << count) - 1)
        }
    }

    /// The set of one number.
    pub const fn one(item: u8) -> Set64 {
        Set64(1 << (item & 63))
    }

    /// How many there are.
    pub const fn len(self) -> u8 {
        self.0.count_ones() as u8
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `item` is among them.
    pub const fn contains(self, item: u8) -> bool {
        item < 64 && self.0 & (1 << item) != 0
    }

    /// Adds `item`; whether it was new.
    pub const fn insert(&mut self, item: u8) -> bool {
        let new = !self.contains(item);
        self.0 |= Set64::one(item).0;
        new
    }

    /// Takes `item` out; whether it was there.
    pub const fn remove(&mut self, item: u8) -> bool {
        let there = self.contains(item);
        self.0 &= !Set64::one(item).0;
        there
    }

    /// Those in either.
    pub const fn union(self, other: Set64) -> Set64 {
        Set64(self.0 | other.0)
    }

    /// Those in both.
    pub const fn intersection(self, other: Set64) -> Set64 {
        Set64(self.0 & other.0)
    }

    /// Those in `self` and not in `other`.
    pub const fn without(self, other: Set64) -> Set64 {
        Set64(self.0 & !other.0)
    }

    /// The `count` smallest.
    pub const fn lowest(self, count: u8) -> Set64 {
        let mut rest = self.0;
        let mut taken = 0;
        while taken < count && rest != 0 {
            rest &= rest - 1;
            taken += 1;
        }
        Set64(self.0 & !rest)
    }

    /// Each member moved up by `by` on a ring of `n` numbers. Members and `by` are below `n`.
    pub const fn rotate(self, by: u8, n: u8) -> Set64 {
        if by == 0 {
            return self;
        }
        Set64(((self.0 << by) | (self.0 >> (n - by))) & Set64::below(n).0)
    }

    /// The members, smallest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let item = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (item < 64).then_some(item as u8)
        })
    }
}

impl FromIterator<u8> for Set64 {
    fn from_iter<I: IntoIterator<Item = u8>>(items: I) -> Set64 {
        let mut set = Set64::EMPTY;
        for item in items {
            set.insert(item);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rotation_moves_every_member_round_the_ring(bits: u64, n in 1u8..=64, by in 0u8..64) {
            let set = Set64(bits).intersection(Set64::below(n));
            let by = by % n;
            let moved: Set64 = set.iter().map(|item| (item + by) % n).collect();
            prop_assert_eq!(set.rotate(by, n), moved);
        }

        #[test]
        fn lowest_takes_the_smallest(bits: u64, count in 0u8..=64) {
            let taken: Vec<u8> = Set64(bits).lowest(count).iter().collect();
            let expected: Vec<u8> = Set64(bits).iter().take(count.into()).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
