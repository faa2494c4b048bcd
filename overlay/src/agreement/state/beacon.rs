//! A8: the next epoch's beacon, which nobody can choose.

use super::{ClusterState, Shared};
use crate::{
    agreement::entry::{Answer, Void},
    hash::{Domain, Hash},
    identity::PeerId,
};
use hamlet_consensus::{
    beacon::{Contribution, Key, Refused, Registration, Round, SecretKey},
    member::Member,
};
use serde::{Deserialize, Serialize};

/// A round of the beacon, and its members in their order: those of the cluster whose keys were known when it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drawing {
    members: Vec<PeerId>,
    round: Round,
}

/// What a member is to do for the beacon.
pub(crate) struct Turn {
    /// How many members should contribute before it, beyond those who do at once.
    pub after: usize,
    /// Whether the dealings are fixed.
    pub is_fixed: bool,
}

impl ClusterState {
    /// Whether the key of a member is known.
    pub fn is_registered(&self, member: PeerId) -> bool {
        self.shared.keys.contains_key(&member)
    }

    /// A member shows its key.
    pub(super) fn register(&mut self, by: PeerId, shown: &Registration) -> Result<Answer, Void> {
        let key = shown
            .verify(self.ground.network, by)
            .ok_or(Void::Unproved)?;
        if self.shared.keys.insert(by, key) == Some(key) {
            return Err(Void::Already);
        }
        let all = self
            .shared
            .members
            .iter()
            .all(|member| self.is_registered(*member));
        if all && self.shared.drawing.is_none() {
            self.begin_drawing();
        }
        Ok(Answer::Noted)
    }

    /// Begins the round whose value deals the next epoch's slots, if enough keys are known.
    ///
    /// Honest members had an epoch's time to show theirs, and newcomers show them on their cards. So those who are faulty are
    /// fewer than half of whoever is known, and at most as many as of all.
    pub(super) fn begin_drawing(&mut self) {
        let Shared {
            cluster,
            epoch,
            members,
            keys,
            ..
        } = &self.shared;
        let known = |member: &PeerId| Some((*member, *keys.get(member)?));
        let (known, keys): (Vec<PeerId>, Vec<Key>) = members.iter().filter_map(known).unzip();
        let faults = self
            .ground
            .parameters
            .fault_model
            .kind()
            .faults(members.len());
        let enough = known.len() + faults >= members.len();
        let faults = faults.min(known.len().saturating_sub(1) / 2);
        let name = Domain::Beacon.hash(&[
            &self.ground.network.0,
            &cluster.to_le_bytes(),
            &epoch.to_le_bytes(),
        ]);
        let round = Round::new(name, keys, faults).ok().filter(|_| enough);
        self.shared.drawing = round.map(|round| Drawing {
            members: known,
            round,
        });
    }

    /// A member contributes to it.
    pub(super) fn contribute(&mut self, by: PeerId, what: &Contribution) -> Result<Answer, Void> {
        let drawing = self.shared.drawing.as_mut().ok_or(Void::NoReason)?;
        let place = drawing.place(by).ok_or(Void::Stranger)?;
        match drawing.round.take(place, what) {
            Ok(()) => Ok(Answer::Noted),
            Err(Refused::NotAMember) => Err(Void::Stranger),
            Err(Refused::TooLate | Refused::Again) => Err(Void::Already),
            Err(Refused::TooEarly) => Err(Void::NoReason),
            Err(Refused::Unproved) => Err(Void::Unproved),
        }
    }

    /// When it is a member's turn: never while there is no reason to end the epoch.
    pub(crate) fn beacon_turn(&self, me: PeerId) -> Option<Turn> {
        let drawing = self.shared.drawing.as_ref()?;
        let place = drawing.place(me).filter(|_| self.has_reason_to_end())?;
        let first = self
            .ground
            .parameters
            .fault_model
            .kind()
            .faults(drawing.members.len());
        Some(Turn {
            after: drawing.round.rank(place).saturating_sub(first),
            is_fixed: drawing.round.is_fixed(),
        })
    }

    /// What a member has to put into the log now, if anything. It takes milliseconds to make.
    pub(crate) fn contribution(&self, me: PeerId, secret: &SecretKey) -> Option<Contribution> {
        let drawing = self.shared.drawing.as_ref()?;
        drawing.round.contribution(drawing.place(me)?, secret)
    }

    /// Whether what deals the next epoch's slots is settled, though perhaps not known: then members do not change any more.
    pub(super) fn is_fixed(&self) -> bool {
        let drawing = self.shared.drawing.as_ref();
        drawing.is_some_and(|drawing| drawing.round.is_fixed())
    }

    /// Whether the next epoch's slots can be dealt.
    pub(super) fn can_deal(&self) -> bool {
        let drawing = self.shared.drawing.as_ref();
        drawing.is_none_or(|drawing| drawing.round.value().is_some())
    }

    /// What deals the slots of the next epoch, here or in a cluster that splits off: the round's value; without a round, what follows from the
    /// beacon of this one.
    pub(super) fn next_beacon(&self, cluster: u64) -> Hash {
        let drawing = self.shared.drawing.as_ref();
        let value = drawing.and_then(|drawing| drawing.round.value());
        Domain::Beacon.hash(&[
            &value.unwrap_or(self.shared.beacon).0,
            &cluster.to_le_bytes(),
            &self.shared.epoch.saturating_add(1).to_le_bytes(),
        ])
    }
}

impl Drawing {
    fn place(&self, peer: PeerId) -> Option<Member> {
        let place = self.members.iter().position(|member| *member == peer)?;
        Member::try_from(place).ok()
    }
}
