//! Importing: substitutes fetch from neighbouring clusters what the silent slots of theirs withhold (D5, P8).
//!
//! A cluster in which hardly `k` relays are left cannot live on its own slots: every shard that comes late
//! makes all its members late. There the shards that lack are fetched for every segment, before anybody
//! misses them, each by one member of two of its neighbours, and handed to the fellows that want them.

use super::{Stream, duty::Rotation, segment::Ask};
use crate::{
    core::Core,
    links::{Deal, LinkId},
    message::Notice,
    set::ShardSet,
    view::SegmentNumber,
};
use std::collections::BTreeMap;

/// How many neighbours are asked for a shard at once: one of them may be silent or behind.
const ASKED_AT_ONCE: usize = 2;
/// The most shards of a segment that a substitute fetches.
const IMPORTS_MAX: u8 = 8;

/// What one peer imports of a segment.
#[derive(Default)]
pub(crate) struct Imports {
    /// What it owes each fellow as a substitute.
    owed: Vec<(LinkId, ShardSet)>,
    /// All that, and what it needs itself.
    shards: ShardSet,
    /// Whether neighbours were asked.
    asked: bool,
}

impl Imports {
    /// The shards that are imported.
    pub fn shards(&self) -> ShardSet {
        self.shards
    }

    /// The number of a link is that of another peer now.
    pub fn forget_link(&mut self, link: LinkId) {
        self.owed.retain(|&(owed, _)| owed != link);
    }

    /// The fellows that a shard is imported for.
    pub fn for_whom(&self, shard: u8) -> impl Iterator<Item = LinkId> {
        let owed = self.owed.iter();
        owed.filter(move |(_, shards)| shards.contains(shard))
            .map(|&(link, _)| link)
    }
}

impl Stream {
    /// What this peer owes its fellows of a segment as a substitute, and what it therefore fetches.
    pub(super) fn plan_imports(&self, core: &Core, rotation: Rotation, deal: &Deal) -> Imports {
        let mut imports = Imports::default();
        if self.is_source(core) {
            return imports;
        }
        let mut shards = self.told_of(deal).map_or(ShardSet::EMPTY, |standing| {
            rotation.substituted(&standing, self.parity, deal.mine)
        });
        // Who never gives is owed nothing that has to be fetched.
        let givers = (0..self.n).filter(|&slot| self.is_proven(core, deal, slot));
        for link in givers.filter_map(|slot| deal.holders[usize::from(slot)]) {
            let standing = self.standing_of(link, deal);
            let owed = standing.map_or(ShardSet::EMPTY, |standing| {
                rotation.substituted(&standing, self.parity, deal.mine)
            });
            if !owed.is_empty() {
                shards = shards.union(owed);
                imports.owed.push((link, owed));
            }
        }
        imports.shards = shards.lowest(IMPORTS_MAX);
        imports
    }

    /// Asks neighbours for what this peer imports of a segment, once.
    pub(super) fn import(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        if std::mem::replace(&mut segment.imports.asked, true) || segment.restored() {
            return;
        }
        let lacking = segment.imports.shards.without(segment.at_hand());
        let (deal, late_at) = (segment.deal.clone(), segment.late_at);
        let mut asks: Vec<(u8, LinkId)> = Vec::new();
        for shard in lacking.iter() {
            let mut others = deal.outward.clone();
            for _ in 0..ASKED_AT_ONCE {
                if let Some(link) = self.outward(core, &others, shard, 0, &asks) {
                    others.retain(|&other| other != link);
                    asks.push((shard, link));
                }
            }
        }
        let overdue = core.now.max(late_at) + self.answer.timeout();
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        let mut wants: BTreeMap<LinkId, ShardSet> = BTreeMap::new();
        for (shard, of) in asks {
            let at = core.now;
            segment.exchange(of).asked.insert(shard);
            segment.asks.entry(shard).or_insert(Ask { of, at, overdue });
            wants.entry(of).or_default().insert(shard);
        }
        for (link, shards) in wants {
            core.notify(
                link,
                Notice::Want {
                    stream: self.number,
                    segment: number,
                    shards,
                    digest: false,
                },
            );
        }
    }
}
