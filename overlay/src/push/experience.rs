//! What a receiver knows of its givers, for whatever deal a segment is governed by: experience is kept by the slots of the
//! newest deal, and follows their holders into others.

use super::Stream;
use crate::{core::Core, links::Deal, message::Standing, set::SlotSet};
use std::sync::Arc;

impl Stream {
    /// The slot under which the holder of a slot of this deal is known now, if it still holds any.
    pub(super) fn slot_now(core: &Core, deal: &Deal, slot: u8) -> Option<u8> {
        if deals_alike(core, deal) {
            return Some(slot);
        }
        core.newest().slot_held_by(deal.holder(slot)?)
    }

    /// These slots of the newest deal, in this one.
    fn translate(&self, core: &Core, deal: &Deal, slots: SlotSet) -> SlotSet {
        if deals_alike(core, deal) {
            return slots;
        }
        let held =
            |slot: &u8| Stream::slot_now(core, deal, *slot).is_some_and(|now| slots.contains(now));
        (0..self.n).filter(held).collect()
    }

    /// The slots called silent.
    pub(super) fn silent_slots(&self, core: &Core, deal: &Deal) -> SlotSet {
        self.translate(core, deal, self.givers.silent())
    }

    /// The slots on trial.
    pub(super) fn slots_on_trial(&self, core: &Core, deal: &Deal) -> SlotSet {
        self.translate(core, deal, self.givers.on_trial())
    }

    /// Whether the holder of a slot gave something within memory.
    pub(super) fn is_proven(&self, core: &Core, deal: &Deal, slot: u8) -> bool {
        let now = Stream::slot_now(core, deal, slot);
        now.is_some_and(|slot| self.givers.proven(slot, core.now))
    }

    /// What fellows were told to send of segments that this deal governs, as far as anything was.
    pub(super) fn told_of(&self, deal: &Deal) -> Option<Standing> {
        let own = deal.epoch.own.name();
        let told = self
            .told
            .filter(|told| told.epoch == own)
            .map(|told| told.standing);
        let before = self.told_before.filter(|(epoch, _)| *epoch == own);
        told.or(before.map(|(_, standing)| standing))
    }
}

/// Whether the slots of the own cluster are those of the newest deal: nearly always that is this deal itself.
fn deals_alike(core: &Core, deal: &Deal) -> bool {
    let newest = core.newest();
    std::ptr::eq(&**newest, deal) || Arc::ptr_eq(&newest.epoch.own, &deal.epoch.own)
}
