//! Pulling: what is late is asked for (P5).
//!
//! A receiver that is short when a segment should have been restored asks, in this order, for
//!
//! 1. *spare* shards: given out by the source, not owed to it, of relays that give. They are there already;
//! 2. any other shard, of its *substitute*: the first slot after the relay's that is not silent. All
//!    members that lack the shard ask the same one, so it has to be fetched only once;
//! 3. shards of which it is the substitute itself, and those that fellows ask it for in vain: across, of
//!    the holders of its slots in neighbouring clusters. A cluster with fewer than `k` working relays
//!    lives on these.
//!
//! Whoever is asked answers when it can, so a request needs no repeating until it is overdue.

use super::{
    SHORT_OF_RELAYS, Stream,
    duty::LISTS,
    segment::{Ask, Segment},
};
use crate::{
    ablation::Mechanism,
    core::Core,
    links::{Deal, LinkId},
    message::Notice,
    set::{ShardSet, SlotSet},
    time::Time,
    view::SegmentNumber,
};
use std::collections::BTreeMap;

/// How many rounds of requests a segment is worth.
const ROUNDS_MAX: u8 = 12;
/// How many shards of a segment are fetched from across for fellows.
const INSIDE_MAX: u8 = 4;

impl Stream {
    /// Sees to a segment at this time if it is not restored by then.
    pub(super) fn chase_at(&mut self, number: SegmentNumber, at: Time) {
        if let Some(segment) = self.window.get_mut(&number) {
            segment.chase_at = Some(at);
            self.wake_at(at);
        }
    }

    /// Asks for what is missing of a segment, if it is time.
    pub(super) fn chase(&mut self, core: &mut Core, number: SegmentNumber) {
        let now = core.now;
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        match segment.chase_at {
            Some(at) if at <= now => segment.chase_at = None,
            Some(at) => return self.wake_at(at),
            None => return,
        }
        if segment.restored() || segment.played || !self.watching || segment.rounds >= ROUNDS_MAX {
            return;
        }
        let late = now >= segment.late_at;
        segment.rounds += u8::from(late);
        let (late_at, backlog) = (segment.late_at, segment.backlog);
        let overdue: Vec<(u8, LinkId)> = segment
            .asks
            .iter()
            .filter(|(_, ask)| ask.overdue <= now)
            .map(|(&shard, ask)| (shard, ask.of))
            .collect();
        for (shard, _) in &overdue {
            segment.asks.remove(shard);
        }
        // A relay, and a neighbour, should have it; a substitute may be waiting for it itself.
        let deal = segment.deal.clone();
        let rotation = segment.rotation;
        for (shard, of) in overdue {
            let relay = deal.holders[usize::from(rotation.slot(shard))] == Some(of);
            if relay || deal.outward.contains(&of) {
                let state = self.link(of);
                state.unanswered = state.unanswered.saturating_add(1);
            }
        }
        let mut wants: BTreeMap<LinkId, (ShardSet, bool)> = BTreeMap::new();
        if let Some(link) = self.list_from(core, number) {
            wants.entry(link).or_default().1 = true;
        }
        let unlisted = self
            .window
            .get(&number)
            .is_some_and(|segment| segment.leaves().is_none());
        let mut list_across = unlisted;
        for (shard, link) in self.choose(core, number) {
            let want = wants.entry(link).or_default();
            want.0.insert(shard);
            // Where shards have to come from across, the list has to as well.
            if deal.outward.contains(&link) {
                want.1 |= std::mem::take(&mut list_across);
            }
        }
        // What is asked for early may have to be restored first by whoever is asked.
        let overdue = now.max(late_at) + self.answer.timeout();
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        for (&link, &(shards, digest)) in &wants {
            for shard in shards.iter() {
                segment.asks.insert(
                    shard,
                    Ask {
                        of: link,
                        at: now,
                        overdue,
                    },
                );
            }
            let exchange = segment.exchange(link);
            exchange.asked = exchange.asked.union(shards);
            core.notify(
                link,
                Notice::Want {
                    stream: self.number,
                    segment: number,
                    shards,
                    digest,
                },
            );
        }
        self.chase_at(number, if late || backlog { overdue } else { late_at });
    }

