//! Relaying: a shard goes on as soon as it is verified, and requests are answered (P2, P3, P6).

use super::{
    AHEAD, Stream,
    duty::{CARRIERS, LISTS},
};
use crate::{
    ablation::Mechanism,
    core::Core,
    digest::Digest,
    io::{Class, Refusal},
    links::LinkId,
    message::Message,
    set::{Set64, ShardSet},
    view::SegmentNumber,
};
use bytes::Bytes;

/// How often the list of leaves of one segment is sent to one link on request.
const LISTS_MAX: u8 = 2;

impl Stream {
    /// Does with newly verified shards what their relay owes, and answers those who wait for them.
    pub(super) fn spread(&mut self, core: &mut Core, number: SegmentNumber, shards: ShardSet) {
        for shard in shards.iter() {
            self.relay_inside(core, number, shard);
            self.relay_across(core, number, shard);
        }
        self.answer_waiting(core, number);
    }

    /// Gives a shard that this peer relays, or stands in for, to the fellows that it is owed to (D2, D5).
    pub(super) fn relay_inside(&mut self, core: &mut Core, number: SegmentNumber, shard: u8) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        let Some(digest) = &segment.digest else {
            return;
        };
        let (rotation, deal) = (segment.rotation, &segment.deal);
        let to: Vec<LinkId> = if deal.mine.contains(rotation.slot(shard)) {
            let parity = digest.header().parity;
            let owed = |link: &LinkId| {
                let standing = self.standing_of(*link, deal);
                standing.is_some_and(|standing| rotation.owes(&standing, parity, shard))
            };
            deal.fellows.iter().copied().filter(owed).collect()
        } else {
            segment.imports.for_whom(shard).collect()
        };
        self.give(core, number, shard, &to, Class::Live, false);
    }

    /// Gives a shard that this peer relays to the same slot of the neighbouring clusters (D4).
    pub(super) fn relay_across(&mut self, core: &mut Core, number: SegmentNumber, shard: u8) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        let slot = segment.rotation.slot(shard);
        let given_out = |digest: &Digest| {
            let given_out = segment.rotation.given_out(digest.header().parity);
            given_out.contains(shard)
        };
        if !segment.deal.mine.contains(slot) || !segment.digest.as_ref().is_some_and(given_out) {
            return;
        }
        let deal = segment.deal.clone();
        let eager = self.split_lazy(core, number, shard, slot, &deal.across[usize::from(slot)]);
        self.give(core, number, shard, &eager, Class::Live, true);
    }

    /// Sends a shard, with its proof if asked, to those of the links that are connected and lack it.
    pub(super) fn give(
        &mut self,
        core: &mut Core,
        number: SegmentNumber,
        shard: u8,
        to: &[LinkId],
        class: Class,
        proven: bool,
    ) {
        // Most shards that come are nobody's to give.
        if to.is_empty() {
            return;
        }
        let distrusted = &self.distrusted;
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        let mut lacking = Vec::with_capacity(to.len());
        for &link in to {
            if core.links.connected(link)
                && !distrusted.contains(link)
                && !segment.has(link).contains(shard)
            {
                lacking.push(link);
            }
        }
        if lacking.is_empty() {
            return;
        }
        let Some(bytes) = segment.shard(&*core.work, &core.coder, shard) else {
            return;
        };
        let message = if proven {
            let signed = segment.digest.as_ref().map(|digest| digest.signed);
            let (Some(signed), Some(proof)) = (signed, segment.proof(&*core.work, shard, LISTS))
            else {
                return;
            };
            Message::ProvenShard {
                signed,
                shard,
                proof,
            }
        } else {
            Message::Shard {
                stream: self.number,
                segment: number,
                shard,
            }
        };
        for &link in &lacking {
            segment.has_mut(link).insert(shard);
        }
        core.send(&lacking, &message, bytes, class, number);
    }

    /// Hands the list of leaves to the fellows that it is owed to, when it has just become known (D3).
    pub(super) fn carry(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        let Some(digest) = &segment.digest else {
            return;
        };
        let (rotation, deal, parity) = (
            segment.rotation,
            segment.deal.clone(),
            digest.header().parity,
        );
        let mine = rotation.shards(deal.mine).intersection(Set64::below(LISTS));
        if mine.is_empty() {
            return;
        }
        let carriers = match core.ablated.lacks(Mechanism::SecondCarrier) {
            true => 1,
            false => CARRIERS,
        };
        let owed = |link: LinkId| {
            let standing = self.standing_of(link, &deal)?;
            Some(
                !rotation
                    .lists(&standing, parity)
                    .lowest(carriers)
                    .intersection(mine)
                    .is_empty(),
            )
        };
        let to: Vec<LinkId> = deal
            .fellows
            .iter()
            .copied()
            .filter(|&link| owed(link) == Some(true))
            .collect();
        self.give_list(core, number, &to);
    }

    fn give_list(&mut self, core: &mut Core, number: SegmentNumber, to: &[LinkId]) {
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        let Some(digest) = &segment.digest else {
            return;
        };
        let Some(leaves) = digest.leaves.clone() else {
            return;
        };
        let message = Message::Digest {
            signed: digest.signed,
            leaves,
        };
        for &link in to {
            let exchange = segment.exchange(link);
            exchange.lists_sent = exchange.lists_sent.saturating_add(1);
            exchange.waits_for_list = false;
        }
        core.send(to, &message, Bytes::new(), Class::Digest, number);
    }

    pub fn on_want(
        &mut self,
        core: &mut Core,
        from: LinkId,
        number: SegmentNumber,
        shards: ShardSet,
        list: bool,
    ) -> Result<(), Refusal> {
        if self.link(from).allowance == 0 {
            return Err(Refusal::TooManyRequests);
        }
        let shards = shards.intersection(ShardSet::below(self.n));
        let Some(segment) = self.window.get_mut(&number) else {
            let soon = self.newest.is_none_or(|newest| {
                (newest..newest.saturating_add(AHEAD as u64)).contains(&number)
            });
            if !soon {
                return Err(Refusal::OutOfWindow);
            }
            self.link(from).early = Some((number, shards));
            self.asked_early = true;
            return Ok(());
        };
        // What was given before may have been lost on the way.
        let has = segment.has_mut(from);
        *has = has.without(shards);
        let exchange = segment.exchange(from);
        exchange.waits_for = exchange.waits_for.union(shards);
        exchange.waits_for_list |= list && exchange.lists_sent < LISTS_MAX;
        segment.awaited = true;
        self.answer_waiting(core, number);
        self.chase_for(core, from, number);
        Ok(())
    }

    /// Answers those who wait for shards, or the list, of a segment.
    pub(super) fn answer_waiting(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get(&number).filter(|segment| segment.awaited) else {
            return;
        };
        let all = if segment.restored() {
            ShardSet::below(self.n)
        } else {
            segment.have
        };
        let listed = segment.leaves().is_some();
        let waiting: Vec<(LinkId, ShardSet, bool)> = segment
            .exchanges()
            .map(|(link, exchange)| {
                (
                    link,
                    exchange.waits_for.intersection(all),
                    exchange.waits_for_list && listed,
                )
            })
            .filter(|(_, shards, list)| !shards.is_empty() || *list)
            .collect();
        let past = self.newest.is_some_and(|newest| number + 4 < newest);
        let class = if past { Class::Backlog } else { Class::Pull };
        let deal = segment.deal.clone();
        for (link, shards, list) in waiting {
            // A neighbour may not have the list, and a relay must be able to prove the shard.
            let across = deal.outward.contains(&link);
            if list && self.link(link).allowance > 0 {
                self.link(link).allowance -= 1;
                self.give_list(core, number, &[link]);
            }
            let allowed = shards.lowest(self.link(link).allowance.min(64) as u8);
            self.link(link).allowance -= u16::from(allowed.len());
            if let Some(segment) = self.window.get_mut(&number) {
                // What is over the allowance is not remembered: the asker asks again, or another.
                let exchange = segment.exchange(link);
                exchange.waits_for = exchange.waits_for.without(shards);
                exchange.waits_for_list &= !list;
            }
            for shard in allowed.iter() {
                self.give(core, number, shard, &[link], class, across);
            }
        }
        if let Some(segment) = self.window.get_mut(&number) {
            let awaited = segment
                .exchanges()
                .any(|(_, exchange)| !exchange.waits_for.is_empty() || exchange.waits_for_list);
            segment.awaited = awaited;
        }
    }
}
