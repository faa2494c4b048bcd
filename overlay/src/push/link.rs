//! What is known of each link with regard to a stream, and how much it may ask for (P6).

use super::{Stream, account::Account};
use crate::{
    core::Core,
    links::LinkId,
    message::Standing,
    set::{ShardSet, SlotSet},
    time::Time,
    view::{EpochName, SegmentNumber, View},
};

/// How many segments a newcomer may ask all its fellows for together.
const FIRST_SEGMENTS: u16 = 6;

/// What is known of a link with regard to a stream.
#[derive(Clone, Copy)]
pub(super) struct LinkState {
    /// How many shards it may still ask for.
    pub allowance: u16,
    /// What it asked for of a segment that was not there yet.
    pub early: Option<(SegmentNumber, ShardSet)>,
    /// Whether it ever gave a shard that was verified.
    pub gave: bool,
    /// Requests to it that went unanswered since it last answered.
    pub unanswered: u8,
    /// Slots on which it wants shards announced instead of sent, and those on which we told it so.
    pub lazy: SlotSet,
    pub told_lazy: SlotSet,
    /// When it may ask for the past again.
    pub join_after: Time,
    /// What it owed as a fellow, and gave (G7).
    pub account: Account,
}

/// What a link wants, for the two epochs that it named last.
pub(super) type Wants = [Option<(EpochName, Standing)>; 2];

impl LinkState {
    /// Of a link of which nothing is known.
    fn new(allowance: u16) -> LinkState {
        LinkState {
            allowance,
            early: None,
            gave: false,
            unanswered: 0,
            lazy: SlotSet::EMPTY,
            told_lazy: SlotSet::EMPTY,
            join_after: Time::ZERO,
            account: Account::default(),
        }
    }

    fn refill(&mut self, more: u16, cap: u16) {
        self.allowance = self.allowance.max(cap.min(self.allowance + more));
    }
}

impl Stream {
    pub(super) fn link(&mut self, link: LinkId) -> &mut LinkState {
        if self.links.len() <= link {
            let new = LinkState::new(self.first_allowance);
            self.links.resize(link + 1, new);
        }
        &mut self.links[link]
    }

    pub(super) fn wants(&mut self, link: LinkId) -> &mut Wants {
        if self.wants.len() <= link {
            self.wants.resize(link + 1, [None; 2]);
        }
        &mut self.wants[link]
    }

    /// The number of a link is that of another peer now.
    pub fn forget_link(&mut self, link: LinkId) {
        if let Some(state) = self.links.get_mut(link) {
            *state = LinkState::new(self.first_allowance);
        }
        *self.wants(link) = [None; 2];
        self.distrusted.remove(link);
        for (_, segment) in self.window.range_mut(..SegmentNumber::MAX) {
            segment.forget_link(link);
        }
    }

    pub fn link_changed(&mut self, core: &mut Core, link: LinkId, connected: bool) {
        *self.wants(link) = [None; 2];
        let state = self.link(link);
        state.unanswered = 0;
        (state.lazy, state.told_lazy) = (SlotSet::EMPTY, SlotSet::EMPTY);
        let deal = core.newest_deal();
        if !deal.fellows.contains(&link) {
            return;
        }
        if connected && !self.distrusts(link) {
            self.givers.forget(deal.slots_of(link));
            if let Some(told) = self.told {
                core.notify(link, self.standing_notice(core, told.standing));
            }
            self.join(core, link);
        }
        self.tell_standing(core);
    }

    /// Whether a link gave something false of this stream.
    pub fn distrusts(&self, link: LinkId) -> bool {
        self.distrusted.contains(link)
    }

    /// Whether there is any use in asking a link.
    pub(super) fn may_ask(&self, core: &Core, link: LinkId) -> bool {
        core.links.connected(link) && !self.distrusts(link)
    }

    /// Has no dealings with a link any more in this stream: it gave what contradicts the source's signature, and
    /// nobody honest hands on what he has not checked (G6).
    pub fn distrust(&mut self, core: &mut Core, link: LinkId) {
        if !self.distrusted.insert(link) {
            return;
        }
        self.givers.distrust(core.newest_deal().slots_of(link));
        let mut waiting = Vec::new();
        for (&number, segment) in self.window.range_mut(..SegmentNumber::MAX) {
            let asked = segment.asks.len();
            segment.asks.retain(|_, ask| ask.of != link);
            if segment.asks.len() < asked && segment.chase_at.is_some() {
                waiting.push(number);
            }
        }
        for number in waiting {
            self.chase_at(number, core.now);
        }
        self.tell_standing(core);
    }

    /// Lets links ask for more as the stream goes on (P6): those who give for their part of a segment, other
    /// fellows for a shard now and then. Neighbours who never gave may ask for a shard of every segment all
    /// the same: a cluster that lives on its neighbours comes last in every column, so it has nothing to give.
    pub(super) fn refill_allowances(&mut self, core: &Core, newest: SegmentNumber) {
        let deal = core.newest_deal();
        let k = u16::from(self.k);
        // Where there are few to ask, each is asked for more.
        let inside = k.div_ceil(deal.fellows.len().max(1) as u16);
        let across = k.div_ceil(deal.outward.len().max(1) as u16);
        let small = self.first_allowance;
        let large = 2 * k.max(small);
        for slot in 0..self.n {
            let Some(link) = deal.holders[usize::from(slot)] else {
                continue;
            };
            let (more, cap) = match self.givers.proven(slot, core.now) {
                true => (inside, large),
                false => (u16::from(newest.is_multiple_of(16)), small),
            };
            self.link(link).refill(more, cap);
        }
        if newest.is_multiple_of(8) {
            for state in &mut self.links {
                state.unanswered /= 2;
            }
        }
        // Guests have nothing to give either.
        let guests = deal.fellows.iter().copied();
        for link in guests.filter(|&link| !deal.is_member(core.links.peer(link))) {
            self.link(link).refill(1, small);
        }
        for &link in &deal.outward {
            match self.link(link).gave {
                true => self.link(link).refill(across, large),
                false => self.link(link).refill(1, small),
            }
        }
    }
}

/// How many shards a link may ask for before it has given anything.
pub(super) fn first_allowance(view: &View) -> u16 {
    let members = view
        .epochs()
        .last()
        .map_or(0, |epoch| epoch.own.members().len());
    FIRST_SEGMENTS * u16::from(view.parameters.k).div_ceil(members.max(2) as u16 - 1)
}
