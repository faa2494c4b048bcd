//! Members by their position in the epoch's list, and sets of them: one bit each.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The most members that an epoch can have.
pub const MAX_MEMBERS: usize = 64;

/// A member: its position in the epoch's list, below [`MAX_MEMBERS`].
pub type Member = u8;

/// A set of members.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberSet(u64);

impl MemberSet {
    /// Nobody.
    pub const EMPTY: MemberSet = MemberSet(0);

    /// The members below `count`.
    pub const fn below(count: usize) -> MemberSet {
        if count >= MAX_MEMBERS {
            MemberSet(u64::MAX)
        } else {
            MemberSet((1 << count) - 1)
        }
    }

    /// One member alone.
    pub const fn one(member: Member) -> MemberSet {
        MemberSet(if member < 64 { 1 << member } else { 0 })
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `member` is among them.
    pub const fn contains(self, member: Member) -> bool {
        self.0 & MemberSet::one(member).0 != 0
    }

    /// Adds `member`; whether it was new.
    pub const fn insert(&mut self, member: Member) -> bool {
        let new = !self.contains(member);
        self.0 |= MemberSet::one(member).0;
        new
    }

    /// Takes `member` out.
    pub const fn remove(&mut self, member: Member) {
        self.0 &= !MemberSet::one(member).0;
    }

    /// Those in either.
    pub const fn union(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 | other.0)
    }

    /// Those in both.
    pub const fn intersection(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & other.0)
    }

    /// Those in `self` and not in `other`.
    pub const fn without(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & !other.0)
    }

    /// The `count` smallest.
    pub const fn lowest(self, count: usize) -> MemberSet {
        let mut rest = self.0;
        let mut taken = 0;
        while taken < count && rest != 0 {
            rest &= rest - 1;
            taken += 1;
        }
        MemberSet(self.0 & !rest)
    }

    /// The members, smallest first.
    pub fn iter(self) -> impl Iterator<Item = Member> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let member = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (member < 64).then_some(member as Member)
        })
    }
}

impl FromIterator<Member> for MemberSet {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> MemberSet {
        let mut set = MemberSet::EMPTY;
        for member in members {
            set.insert(member);
        }
        set
    }
}

impl fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
