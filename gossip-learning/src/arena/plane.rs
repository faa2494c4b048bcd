//! The memory of one slot of all peers.

use super::{Kind, World, inbox::Inbox, settings::Settings};
use crate::{model::Model, protocol::Slot};
use serde::{Deserialize, Serialize};

/// One slot of every peer: its newest model, and what the rule keeps beside it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Plane {
    width: usize,
    parts: usize,
    /// The model that everybody began with.
    start: Vec<f32>,
    newest: Vec<f32>,
    ages: Vec<u32>,
    /// Empty unless the rule keeps the model that arrived last.
    last: Vec<f32>,
    last_ages: Vec<u32>,
    /// A ring of the newest models of each peer, unless it votes with one only.
    cache: Vec<f32>,
    cache_size: usize,
    /// How many models each peer has put into its ring so far.
    cached: Vec<u32>,
    /// Models received and not yet merged, where the merge counts several.
    inbox: Option<Inbox>,
}

impl Plane {
    /// Every peer begins with the empty model, which becomes worth something on its first hops.
    pub(super) fn new(settings: &Settings, world: &World<'_>, kind: Kind) -> Plane {
        let (width, parts) = (settings.learner.parameters(), settings.parts);
        let peers = world.partition.peers();
        let mut start = vec![0.0; width];
        settings.learner.start(&mut start);
        let newest = start.repeat(peers);
        let ages = vec![0; peers * parts];
        let last = if settings.rule.keeps_last() {
            start.repeat(peers)
        } else {
            Vec::new()
        };
        let cache_size = if settings.cache > 1 {
            settings.cache
        } else {
            0
        };
        Plane {
            width,
            parts,
            start,
            last_ages: vec![0; if last.is_empty() { 0 } else { peers * parts }],
            last,
            newest,
            ages,
            cache: vec![0.0; peers * cache_size * width],
            cache_size,
            cached: vec![0; if cache_size > 0 { peers } else { 0 }],
            inbox: settings
                .inbox(kind)
                .map(|models| Inbox::new(peers, models, width)),
        }
    }

    #[inline]
    pub(super) fn newest(&self, peer: usize) -> &[f32] {
        &self.newest[peer * self.width..(peer + 1) * self.width]
    }

    #[inline]
    pub(super) fn ages(&self, peer: usize) -> &[u32] {
        &self.ages[peer * self.parts..(peer + 1) * self.parts]
    }

    #[inline]
    pub(super) fn slot(&mut self, peer: usize) -> Slot<'_> {
        let weights = peer * self.width..(peer + 1) * self.width;
        let parts = peer * self.parts..(peer + 1) * self.parts;
        let keeps_last = !self.last.is_empty();
        Slot {
            newest: &mut self.newest[weights.clone()],
            ages: &mut self.ages[parts.clone()],
            last: if keeps_last {
                &mut self.last[weights]
            } else {
                &mut []
            },
            last_ages: if keeps_last {
                &mut self.last_ages[parts]
            } else {
                &mut []
            },
        }
    }

    /// The peer's inbox together with its slot, and the model that everybody began with.
    pub(super) fn inbox_and_slot(&mut self, peer: usize) -> Option<(&mut Inbox, Slot<'_>, &[f32])> {
        let weights = peer * self.width..(peer + 1) * self.width;
        let parts = peer * self.parts..(peer + 1) * self.parts;
        let slot = Slot {
            newest: &mut self.newest[weights],
            ages: &mut self.ages[parts],
            last: &mut [],
            last_ages: &mut [],
        };
        let start = &self.start;
        (self.inbox.as_mut()).map(|inbox| (inbox, slot, &start[..]))
    }

    /// Puts the peer's newest model into its ring.
    #[inline]
    pub(super) fn remember(&mut self, peer: usize) {
        if self.cache_size > 0 {
            let place = peer * self.cache_size + self.cached[peer] as usize % self.cache_size;
            self.cache[place * self.width..(place + 1) * self.width]
                .copy_from_slice(&self.newest[peer * self.width..(peer + 1) * self.width]);
            self.cached[peer] = self.cached[peer].wrapping_add(1);
        }
    }

    pub(super) fn cached(&self, peer: usize) -> impl Iterator<Item = &[f32]> + Clone {
        let filled = match self.cached.get(peer) {
            Some(count) => (*count as usize).min(self.cache_size),
            None => 0,
        };
        let start = peer * self.cache_size * self.width;
        let ring = self.cache[start..start + filled * self.width].chunks_exact(self.width);
        ring.chain((filled == 0).then(|| self.newest(peer)))
    }
}
