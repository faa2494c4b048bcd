//! W4: a member has its place for the time of a lease, by a clock that is at most as fast as an honest one.

use super::ClusterState;
use crate::{
    agreement::entry::{Act, Reason},
    hash::Domain,
    identity::PeerId,
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a cluster knows of the time, and until when its members may stay, in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leases {
    /// The newest time that each member stated.
    clocks: BTreeMap<PeerId, u64>,
    /// The time that they agree on.
    now: u64,
    until: BTreeMap<PeerId, u64>,
    /// Members whose walk ended here again, so that they get another lease with the next epoch.
    renewed: Vec<PeerId>,
}

impl ClusterState {
    /// What the wall clock showed when the epoch before ended: what `f + 1` members have seen it pass, so that one of them is
    /// honest; 0 before so many said anything.
    pub(super) fn unix_ms(&self) -> u64 {
        let mut stated: Vec<u64> = self.shared.leases.clocks.values().copied().collect();
        stated.sort_unstable_by(|a, b| b.cmp(a));
        let seen = stated.get(self.needed() - 1).copied().unwrap_or(0);
        seen.max(self.shared.leases.now)
    }

    /// What it showed when this epoch began.
    pub(super) fn clock(&self) -> u64 {
        self.shared.leases.now
    }

    /// Whether leases are given here and nothing is known of the time yet.
    pub(super) fn has_no_time(&self) -> bool {
        self.ground.parameters.lease_ms.is_some() && self.shared.leases.now == 0
    }

    /// A member states the time.
    pub(super) fn take_clock(&mut self, by: PeerId, unix_ms: u64) {
        let clock = self.shared.leases.clocks.entry(by).or_default();
        *clock = unix_ms.max(*clock);
    }

    /// Until when a member may stay, in milliseconds since 1970, if its time is limited and has begun.
    pub fn lease_of(&self, member: PeerId) -> Option<u64> {
        self.shared.leases.until.get(&member).copied()
    }

    /// Whether at this time something is overdue that the next epoch settles.
    pub(crate) fn is_overdue(&self, unix_ms: u64) -> bool {
        self.next_overdue().is_some_and(|until| until <= unix_ms)
    }

    /// When the next member has to leave because its lease runs out, the next walk is taken back, or the next term of one who is
    /// barred is over.
    pub(crate) fn next_overdue(&self) -> Option<u64> {
        let until = self.shared.leases.until.iter();
        let until = until.filter(|(peer, _)| !self.shared.leaving.contains(peer));
        let leases = until.map(|(_, until)| *until).min();
        let leases = leases.filter(|_| self.can_spare_one());
        let others = self.next_taken_back().into_iter().chain(self.next_term());
        leases.into_iter().chain(others).min()
    }

    /// A member's walk ended here again.
    pub(super) fn renew(&mut self, member: PeerId) {
        self.shared.leases.renewed.push(member);
    }

    /// An epoch of these members begins: who has no lease gets one, as soon as the time is known. The state is still that of the
    /// epoch before.
    pub(super) fn give_leases(&mut self, members: &[PeerId]) {
        let now = self.unix_ms();
        let leases = &mut self.shared.leases;
        leases.now = now;
        // Else those who left would count among the faulty for ever.
        let stays = |peer: &PeerId| members.binary_search(peer).is_ok();
        leases.clocks.retain(|peer, _| stays(peer));
        let Some(lease) = self.ground.parameters.lease_ms.map(u64::from) else {
            return;
        };
        leases.until.retain(|peer, _| stays(peer));
        for peer in leases.renewed.drain(..) {
            leases.until.remove(&peer);
        }
        if now == 0 {
            return;
        }
        for &member in members {
            // Those who came together do not all leave together.
            let spread = || {
                let hash = Domain::Walk.hash(&[&member.0, &now.to_le_bytes()]);
                u64::from(hash.0[0]) * lease / 512
            };
            leases
                .until
                .entry(member)
                .or_insert_with(|| now + lease - spread());
        }
    }

    /// Whose lease has run out leaves with the next epoch, the first to run out first; but so many stay that the cluster can
    /// go on.
    pub(super) fn end_leases(&mut self, height: Height) {
        let now = self.shared.leases.now;
        let until = self.shared.leases.until.iter();
        let over = until.filter(|(_, until)| **until <= now);
        let mut over: Vec<(u64, PeerId)> = over.map(|(peer, until)| (*until, *peer)).collect();
        over.sort_unstable();
        for (_, peer) in over {
            if self.can_spare_one() && self.shared.leaving.insert(peer) {
                let why = Reason::Lease;
                self.enter(height, Act::Leaves { peer, why });
            }
        }
    }

    /// Whether the cluster has more members than it must, those not counted who leave with this epoch.
    pub(super) fn can_spare_one(&self) -> bool {
        let stay = self.shared.members.len() + self.shared.joining.len();
        stay > self.shared.leaving.len() + usize::from(self.ground.parameters.g_min)
    }
}
