//! W3, W7: those whose walks end here, until they have their places, and those who are served meanwhile.

use super::{ClusterState, walking::Waiting};
use crate::{
    agreement::{
        card::Card,
        entry::{Act, Answer, Void},
        order::Claim,
    },
    identity::PeerId,
    membership::walk::Walk,
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};

/// For so many epochs after the one in which a walk ended the place may be claimed.
const OFFERED: u64 = 4;
/// The most guests that a cluster serves.
const MAX_GUESTS: usize = 16;

/// A place that a walk has led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    card: Card,
    /// The last epoch in which it may be claimed.
    until: u64,
    /// Whether it is.
    claimed: bool,
}

impl Offer {
    /// Whether it holds in this epoch.
    pub fn holds(&self, epoch: u64) -> bool {
        self.claimed || epoch <= self.until
    }
}

impl ClusterState {
    /// W3: a walk ends here: its peer is offered a place, or the walk goes on if there is no room. A member stays.
    pub(super) fn arrive(&mut self, height: Height, mut walk: Walk) {
        let peer = walk.card.peer;
        self.note_credential(peer, walk.credential);
        if self.is_member(peer) && self.give_place(walk.card.clone()) {
            self.shared.walks.askers.remove(&peer);
            self.enter(height, Act::Arrived { peer });
            return;
        }
        let offered = self.shared.walks.offered.len();
        if self.has_room_for(offered + 1) {
            let offer = Offer {
                card: walk.card,
                until: self.shared.epoch + OFFERED,
                claimed: false,
            };
            self.shared.walks.offered.insert(peer, offer);
        } else {
            self.shared.crowded = true;
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
        if self.is_barred(claim.peer) {
            return Err(Void::Barred);
        }
        let offer = self.shared.walks.offered.get_mut(&claim.peer);
        let offer = offer.ok_or(Void::NoPlace)?;
        if offer.claimed {
            return Err(Void::Already);
        }
        let (network, verifier) = (self.ground.network, &*self.ground.verifier);
        if !claim.is_signed(network, self.shared.cluster, verifier) {
            return Err(Void::Stranger);
        }
        offer.claimed = true;
        self.settle_claims(height);
        Ok(Answer::Noted)
    }

    /// Gives places to those who claimed theirs, unless members do not change any more; then with the epoch after the next.
    pub(super) fn settle_claims(&mut self, height: Height) {
        if self.is_fixed() {
            return;
        }
        let offered = self.shared.walks.offered.iter();
        let claimed = offered.filter(|(_, offer)| offer.claimed);
        for peer in claimed.map(|(peer, _)| *peer).collect::<Vec<PeerId>>() {
            let offer = self.shared.walks.offered.remove(&peer);
            if offer.is_some_and(|offer| self.give_place(offer.card)) {
                self.shared.walks.askers.remove(&peer);
                self.enter(height, Act::Arrived { peer });
            }
        }
    }

    /// Those who are offered a place and have not claimed it.
    pub fn offered(&self) -> impl Iterator<Item = PeerId> {
        let offered = self.shared.walks.offered.iter();
        let open = offered.filter(|(_, offer)| !offer.claimed);
        open.map(|(peer, _)| *peer)
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
