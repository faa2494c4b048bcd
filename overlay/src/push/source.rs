//! The source: signs, codes and gives out its segments (P1).

use super::{Stream, bucket::Bucket, rotation_of};
use crate::{
    ablation::Mechanism,
    core::Core,
    digest::{Digest, Header},
    hash::Hash,
    io::{Class, Cut, Event, PublishError},
    links::{Deal, LinkId},
    set::Set64,
    view::SegmentNumber,
    work,
};

/// How many segments all parity is given out for after the source began.
const LEARNING: u64 = 12;

/// What a peer keeps of the stream that it publishes itself.
pub(super) struct Source {
    first: SegmentNumber,
    next: SegmentNumber,
    previous: Option<Hash>,
    bucket: Bucket,
}

impl Source {
    pub fn new(next: SegmentNumber, bucket: Bucket) -> Source {
        Source {
            first: next,
            next,
            previous: None,
            bucket,
        }
    }
}

/// One in so many fellows are some of them.
const SOME: usize = 8;

impl Stream {
    /// Publishes the next segment.
    pub fn publish(&mut self, core: &mut Core, cut: Cut) -> Result<(), PublishError> {
        let length = cut.payload.len();
        if self.stopped.is_some() {
            return Err(PublishError::Stopped);
        }
        if !(1..=self.max_segment_bytes).contains(&length) {
            return Err(PublishError::Size {
                limit: self.max_segment_bytes,
            });
        }
        if !self.own.bucket.take(length as u64, core.now) {
            let max_bits_per_s = core.view.publishers[usize::from(self.number)].max_bits_per_s;
            return Err(PublishError::OverRate { max_bits_per_s });
        }
        let number = self.own.next;
        self.own.next += 1;
        let deal = core.deal(self.number, number).clone();
        // At the beginning nobody knows yet who gives, so everything is given out.
        let all = core.ablated.lacks(Mechanism::ParityAdaptation);
        let missing = if all || number < self.own.first + LEARNING {
            100
        } else {
            self.missing_share(&deal)
        };
        let rotation = rotation_of(core, self.number, number);
        let parity = parity_for(missing, self.k, self.n);
        // In its own cluster the source's slots give nothing, and `k` shards have to be left.
        let left = |parity: &u8| {
            rotation
                .given_out(*parity)
                .without(rotation.shards(deal.mine))
        };
        let parity = (parity..self.n - self.k)
            .find(|parity| left(parity).len() >= self.k)
            .unwrap_or(self.n - self.k);
        let shards = core.coder.encode(&cut.payload);
        let header = Header {
            stream: self.number,
            segment: number,
            length: length as u32,
            parity,
            random_access: cut.random_access,
            cut_unix_ms: cut.cut_unix_ms,
            payload: work::payload_hash(&shards[..self.k.into()], length),
            previous: self.own.previous,
        };
        let leaves = shards.iter().map(|shard| core.work.leaf(shard)).collect();
        let digest = Digest::sign(header, leaves, core.network(), &*core.signer);
        self.own.previous = Some(digest.link());
        self.begin(core, digest);
        let k = self.k.into();
        self.segment(core, number).fill(shards, k);
        self.report.published += 1;
        self.report.published_bytes += length as u64;
        core.event(Event::Published {
            stream: self.number,
            segment: number,
        });
        self.carry(core, number);
        self.give_out(core, number, &deal, missing > 0);
        self.play(core);
        Ok(())
    }

    /// Gives each shard to its relay in the own cluster and, the data always and the parity when slots are
    /// silent, to the relay in one neighbouring cluster; to two if some call the own relay silent, and to that one
    /// not at all if most do.
    fn give_out(&mut self, core: &mut Core, number: SegmentNumber, deal: &Deal, faults: bool) {
        let Some(segment) = self.window.get(&number) else {
            return;
        };
        let Some(parity) = segment.digest.as_ref().map(|digest| digest.header().parity) else {
            return;
        };
        let rotation = segment.rotation;
        let silent = self.silent_to(deal, |callers, fellows| callers * 2 > fellows);
        let doubtful = self.silent_to(deal, |callers, fellows| callers * SOME > fellows);
        for shard in rotation.given_out(parity).iter() {
            let slot = rotation.slot(shard);
            let mut copies = usize::from(shard < self.k || faults);
            match deal.holders[usize::from(slot)] {
                Some(relay) if core.links.connected(relay) && !silent.contains(slot) => {
                    self.give(core, number, shard, &[relay], Class::Live, true);
                    copies += usize::from(doubtful.contains(slot)) * (2 - copies);
                }
                // A source is no relay of its own stream, so its own slots have only neighbours.
                _ => copies = 2,
            }
            if core.ablated.lacks(Mechanism::SecondCopies) {
                copies = 0;
            }
            let neighbours = &deal.epoch.neighbours;
            // Always the same neighbour for a slot, so that its column keeps its shape.
            let turn = usize::from(slot);
            let second: Vec<LinkId> = (0..neighbours.len())
                .map(|step| neighbours[(turn + step) % neighbours.len()].holder(slot))
                .filter_map(|peer| core.links.find(peer))
                .filter(|&link| core.links.connected(link))
                .take(copies)
                .collect();
            self.give(core, number, shard, &second, Class::Live, true);
        }
    }

    /// The share of slots that give nothing, in percent, as some of the fellows see it at least: most of them
    /// may be liars, and to believe a few costs the source some upload at worst.
    fn missing_share(&self, deal: &Deal) -> u8 {
        let own = deal.mine;
        let told = deal
            .fellows
            .iter()
            .filter_map(|&link| self.standing_of(link, deal));
        let mut counts: Vec<u8> = told
            .filter(|standing| !standing.idle)
            .map(|standing| standing.silent.without(own).len())
            .collect();
        counts.sort_unstable();
        let place = counts.len() - counts.len().div_ceil(SOME).min(counts.len());
        let silent = counts.get(place).copied().unwrap_or(0);
        (u32::from(silent) * 100 / u32::from(self.n)) as u8
    }

    /// The slots that so many call silent, of so many fellows, as `enough` says.
    fn silent_to(&self, deal: &Deal, enough: fn(usize, usize) -> bool) -> Set64 {
        let told: Vec<Set64> = deal
            .fellows
            .iter()
            .filter_map(|&link| self.standing_of(link, deal))
            .filter(|standing| !standing.idle)
            .map(|standing| standing.silent)
            .collect();
        let calls = |slot: u8| told.iter().filter(|silent| silent.contains(slot)).count();
        (0..self.n)
            .filter(|&slot| enough(calls(slot), told.len()))
            .collect()
    }
}

/// How much parity to give out when `missing` percent of the slots give nothing: what makes up for them in
/// a cluster that is half as much worse off, and a reserve. The reserve is for what comes without a warning, and
/// costs little: inside a cluster parity goes only to those who lack it.
fn parity_for(missing: u8, k: u8, n: u8) -> u8 {
    let reserve = u32::from((n - k) / 2).max(1);
    let (missing, k, n) = (u32::from(missing.min(99)), u32::from(k), u32::from(n));
    let lost = (k * missing).div_ceil(100 - missing);
    (lost + lost.div_ceil(2) + reserve).min(n - k) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_grows_with_what_is_missing_up_to_all_there_is() {
        let parity = |missing| parity_for(missing, 16, 32);
        assert_eq!(
            [parity(0), parity(10), parity(30), parity(60), parity(100)],
            [8, 11, 16, 16, 16]
        );
        assert_eq!(parity_for(0, 4, 8), 2);
    }
}
