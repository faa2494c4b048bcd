//! One cluster in one epoch, and how its slots are dealt.

use crate::{
    genesis::{generator, shuffle},
    hash::{Domain, Hash},
    identity::PeerId,
    set::{MAX_SLOTS, SlotSet},
};

/// One cluster in one epoch: its members, and the slots that its beacon dealt to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's number.
    pub id: u64,
    /// The epoch of its membership.
    pub epoch: u64,
    /// The beacon that dealt its slots.
    pub beacon: Hash,
    members: Vec<PeerId>,
    /// Per slot, the place of its holder among the members.
    slots: Vec<u8>,
}

/// An epoch of a cluster: their numbers.
pub type EpochName = (u64, u64);

impl Cluster {
    /// Which epoch of which cluster this is.
    pub fn name(&self) -> EpochName {
        (self.id, self.epoch)
    }

    /// Deals the `n` slots of a cluster to its members by its beacon: every member holds one before any
    /// holds a second.
    pub fn deal(id: u64, epoch: u64, mut members: Vec<PeerId>, beacon: Hash, n: u8) -> Cluster {
        members.sort_unstable();
        members.dedup();
        members.truncate(MAX_SLOTS.into());
        let mut order: Vec<u8> = (0..members.len() as u8).collect();
        let mut random = generator(
            Domain::Slots,
            &[&beacon.0, &id.to_le_bytes(), &epoch.to_le_bytes()],
        );
        shuffle(&mut order, &mut random);
        let slots = order.iter().copied().cycle().take(n.into()).collect();
        Cluster {
            id,
            epoch,
            beacon,
            members,
            slots,
        }
    }

    /// The members, in ascending order of their keys.
    pub fn members(&self) -> &[PeerId] {
        &self.members
    }

    /// The place of `peer` among the members.
    pub fn place(&self, peer: PeerId) -> Option<usize> {
        self.members.binary_search(&peer).ok()
    }

    /// Who holds `slot`.
    pub fn holder(&self, slot: u8) -> PeerId {
        self.members[usize::from(self.slots[usize::from(slot)])]
    }

    /// The slots that `peer` holds.
    pub fn slots_of(&self, peer: PeerId) -> SlotSet {
        let Some(place) = self.place(peer) else {
            return SlotSet::EMPTY;
        };
        (0..self.slots.len() as u8)
            .filter(|&slot| usize::from(self.slots[usize::from(slot)]) == place)
            .collect()
    }
}
