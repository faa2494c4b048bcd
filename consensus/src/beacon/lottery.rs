//! The cheap variant: every member draws a number that it cannot choose, and the first `n − f` that the log orders are the
//! beacon.
//!
//! A draw is a verifiable random function (Micali, Rabin, Vadhan, FOCS 1999) in the manner of RFC 9381, over ristretto255:
//! the member's key times a point that is hashed from round and member. A member can draw one number only, but whoever hears the others'
//! numbers before its own is ordered can hold it back, and whoever orders can choose whom to leave out. So `f` colluders
//! choose among up to `n` over `f` values. Where that does not matter draws take far fewer bytes than dealings.

use super::{
    Impossible, Key, Refused, SecretKey,
    group::{OTHER, Point, Transcript},
    proof::Proof,
};
use crate::{
    hash::Hash,
    member::{MAX_MEMBERS, Member},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A member's number, with the proof that it is the one it had to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    point: Point,
    proof: Proof,
}

/// One beacon made of draws, the same at every member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lottery {
    id: Hash,
    keys: Vec<Key>,
    wanted: usize,
    draws: BTreeMap<Member, Point>,
}

impl Lottery {
    /// The beacon of this name (unique: network, cluster, epoch, purpose) among members with these keys, of whom `faults` may be
    /// silent.
    ///
    /// # Errors
    /// If there are too few or too many members.
    pub fn new(name: Hash, keys: Vec<Key>, faults: usize) -> Result<Lottery, Impossible> {
        if keys.len() > MAX_MEMBERS || keys.len() <= faults {
            return Err(Impossible);
        }
        let id = Transcript::new(b"lottery")
            .with(&name.0)
            .with_number(faults as u64)
            .with_points(keys.iter().map(|key| &key.0))
            .hash();
        Ok(Lottery {
            id,
            wanted: keys.len() - faults,
            keys,
            draws: BTreeMap::new(),
        })
    }

    /// What this member draws.
    pub fn draw(&self, me: Member, secret: &SecretKey) -> Draw {
        let base = self.base(me);
        let point = Point(base.0 * secret.secret);
        let pairs = [(Point(*OTHER), secret.key().0), (base, point)];
        Draw {
            point,
            proof: Proof::new(self.context(), secret.secret, &pairs),
        }
    }

    /// Takes in what the log orders next. `from` has signed it, as the caller has checked.
    ///
    /// # Errors
    /// If it counts for nothing; then nothing has changed.
    pub fn take(&mut self, from: Member, draw: &Draw) -> Result<(), Refused> {
        let key = self
            .keys
            .get(usize::from(from))
            .ok_or(Refused::NotAMember)?;
        if self.draws.len() >= self.wanted {
            return Err(Refused::TooLate);
        }
        if self.draws.contains_key(&from) {
            return Err(Refused::Again);
        }
        let pairs = [(Point(*OTHER), key.0), (self.base(from), draw.point)];
        if !draw.proof.verify(self.context(), &pairs) {
            return Err(Refused::Unproved);
        }
        self.draws.insert(from, draw.point);
        Ok(())
    }

    /// The beacon's value, once `n − f` draws are in the log.
    pub fn value(&self) -> Option<Hash> {
        (self.draws.len() >= self.wanted).then(|| self.mix(&self.draws))
    }

    /// What these draws would give: for who wants to know what can be gained by a choice of them.
    pub fn value_of(&self, draws: &BTreeMap<Member, Draw>) -> Hash {
        let points = draws.iter().map(|(member, draw)| (*member, draw.point));
        self.mix(&points.collect())
    }

    fn mix(&self, draws: &BTreeMap<Member, Point>) -> Hash {
        let all = Transcript::new(b"draws").with(&self.id.0);
        (draws.iter())
            .fold(all, |all, (member, point)| {
                all.with_number((*member).into()).with_points([point])
            })
            .hash()
    }

    fn base(&self, member: Member) -> Point {
        let base = Transcript::new(b"draw")
            .with(&self.id.0)
            .with_number(member.into());
        Point(base.point())
    }

    fn context(&self) -> Transcript {
        Transcript::new(b"drawn").with(&self.id.0)
    }
}
