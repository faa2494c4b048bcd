//! W11: members that give most of the others too little of what they owe are put out.

use super::ClusterState;
use crate::{
    agreement::entry::{Act, Answer, Reason, Void},
    identity::PeerId,
    push::REMEMBERED,
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who gives fewer of the shards remembered gives too little: a quarter.
const ENOUGH: u8 = REMEMBERED / 4;

/// How many of the last shards that others owed it they gave, as each member stated last; who gave all is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Giving(BTreeMap<PeerId, BTreeMap<PeerId, u8>>);

/// Whether so many of the last [`REMEMBERED`] shards are too few.
pub(crate) fn gives_too_little(given: u8) -> bool {
    given < ENOUGH
}

impl ClusterState {
    /// How many of the last [`REMEMBERED`] shards that a fellow owed this member it gave, as the member said last.
    pub fn given_to(&self, member: PeerId, fellow: PeerId) -> u8 {
        let stated = self.shared.giving.0.get(&member);
        let given = stated.and_then(|stated| stated.get(&fellow));
        given.copied().unwrap_or(REMEMBERED)
    }

    /// The median of what the fellows of a member say that it gave them of the last [`REMEMBERED`] shards that it owed. Of two
    /// in the middle it is the larger: so it takes more than half of the fellows to make it too little, and whenever more than half
    /// of the cluster are honest that is what honest fellows say.
    pub fn median_given_by(&self, member: PeerId) -> u8 {
        let fellows = self.members().iter().filter(|peer| **peer != member);
        let mut given: Vec<u8> = fellows.map(|peer| self.given_to(*peer, member)).collect();
        given.sort_unstable();
        given.get(given.len() / 2).copied().unwrap_or(REMEMBERED)
    }

    /// A member states what it was given; what it stated before does not hold any more.
    pub(super) fn hear_of_giving(
        &mut self,
        height: Height,
        by: PeerId,
        given: &[u8],
    ) -> Result<Answer, Void> {
        let members = self.shared.members.iter().copied();
        if given.len() != members.len() {
            return Err(Void::TooLong);
        }
        let given = members.zip(given.iter().copied());
        let some = given.filter(|(peer, given)| *peer != by && *given < REMEMBERED);
        let some: BTreeMap<PeerId, u8> = some.collect();
        let stated = &mut self.shared.giving.0;
        let before = match some.is_empty() {
            true => stated.remove(&by).unwrap_or_default(),
            false => stated.insert(by, some.clone()).unwrap_or_default(),
        };
        if before == some {
            return Err(Void::Already);
        }
        self.put_out_withholding(height);
        Ok(Answer::Noted)
    }

    /// Puts out with the next epoch those who give most of their fellows too little, who give least first; but so many stay that
    /// the cluster can go on.
    pub(super) fn put_out_withholding(&mut self, height: Height) {
        // Else who orders the log could choose the members by what their slots are going to be.
        if self.is_fixed() {
            return;
        }
        let members = self.shared.members.iter();
        let given = members.map(|peer| (self.median_given_by(*peer), *peer));
        let mut too_little: Vec<(u8, PeerId)> = given
            .filter(|(given, _)| gives_too_little(*given))
            .collect();
        too_little.sort_unstable();
        for (_, peer) in too_little {
            if self.can_spare_one() && self.shared.leaving.insert(peer) {
                let why = Reason::Withheld;
                self.enter(height, Act::Leaves { peer, why });
            }
        }
    }

    /// An epoch of other members has begun: what is said by those who left, and of them, is forgotten.
    pub(super) fn forget_giving(&mut self) {
        let members = &self.shared.members;
        let is_member = |peer: &PeerId| members.binary_search(peer).is_ok();
        self.shared.giving.0.retain(|by, stated| {
            stated.retain(|peer, _| is_member(peer));
            is_member(by) && !stated.is_empty()
        });
    }
}
