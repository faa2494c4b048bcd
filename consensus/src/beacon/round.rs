//! One beacon: what its members contribute, in the order of the log.

use super::{
    dealing::Dealing,
    group::{Point, Transcript, weights},
    key::{Key, SecretKey},
    share::Share,
};
use crate::{
    hash::Hash,
    member::{MAX_MEMBERS, Member, MemberSet},
    wire::{self, Malformed},
};
use curve25519_dalek::{ristretto::RistrettoPoint, traits::VartimeMultiscalarMul};
use serde::{Deserialize, Serialize};

/// The longest contribution: a dealing to 64 members.
pub const MAX_CONTRIBUTION_BYTES: usize = MAX_MEMBERS * 3 * 33 + 64;

/// What a member puts into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contribution {
    /// B1: a dealt secret.
    Dealing(Dealing),
    /// B3: a share of the sum.
    Share(Share),
}

impl Contribution {
    /// As it stands in the log.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads one. Every point and number in it is valid then.
    ///
    /// # Errors
    /// If these bytes are none, or too many.
    pub fn decode(bytes: &[u8]) -> Result<Contribution, Malformed> {
        if bytes.len() > MAX_CONTRIBUTION_BYTES {
            return Err(Malformed);
        }
        wire::decode(bytes)
    }
}

/// A round that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a beacon wants 1 to 64 members, of whom fewer than half may be faulty")]
pub struct Impossible;

/// Why a contribution changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such member.
    #[error("it is of no member of this round")]
    NotAMember,
    /// The dealings are fixed, or the value is known.
    #[error("it comes too late")]
    TooLate,
    /// The dealings are not fixed.
    #[error("it comes too early: shares are shown when the dealings are fixed")]
    TooEarly,
    /// This member has contributed that already.
    #[error("its member has contributed that already")]
    Again,
    /// It proves nothing.
    #[error("its proof does not hold")]
    Unproved,
}

/// One beacon, the same at every member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    id: Hash,
    keys: Vec<Key>,
    faults: usize,
    dealers: MemberSet,
    /// The sum of what was dealt to each member, encrypted.
    encrypted: Vec<Point>,
    /// The shares of the sum that were shown.
    shares: Vec<(Member, Point)>,
    value: Option<Hash>,
}

impl Round {
    /// The beacon of this name (unique: network, cluster, epoch, purpose) among members with these keys, of whom `faults` may be
    /// Byzantine.
    ///
    /// # Errors
    /// If there are too few or too many members.
    pub fn new(name: Hash, keys: Vec<Key>, faults: usize) -> Result<Round, Impossible> {
        if keys.len() > MAX_MEMBERS || keys.len() <= 2 * faults {
            return Err(Impossible);
        }
        let id = Transcript::new(b"round")
            .with(&name.0)
            .with_number(faults as u64)
            .with_points(keys.iter().map(|key| &key.0))
            .hash();
        Ok(Round {
            id,
            keys,
            faults,
            dealers: MemberSet::EMPTY,
            encrypted: Vec::new(),
            shares: Vec::new(),
            value: None,
        })
    }

    /// What proofs name this round by.
    #[cfg(test)]
    pub(super) fn id(&self) -> Hash {
        self.id
    }

    /// What a member has to put into the log now, if anything. It is the same until something is taken in.
    pub fn contribution(&self, me: Member, secret: &SecretKey) -> Option<Contribution> {
        let key = *self.keys.get(usize::from(me))?;
        if self.value.is_some() || key != secret.key() {
            return None;
        }
        if self.is_fixed() {
            let shown = self.shares.iter().any(|(member, _)| *member == me);
            let encrypted = *self.encrypted.get(usize::from(me))?;
            return (!shown).then(|| Contribution::Share(Share::new(self.id, encrypted, secret)));
        }
        (!self.dealers.contains(me)).then(|| {
            let dealing = Dealing::new(self.id, &self.keys, self.faults, me, secret);
            Contribution::Dealing(dealing)
        })
    }

    /// How many members should deal before this one: those before the `f + 1`st deal at once, the others when it takes too
    /// long, so that honest clusters do not deal more than they need. Likewise for shares.
    pub fn rank(&self, member: Member) -> usize {
        let first = u64::from_le_bytes(self.id.0[..8].try_into().unwrap_or_default());
        let count = self.keys.len() as u64;
        ((u64::from(member) + count - first % count) % count) as usize
    }

    /// Takes in what the log orders next. `from` has signed it, as the caller has checked.
    ///
    /// # Errors
    /// If it counts for nothing; then nothing has changed.
    pub fn take(&mut self, from: Member, contribution: &Contribution) -> Result<(), Refused> {
        let Some(key) = self.keys.get(usize::from(from)).copied() else {
            return Err(Refused::NotAMember);
        };
        match contribution {
            Contribution::Dealing(dealing) => self.take_dealing(from, dealing),
            Contribution::Share(share) => self.take_share(from, key, share),
        }
    }

    /// B2: the first `f + 1` dealings that are sound.
    fn take_dealing(&mut self, from: Member, dealing: &Dealing) -> Result<(), Refused> {
        if self.is_fixed() {
            return Err(Refused::TooLate);
        }
        if self.dealers.contains(from) {
            return Err(Refused::Again);
        }
        if !dealing.verify(self.id, &self.keys, self.faults, from) {
            return Err(Refused::Unproved);
        }
        self.dealers.insert(from);
        if self.encrypted.is_empty() {
            self.encrypted.clone_from(&dealing.shares);
        } else {
            for (sum, share) in self.encrypted.iter_mut().zip(&dealing.shares) {
                sum.0 += share.0;
            }
        }
        Ok(())
    }

    /// B4: the first `f + 1` shares that are sound give the value; any others would give the same.
    fn take_share(&mut self, from: Member, key: Key, share: &Share) -> Result<(), Refused> {
        if !self.is_fixed() {
            return Err(Refused::TooEarly);
        }
        if self.value.is_some() {
            return Err(Refused::TooLate);
        }
        if self.shares.iter().any(|(member, _)| *member == from) {
            return Err(Refused::Again);
        }
        let encrypted = self.encrypted.get(usize::from(from)).copied();
        if !encrypted.is_some_and(|encrypted| share.verify(self.id, encrypted, key)) {
            return Err(Refused::Unproved);
        }
        self.shares.push((from, share.point));
        if self.shares.len() > self.faults {
            let places: Vec<usize> = (self.shares.iter())
                .map(|(member, _)| usize::from(*member))
                .collect();
            let points = self.shares.iter().map(|(_, point)| point.0);
            let secret = RistrettoPoint::vartime_multiscalar_mul(weights(&places), points);
            let value = Transcript::new(b"value")
                .with(&self.id.0)
                .with_points([&Point(secret)]);
            self.value = Some(value.hash());
        }
        Ok(())
    }

    /// Whether the dealings are fixed that the value is made of (B2).
    pub fn is_fixed(&self) -> bool {
        self.dealers.len() > self.faults
    }

    /// Those whose dealings count.
    pub fn dealers(&self) -> MemberSet {
        self.dealers
    }

    /// The beacon's value, once `f + 1` shares are in the log.
    pub fn value(&self) -> Option<Hash> {
        self.value
    }
}
