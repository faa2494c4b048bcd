//! R8: executing what is committed.

use super::Replica;
use crate::{
    application::Application, block::SoundBlock, certificate::Certificate, io::Output, pool::Pool,
};

impl<A: Application> Replica<A> {
    /// Executes the blocks up to the target, if all of them are here; otherwise notes which is missing.
    pub(super) fn execute_target(&mut self) {
        let Some(target) = self
            .target
            .as_ref()
            .and_then(|target| target.claim.commits())
        else {
            return;
        };
        let path: Vec<SoundBlock> = self.open_chain(target).cloned().collect();
        let next = path.last().map_or(target, SoundBlock::parent);
        if next.height > self.log.height() {
            self.catch_up.lack(next, self.now);
            return;
        }
        let certificate = self.target.take();
        if next != self.log.tip() {
            // Two branches were committed: more members are faulty than the epoch allows.
            self.outbox
                .extend(certificate.map(|fork| Output::Forked(Box::new(fork))));
            return;
        }
        for (at, block) in path.into_iter().enumerate().rev() {
            self.execute(block, certificate.clone().filter(|_| at == 0));
        }
        self.settle_views();
        self.timing.committed();
    }

    /// Executes the block after the last.
    pub(super) fn execute(&mut self, block: SoundBlock, certificate: Option<Certificate>) {
        let id = block.id();
        let ids = block.clone();
        let executed = self.log.execute(&self.epoch, block, certificate);
        let outcomes = executed.outcomes.clone();
        for command in ids.command_ids() {
            // What is void in this epoch is for the next.
            if self.log.end().is_none() || self.log.executed_at(command).is_some() {
                self.pool.remove(command);
            }
        }
        (self.outbox).extend(outcomes.iter().cloned().map(Output::Executed));
        self.expire_commands();
        self.await_outcomes(&outcomes);
        let end = self.log.end();
        if end == Some(id.height) {
            self.end();
        }
        if end == Some(id.height) || end.is_none() && self.epoch.has_snapshot(id.height) {
            self.seal(id.height);
        }
    }

    /// E1: the epoch is over. Whatever is not executed is for the next.
    pub(super) fn end(&mut self) {
        self.left_over.extend(self.pool.take_of(self.me));
        self.pool = Pool::default();
        self.refuse_waiting();
    }

    /// Forgets the views that what is executed has settled.
    pub(super) fn settle_views(&mut self) {
        let tip = self.log.tip();
        self.views = self.views.split_off(&(tip.view + 1));
        self.blocks.retain(|_, block| block.id().view > tip.view);
        (self.taken_in).retain(|block| self.blocks.contains_key(block));
        self.enter(tip.view + 1);
        self.timing.fresh = true;
    }
}
