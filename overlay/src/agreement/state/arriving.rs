//! W3, W7: those whose walks end here, until they have their places, and those who are served meanwhile.

use super::{ClusterState, walking::Waiting};
use crate::{
    agreement::{
        entry::{Act, Answer, Void},
        order::Claim,
    },
    identity::PeerId,
    membership::walk::Walk,
};
use hamlet_consensus::epoch::Height;

/// For so many epochs after the one in which a walk ended the place may be claimed.
const OFFERED: u64 = 4;
/// The most guests that a cluster serves.
const MAX_GUESTS: usize = 16;

impl ClusterState {
    /// W3: a walk ends here: its peer is offered a place, or the walk goes on if there is no room. A member stays.
    pub(super) fn arrive(&mut self, height: Height, mut walk: Walk) {
        let peer = walk.card.peer;
        if self.is_member(peer) && self.give_place(walk.card.clone()) {
            self.shared.walks.askers.remove(&peer);
            self.enter(height, Act::Arrived { peer });
            return;
        }
        let offered = self.shared.walks.offered.len();
        if self.has_room_for(offered + 1) {
            let until = self.shared.epoch + OFFERED;
            let card = walk.card;
            self.shared.walks.offered.insert(peer, (card, until));
        } else {
            walk.left = 1;
            self.shared.walks.here.push(Waiting {
                walk,
                in_time: true,
            });
        }
    }

    /// A peer claims the place that it was offered. Who died on the way never does, so clusters do not fill with the dead.
    pub(super) fn claim(&mut self, height: Height, claim: &Claim) -> Result<Answer, Void> {
        let epoch = self.shared.epoch;
        if claim.epoch != epoch && claim.epoch.checked_add(1) != Some(epoch) {
            return Err(Void::Stale);
        }
        if self.is_fixed() {
            return Err(Void::Busy);
        }
        let peer = claim.peer;
        let offered = self.shared.walks.offered.get(&peer);
        let (card, _) = offered.cloned().ok_or(Void::NoPlace)?;
        let (network, verifier) = (self.ground.network, &*self.ground.verifier);
        if !claim.is_signed(network, self.shared.cluster, verifier) {
            return Err(Void::Stranger);
        }
        self.shared.walks.offered.remove(&peer);
        if !self.give_place(card) {
            return Err(Void::Full);
        }
        self.shared.walks.askers.remove(&peer);
        Ok(self.enter(height, Act::Arrived { peer }))
    }

    /// Those who are offered a place.
    pub fn offered(&self) -> impl Iterator<Item = PeerId> {
        self.shared.walks.offered.keys().copied()
    }

    /// Who has no place here and asked for a walk lately, or comes with the next epoch: at most so many as can be served.
    pub fn guests(&self) -> impl Iterator<Item = PeerId> {
        let (walks, joining) = (&self.shared.walks, &self.shared.joining);
        let askers = &walks.askers;
        let coming = walks.offered.keys().chain(joining.keys());
        let coming = coming.filter(|peer| !askers.contains_key(peer));
        let outside = |peer: &PeerId| !self.is_member(*peer);
        let guests = askers.keys().chain(coming).copied();
        guests.filter(outside).take(MAX_GUESTS)
    }
}
