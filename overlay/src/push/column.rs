//! Columns: equal slots of neighbouring clusters, along which a shard travels (D4).
//!
//! A flood would bring each shard to a slot's holder from nearly every neighbour. So holders prune it to a
//! tree, as Plumtree does for broadcasts (Leitão, Pereira, Rodrigues, SRDS 2007), per stream and slot:
//!
//! * **C1** Whoever gets a shard a second time tells the later sender to be *lazy* on that slot: to
//!   announce shards from then on instead of sending them.
//! * **C2** Whoever is announced a shard that does not come soon asks the announcer for it and makes it
//!   eager again.
//!
//! The tree follows the fastest paths by itself, and a neighbour that never gives is never relied on.

use super::{Stream, segment::Ask};
use crate::{
    core::Core,
    io::Refusal,
    links::LinkId,
    message::Notice,
    set::{Set64, SlotSet},
    view::SegmentNumber,
};

/// The most announcements of one shard that are remembered.
const OFFERS_MAX: usize = 3;

impl Stream {
    /// Tells a neighbour to be lazy on a slot: its shard came when another had brought it (C1).
    pub(super) fn prune(&mut self, core: &mut Core, from: LinkId, slot: u8) {
        if core.links.peer(from) != self.source && self.link(from).told_lazy.insert(slot) {
            core.notify(
                from,
                Notice::Lazy {
                    stream: self.number,
                    slots: Set64::one(slot),
                },
            );
        }
    }

    pub fn on_lazy(&mut self, from: LinkId, slots: SlotSet) {
        let lazy = &mut self.link(from).lazy;
        *lazy = lazy.union(slots);
    }

    pub fn on_eager(&mut self, from: LinkId, slots: SlotSet) {
        let lazy = &mut self.link(from).lazy;
        *lazy = lazy.without(slots);
    }

    /// Sends a shard to the eager of these neighbours and announces it to the lazy ones.
    pub(super) fn split_lazy(
        &mut self,
        core: &mut Core,
        number: SegmentNumber,
        shard: u8,
        slot: u8,
        to: &[LinkId],
    ) -> Vec<LinkId> {
        let (lazy, eager): (Vec<LinkId>, Vec<LinkId>) = to.iter().partition(|&&link| {
            self.links
                .get(link)
                .is_some_and(|state| state.lazy.contains(slot))
        });
        let Some(segment) = self.window.get_mut(&number) else {
            return eager;
        };
        for link in lazy {
            if !segment.has(link).contains(shard) && segment.exchange(link).told.insert(shard) {
                core.notify(
                    link,
                    Notice::Have {
                        stream: self.number,
                        segment: number,
                        shard,
                    },
                );
            }
        }
        eager
    }

    pub fn on_have(
        &mut self,
        core: &mut Core,
        from: LinkId,
        number: SegmentNumber,
        shard: u8,
    ) -> Result<(), Refusal> {
        self.check_window(number)?;
        let (rotation, deal) = self.plan(core, number);
        let slot = rotation.slot(shard % self.n);
        if shard >= self.n || !deal.relays(from, slot) {
            return Err(Refusal::NotOwed);
        }
        let soon = core.now + self.answer.timeout() / 4;
        let segment = self.segment(core, number);
        segment.has_mut(from).insert(shard);
        if !segment.gave.contains(slot) {
            let offers = segment.offers.entry(shard).or_default();
            if offers.len() < OFFERS_MAX && !offers.contains(&from) {
                offers.push(from);
            }
            let at = *segment.graft_at.get_or_insert(soon);
            self.wake_at(at);
        }
        Ok(())
    }

    /// Asks for shards that were announced and did not come (C2).
    pub(super) fn graft(&mut self, core: &mut Core, number: SegmentNumber) {
        let now = core.now;
        let overdue = now + self.answer.timeout();
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        match segment.graft_at {
            Some(at) if at <= now => segment.graft_at = None,
            Some(at) => return self.wake_at(at),
            None => return,
        }
        let (rotation, gave, have) = (segment.rotation, segment.gave, segment.have);
        segment
            .offers
            .retain(|&shard, offers| !gave.contains(rotation.slot(shard)) && !offers.is_empty());
        let mut asked = Vec::new();
        for (&shard, offers) in &mut segment.offers {
            if segment
                .asks
                .get(&shard)
                .is_none_or(|ask| ask.overdue <= now)
            {
                asked.push((shard, offers.remove(0)));
            }
        }
        let again = !segment.offers.is_empty();
        for &(shard, of) in asked.iter().filter(|(shard, _)| !have.contains(*shard)) {
            segment.asks.insert(
                shard,
                Ask {
                    of,
                    at: now,
                    overdue,
                },
            );
            segment.exchange(of).asked.insert(shard);
        }
        if again {
            segment.graft_at = Some(overdue);
        }
        for (shard, of) in asked {
            let (stream, slots) = (self.number, Set64::one(rotation.slot(shard)));
            let told = &mut self.link(of).told_lazy;
            *told = told.without(slots);
            core.notify(of, Notice::Eager { stream, slots });
            // A shard that was restored meanwhile is not needed, but the column is to be mended.
            if !have.contains(shard) {
                let shards = Set64::one(shard);
                core.notify(
                    of,
                    Notice::Want {
                        stream,
                        segment: number,
                        shards,
                        digest: false,
                    },
                );
            }
        }
        if again {
            self.wake_at(overdue);
        }
    }
}