    /// Sees to a segment soon because a fellow who gives relies on this peer for shards of it.
    pub(super) fn chase_for(&mut self, core: &Core, from: LinkId, number: SegmentNumber) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        let missing = self.wanted_inside(core, segment);
        let asked: ShardSet = segment.asks.keys().copied().collect();
        let waits = segment.exchange_with(from).is_some_and(|exchange| {
            !exchange
                .waits_for
                .intersection(missing)
                .without(asked)
                .is_empty()
        });
        let soon = core.now + SHORT_OF_RELAYS;
        if waits && segment.chase_at.is_some_and(|at| at > soon) {
            self.chase_at(number, soon);
        }
    }

    /// Asks for the list of leaves when shards wait for it and it should have come.
    pub(super) fn chase_list_if_due(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        // All that is needed is there but for the list: it is what is late.
        if segment.at_hand().len() >= self.k
            && segment.list_overdue.is_none()
            && segment.chase_at.is_some()
        {
            let soon = core.now + self.answer.timeout() / 8;
            if segment.chase_at.is_some_and(|at| at > soon) {
                self.chase_at(number, soon);
            }
        }
    }

    /// Whom to ask for the list of leaves now.
    fn list_from(&mut self, core: &Core, number: SegmentNumber) -> Option<LinkId> {
        let (now, timeout) = (core.now, self.answer.timeout());
        let segment = self.window.get_mut(&number)?;
        let due = now >= segment.late_at || segment.at_hand().len() >= self.k;
        if !due || segment.leaves().is_some() || segment.list_overdue.is_some_and(|at| at > now) {
            return None;
        }
        segment.list_overdue = Some(now + timeout);
        let (round, held_from, deal) = (segment.rounds, segment.held_from(), segment.deal.clone());
        let carried = !segment
            .at_hand()
            .intersection(ShardSet::below(LISTS))
            .is_empty();
        let turn = usize::from(round) + number as usize;
        // When no carrier gave anything no fellow may have the list: it has to come from across.
        if !carried && let Some(link) = self.best(core, &deal.outward, turn) {
            return Some(link);
        }
        held_from
            .filter(|&link| round <= 1 && self.may_ask(core, link))
            .or_else(|| self.best(core, &deal.fellows, turn))
            .or_else(|| self.best(core, &deal.outward, turn))
    }

    /// Which shards to ask for at this time, and of whom.
    fn choose(&mut self, core: &Core, number: SegmentNumber) -> Vec<(u8, LinkId)> {
        let Some(segment) = self.window.get(&number) else {
            return Vec::new();
        };
        let (rotation, deal, round) = (segment.rotation, segment.deal.clone(), segment.rounds);
        let at_hand = segment.at_hand();
        let asked: ShardSet = segment.asks.keys().copied().collect();
        let missing = ShardSet::below(self.n).without(at_hand).without(asked);
        let parity = segment
            .digest
            .as_ref()
            .map_or(self.parity, |digest| digest.header().parity);
        let silent = rotation.shards(self.no_givers(core, &deal));
        let owed = rotation
            .owed(&segment.standing, parity)
            .union(rotation.imported(&segment.standing, parity));
        // Before they are late, shards that are owed count as good as come.
        let late = core.now >= segment.late_at || segment.backlog;
        let expected = if late { at_hand } else { at_hand.union(owed) };
        let mut need = self.k.saturating_sub(expected.union(asked).len());
        let missing = missing.without(expected);
        if need > 0 {
            // Some of those asked may turn out to be silent; each round in vain makes that likelier.
            let doubt = if self.givers.knows() {
                0
            } else {
                need.div_ceil(2)
            };
            need += doubt + round.saturating_sub(1).min(3);
        }
        let wanted_inside = self.wanted_inside(core, segment);

        let mut chosen = Vec::new();
        let spare = missing
            .intersection(rotation.given_out(parity))
            .without(owed)
            .without(silent);
        let mut relays: Vec<(u8, u8, LinkId)> = spare
            .iter()
            .filter_map(|shard| Some((shard, deal.holders[usize::from(rotation.slot(shard))]?)))
            .filter(|&(shard, link)| self.may_ask(core, link) && !segment.asked(link, shard))
            .map(|(shard, link)| (self.unanswered(link), shard, link))
            .collect();
        relays.sort_unstable();
        for (_, shard, link) in relays.into_iter().take(need.into()) {
            chosen.push((shard, link));
            need -= 1;
        }
        // What is owed may still come, so it is asked for last.
        let taken: ShardSet = chosen.iter().map(|&(shard, _)| shard).collect();
        let rest = missing.without(taken);
        for shard in rest
            .without(owed)
            .iter()
            .chain(rest.intersection(owed).iter())
        {
            let substitute = self.substitute(core, number, shard);
            let link = match substitute {
                Some(Substitute::Fellow(link)) if need > 0 => Some(link),
                Some(Substitute::Me) | None if need > 0 => {
                    self.outward(core, &deal.outward, shard, round, &chosen)
                }
                // Not needed here, but a fellow relies on this peer for it.
                _ if wanted_inside.contains(shard) => {
                    if let Some(link) = self.outward(core, &deal.outward, shard, round, &chosen) {
                        chosen.push((shard, link));
                    }
                    continue;
                }
                _ => None,
            };
            if let Some(link) = link {
                chosen.push((shard, link));
                need -= 1;
            }
        }
        chosen
    }

    /// Shards that fellows who give have asked this peer for in vain; a few.
    fn wanted_inside(&self, core: &Core, segment: &Segment) -> ShardSet {
        let gives = |link: LinkId| {
            let slots =
                (0..self.n).filter(|&slot| segment.deal.holders[usize::from(slot)] == Some(link));
            slots
                .into_iter()
                .any(|slot| self.is_proven(core, &segment.deal, slot))
        };
        segment
            .exchanges()
            .filter(|&(link, exchange)| !exchange.waits_for.is_empty() && gives(link))
            .fold(ShardSet::EMPTY, |all, (_, exchange)| {
                all.union(exchange.waits_for)
            })
            .lowest(INSIDE_MAX)
    }

    /// Who stands in for the relay of a shard: the holder of the first slot after the relay's that is not
    /// silent, or of a later one if that was asked in vain.
    fn substitute(&self, core: &Core, number: SegmentNumber, shard: u8) -> Option<Substitute> {
        let segment = self.window.get(&number)?;
        let silent = self.no_givers(core, &segment.deal);
        let may = |link: LinkId| self.may_ask(core, link) && !segment.asked(link, shard);
        segment
            .rotation
            .substitutes(shard, silent)
            .find_map(|slot| match segment.deal.holders[usize::from(slot)] {
                None => Some(Substitute::Me),
                Some(link) => may(link).then_some(Substitute::Fellow(link)),
            })
    }

    /// Slots that are not asked: silent ones, and those of the source.
    fn no_givers(&self, core: &Core, deal: &Deal) -> SlotSet {
        let of_source = deal.slots_of_source(self.number);
        let silent = self.silent_slots(core, deal).union(of_source);
        match self.givers.knows() {
            true => silent.union(self.slots_on_trial(core, deal)),
            false => silent,
        }
    }

    fn unanswered(&self, link: LinkId) -> u8 {
        self.links.get(link).map_or(0, |state| state.unanswered)
    }

    /// Whom to ask across for a shard: requests of one round go to different neighbours.
    pub(super) fn outward(
        &self,
        core: &Core,
        links: &[LinkId],
        shard: u8,
        round: u8,
        chosen: &[(u8, LinkId)],
    ) -> Option<LinkId> {
        if core.ablated.lacks(Mechanism::PullFromNeighbours) {
            return None;
        }
        let turn = usize::from(shard) + usize::from(round);
        let asked = |link: LinkId| chosen.iter().filter(|&&(_, other)| other == link).count();
        (0..links.len())
            .map(|step| links[(turn + step) % links.len()])
            .filter(|&link| self.may_ask(core, link))
            .min_by_key(|&link| {
                let gave = self.links.get(link).is_some_and(|state| state.gave);
                usize::from(self.unanswered(link)) + asked(link) + if gave { 0 } else { 2 }
            })
    }

    /// The connected link with the fewest unanswered requests; among equals the one whose turn it is.
    fn best(&self, core: &Core, links: &[LinkId], turn: usize) -> Option<LinkId> {
        (0..links.len())
            .map(|step| links[(turn + step) % links.len()])
            .filter(|&link| self.may_ask(core, link))
            .min_by_key(|&link| self.unanswered(link))
    }
}

/// Who stands in for a relay.
enum Substitute {
    /// This peer itself.
    Me,
    /// A fellow member.
    Fellow(LinkId),
}
