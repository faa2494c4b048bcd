//! R1: the leader's block.

use super::{OPEN_BLOCKS, Replica, synchrony::Judgement};
use crate::{
    application::Application,
    block::{BlockId, SoundBlock},
    certificate::Certificate,
    command::{Command, CommandId},
    epoch::View,
    message::MAX_CERTIFICATES,
};
use std::collections::BTreeSet;

impl<A: Application> Replica<A> {
    /// Proposes, if this member leads its view, has not voted there, and has a reason.
    pub(super) fn propose(&mut self) {
        let view = self.view;
        if self.epoch.leader(view) != self.me || self.recovering {
            return;
        }
        let voted =
            (self.views.get(&view)).is_some_and(|open| open.own.first().is_some() || open.given_up);
        if self.now < self.may_propose_at() || !self.is_voting_time() || !self.may_vote_in(view) {
            return;
        }
        if voted || !(self.timing.fresh || self.timing.is_late(self.now)) {
            return;
        }
        self.timing.fresh = false;
        let parent = self.best_parent(view);
        let Some(parent) = parent.filter(|parent| self.judge(*parent, view) == Judgement::Good)
        else {
            return;
        };
        let commands = self.pick_commands(parent);
        // What is not committed yet usually is, a delay later; an empty block is for when it is not.
        let help = self.timing.is_late(self.now) && self.is_unsettled();
        if commands.is_empty() && !help {
            return;
        }
        let block = SoundBlock::build(&self.epoch, view, parent, commands);
        self.blocks.insert(block.id().hash, block.clone());
        self.open(view).proposal = Some(block.clone());
        self.vote_for(block);
    }

    /// The notarized block of the highest view before `view` such that all views between are nullified.
    fn best_parent(&self, view: View) -> Option<BlockId> {
        for between in (self.floor() + 1..view).rev() {
            let open = self.views.get(&between)?;
            if let Some(block) = open.notarized_block() {
                return Some(block);
            }
            if !open.is_void() {
                return None;
            }
        }
        Some(self.log.tip())
    }

    /// The lowest view between the last notarized block and the present view that is not known to be nullified. Who came
    /// past it by a later view's certificate does not get its own unless it asks.
    pub(super) fn first_gap(&self) -> Option<View> {
        let mut gap = None;
        for between in (self.floor() + 1..self.view).rev() {
            let open = self.views.get(&between);
            if open.is_some_and(|open| open.notarized_block().is_some()) {
                break;
            }
            if open.is_none_or(|open| !open.is_void()) {
                gap = Some(between);
            }
        }
        gap
    }

    /// Certificates that show that a block of `view` may have this parent.
    pub(super) fn justification(&self, parent: BlockId, view: View) -> Vec<Certificate> {
        let notarization = if parent == self.log.tip() {
            self.log.tip_certificate()
        } else {
            (self.views.get(&parent.view)).and_then(|open| open.notarization_of(parent))
        };
        let nullifications = (self.views.range(parent.view + 1..view).rev())
            .filter_map(|(_, open)| open.nullified.as_ref());
        (notarization.into_iter().chain(nullifications))
            .take(MAX_CERTIFICATES)
            .cloned()
            .collect()
    }

    /// Waiting commands that are in no ancestor of the new block.
    fn pick_commands(&mut self, parent: BlockId) -> Vec<Command> {
        if self.pool.is_empty() {
            return Vec::new();
        }
        let full = |block: &&SoundBlock| !block.command_ids().is_empty();
        if self.open_chain(parent).filter(full).count() >= OPEN_BLOCKS {
            return Vec::new();
        }
        let taken: BTreeSet<CommandId> = (self.open_chain(parent))
            .flat_map(|block| block.command_ids().iter().copied())
            .collect();
        self.pool.pick(&taken)
    }

    /// The blocks from `block` down to the last executed one, as far as they are here.
    pub(super) fn open_chain(&self, block: BlockId) -> impl Iterator<Item = &SoundBlock> {
        let mut at = block;
        std::iter::from_fn(move || {
            let block = (at.height > self.log.height()).then(|| self.blocks.get(&at.hash))??;
            at = block.parent();
            Some(block)
        })
    }

    /// Whether commands in blocks that are notarized and not committed wait to be executed, or such a block is not here; the
    /// first that is not is wanted then. These commands are pending from now on, with whoever voted for something else too
    /// (R2): what only some wait for, and do not hand on, would never let them rest.
    pub(super) fn is_unsettled(&mut self) -> bool {
        let tip = (self.views.values().rev()).find_map(|open| open.notarized_block());
        let Some(tip) = tip.filter(|tip| tip.height > self.log.height()) else {
            return false;
        };
        let chain: Vec<SoundBlock> = self.open_chain(tip).cloned().collect();
        let next = chain.last().map_or(tip, SoundBlock::parent);
        let missing = next.height > self.log.height();
        if missing {
            self.catch_up.lack(next, self.now);
        }
        let mut waiting = false;
        for block in chain {
            self.accept_commands(&block);
            waiting |= (block.command_ids().iter()).any(|id| self.pool.contains(id));
        }
        waiting || missing
    }
}
