//! R13: coming back after a crash. Under synchrony others do not rely on who did for a while (S9).

use super::{Replica, certify::Checks};
use crate::{
    application::Application,
    block::SoundBlock,
    certificate::Claim,
    io::Output,
    log::Snapshot,
    storage::{Record, StorageError},
    vote::Vote,
};

impl<A: Application> Replica<A> {
    /// Repeats what is on disk, without sending anything.
    pub(super) fn recover(&mut self, stored: &[Vec<u8>]) -> Result<(), StorageError> {
        let parsed = self.framing.parse(stored)?;
        self.recovering = true;
        for (at, record) in parsed.records.into_iter().enumerate() {
            self.repeat_record(record)
                .ok_or(StorageError::Foreign { record: at })?;
        }
        self.recovering = false;
        // What was executed is told again: a driver that follows it starts anew as well.
        self.outbox
            .retain(|output| matches!(output, Output::Executed(_) | Output::Restored(_)));
        self.outputs.clear();
        self.must_rewrite = false;
        self.checks = Checks::default();
        if parsed.torn {
            // A torn record cannot be followed by others.
            let whole = &stored[..stored.len() - 1];
            self.outputs.push_back(Output::Rewrite(whole.to_vec()));
        }
        self.timing.entered(self.now);
        // Certificates may be lost that the own votes alone make.
        let own: Vec<Vote> = (self.views.values())
            .flat_map(|open| open.own.votes.iter().map(|signed| signed.vote))
            .collect();
        for vote in own {
            self.count(vote);
        }
        self.set_alarm();
        self.flush();
        Ok(())
    }

    fn repeat_record(&mut self, record: Record) -> Option<()> {
        match record {
            Record::Origin { snapshot } => {
                self.log.begin(&self.epoch, snapshot).ok()?;
                self.outbox.push(Output::Restored(self.log.height()));
                self.settle_views();
            }
            Record::Base { seal, snapshot } => {
                let Claim::Sealed(sealed) = seal.claim else {
                    return None;
                };
                let snapshot = Snapshot::new(sealed.height(), snapshot.into());
                self.log.restore(snapshot, seal).ok()?;
                self.outbox.push(Output::Restored(sealed.height()));
                self.settle_views();
            }
            Record::Block(block) => {
                let block = SoundBlock::check(block)?;
                if block.id().height > self.log.height() {
                    self.blocks.insert(block.id().hash, block);
                    self.execute_target();
                }
            }
            Record::Vote(signed) => {
                let view = signed.vote.view();
                if view <= self.floor() {
                    return Some(());
                }
                self.enter(view);
                let me = self.me;
                let open = self.views.entry(view).or_default();
                open.own.votes.push(signed);
                open.accept(me, signed.vote, signed.signature);
                open.given_up |= matches!(signed.vote, Vote::Nullify(_) | Vote::Abandon(_));
                if let Vote::Notarize(id) = signed.vote {
                    open.proposal = self.blocks.get(&id.hash).cloned();
                }
                if let Vote::Notarize(id) | Vote::Support(id) = signed.vote {
                    self.begin_clock(id);
                }
            }
            Record::Certificate(certificate) => self.on_certificate(certificate),
        }
        Some(())
    }
}
