//! R12, the asker's side: getting what this member lacks, from one member at a time, believing nobody.

use super::{Replica, certify::Rests};
use crate::{
    application::Application,
    block::{Block, BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    epoch::Height,
    hash::Domain,
    io::{Output, Settings},
    log::{Snapshot, state_root},
    member::{Member, MemberSet},
    message::{Fetch, Message, SnapshotOffer, Status, Tail},
    mutant::Mutant,
    storage::Record,
    time::Time,
};
use bytes::Bytes;
use std::sync::Arc;

/// What this member lacks, and whom it asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CatchUp {
    /// A committed block whose body is not here.
    missing: Option<BlockId>,
    /// The greatest height that somebody claims to have executed.
    claimed: Height,
    /// Since when something is lacking.
    since: Option<Time>,
    /// Who was asked last, when.
    asked: Option<(Member, Time)>,
    /// Questions in a row that got no answer in time.
    unanswered: usize,
    download: Option<Download>,
}

/// A snapshot on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Download {
    from: Member,
    offer: SnapshotOffer,
    height: Height,
    bytes: Vec<u8>,
    /// How many pieces are here.
    count: usize,
}

impl CatchUp {
    /// Somebody says that it executed this height.
    pub fn heard_of(&mut self, height: Height, now: Time) {
        self.claimed = self.claimed.max(height);
        self.since.get_or_insert(now);
    }

    /// A committed block is missing.
    pub fn lack(&mut self, block: BlockId, now: Time) {
        self.missing = Some(block);
        self.since.get_or_insert(now);
    }

    /// When the next question is due. What is lacking mostly comes by itself, so the first waits a little. Questions are
    /// given twice the time once all `members` have been asked, not before, or a few who claim what they do not have
    /// would keep this member from asking the others.
    pub fn due(&self, settings: &Settings, members: usize) -> Option<Time> {
        let first = self.since? + settings.delay;
        let rounds = (self.unanswered / members.max(1)).min(8);
        Some(match self.asked {
            Some((_, asked)) => asked + settings.delay * 3 * (1 << rounds),
            None => first,
        })
    }
}

impl<A: Application> Replica<A> {
    /// Asks the next member, if something is lacking and the last one did not help.
    pub(super) fn ask(&mut self) {
        let height = self.log.height();
        let catch_up = &mut self.catch_up;
        (catch_up.missing)
            .take_if(|block| block.height <= height || self.blocks.contains_key(&block.hash));
        if catch_up.missing.is_none() && catch_up.claimed <= height {
            (catch_up.since, catch_up.asked) = (None, None);
            catch_up.download = None;
            catch_up.unanswered = 0;
            return;
        }
        if catch_up
            .due(&self.settings, self.epoch.size())
            .is_none_or(|due| self.now < due)
        {
            return;
        }
        catch_up.download = None;
        catch_up.claimed = 0;
        if let Some((silent, _)) = catch_up.asked {
            // Who claimed to be ahead and did not show it is not asked before it claims so again.
            catch_up.unanswered += 1;
            self.peers.set_status(silent, Status::default());
        }
        let ahead = self.peers.above(height);
        let candidates = if ahead.is_empty() || self.catch_up.missing.is_some() {
            self.epoch.all().without(MemberSet::one(self.me))
        } else {
            ahead
        };
        let last = self.catch_up.asked.map_or(self.me, |(member, _)| member);
        let next = (candidates.iter().find(|member| *member > last)).or(candidates.iter().next());
        let nobody = ahead.is_empty() && self.catch_up.missing.is_none();
        let Some(next) = next.filter(|_| !nobody) else {
            // Nothing is lacking that anybody claims to have.
            (self.catch_up.since, self.catch_up.asked) = (None, None);
            return;
        };
        if !ahead.is_empty() {
            self.catch_up.claimed = height + 1;
        }
        self.ask_of(next);
    }

    fn ask_of(&mut self, member: Member) {
        self.catch_up.asked = Some((member, self.now));
        let fetch = Fetch {
            above: self.log.height(),
            block: self.catch_up.missing,
        };
        self.send(MemberSet::one(member), Message::Fetch(fetch));
    }

    fn was_asked(&self, member: Member) -> bool {
        self.catch_up
            .asked
            .is_some_and(|(asked, _)| asked == member)
    }

    pub(super) fn on_block(&mut self, from: Member, block: &Arc<Block>) {
        let wanted = self.catch_up.missing.filter(|_| self.was_asked(from));
        if wanted == Some(block.header.id())
            && let Some(block) = SoundBlock::check(block.clone())
        {
            self.record(&Record::Block(block.block().clone()));
            self.blocks.insert(block.id().hash, block);
            self.execute_target();
            if self.catch_up.missing.is_some() {
                self.ask_of(from);
            }
        }
    }

    pub(super) fn on_tail(&mut self, from: Member, tail: &Tail) {
        if !self.was_asked(from) || !self.is_chain(tail) {
            return;
        }
        if self.epoch.mutants.has(Mutant::TrustHelpers) {
            return self.on_checked_tail(tail.clone());
        }
        let certificates = vec![tail.certificate.clone()];
        self.admit(from, certificates, Rests::Tail(Box::new(tail.clone())));
    }

    /// Whether the headers lead from what is executed to what the certificate commits.
    fn is_chain(&self, tail: &Tail) -> bool {
        let mut parent = self.log.tip();
        for header in &tail.headers {
            if header.epoch != self.epoch.id() || header.parent_id() != parent {
                return false;
            }
            parent = header.id();
        }
        tail.certificate.claim.commits() == Some(parent) && !tail.headers.is_empty()
    }

    /// Executes what a certificate shows to be committed, as far as its bodies are here.
    pub(super) fn on_checked_tail(&mut self, tail: Tail) {
        // Something may have been executed since the question.
        let height = self.log.height();
        let Tail {
            certificate,
            headers,
            bodies,
        } = tail;
        let last = headers.len();
        for (at, (header, commands)) in (1..).zip(headers.into_iter().zip(bodies)) {
            if header.height <= height {
                continue;
            }
            let block = SoundBlock::check(Arc::new(Block { header, commands }));
            let Some(block) = block.filter(|block| block.parent() == self.log.tip()) else {
                return;
            };
            self.record(&Record::Block(block.block().clone()));
            let certificate = Some(certificate.clone()).filter(|_| at == last);
            if let Some(certificate) = &certificate {
                self.record(&Record::Certificate(certificate.clone()));
            }
            self.execute(block, certificate);
        }
        if self.log.height() > height {
            self.settle_views();
            self.forget_reached_target();
            self.timing.committed();
        }
        self.on_certificate(certificate);
        let asked = self.catch_up.asked.map(|(member, _)| member);
        if let Some(member) = asked.filter(|_| self.catch_up.claimed > self.log.height()) {
            self.ask_of(member);
        }
    }

    fn forget_reached_target(&mut self) {
        let reached = |target: &mut Certificate| {
            (target.claim.commits()).is_none_or(|block| block.height <= self.log.height())
        };
        self.target.take_if(reached);
        self.execute_target();
    }

    pub(super) fn on_snapshot(&mut self, from: Member, offer: &SnapshotOffer) {
        let Claim::Sealed(seal) = offer.seal.claim else {
            return;
        };
        if !self.was_asked(from)
            || self.catch_up.download.is_some()
            || seal.height() <= self.log.height()
            || seal.state != Some(state_root(&offer.pieces))
        {
            return;
        }
        if self.epoch.mutants.has(Mutant::TrustHelpers) {
            return self.on_checked_snapshot(from, offer.clone());
        }
        let certificates = vec![offer.seal.clone()];
        self.admit(from, certificates, Rests::Snapshot(Box::new(offer.clone())));
    }

    pub(super) fn on_checked_snapshot(&mut self, from: Member, offer: SnapshotOffer) {
        let Claim::Sealed(seal) = offer.seal.claim else {
            return;
        };
        if seal.height() > self.log.height() {
            self.catch_up.download = Some(Download {
                from,
                offer,
                height: seal.height(),
                bytes: Vec::new(),
                count: 0,
            });
            self.ask_piece();
        }
    }

    fn ask_piece(&mut self) {
        if let Some(download) = &self.catch_up.download {
            let (from, height) = (download.from, download.height);
            let index = download.count as u32;
            self.catch_up.asked = Some((from, self.now));
            self.send(MemberSet::one(from), Message::FetchPiece { height, index });
        }
    }

    pub(super) fn on_piece(&mut self, from: Member, height: Height, index: u32, bytes: &Bytes) {
        let Some(download) = &mut self.catch_up.download else {
            return;
        };
        let expected = download.offer.pieces.get(download.count);
        if download.from != from
            || download.height != height
            || download.count as u32 != index
            || expected != Some(&Domain::Piece.hash(bytes))
        {
            return;
        }
        download.bytes.extend_from_slice(bytes);
        download.count += 1;
        self.catch_up.unanswered = 0;
        if download.count < download.offer.pieces.len() {
            return self.ask_piece();
        }
        if let Some(download) = self.catch_up.download.take() {
            self.restore(download);
        }
    }

    fn restore(&mut self, download: Download) {
        let snapshot = Snapshot::new(download.height, download.bytes.into());
        if download.height <= self.log.height()
            || self.log.restore(snapshot, download.offer.seal).is_err()
        {
            return;
        }
        self.settle_views();
        self.forget_reached_target();
        self.forget_executed();
        self.expire_commands();
        self.give_up_proofs(download.height);
        self.outbox.push(Output::Restored(download.height));
        self.must_rewrite = true;
        self.ask_of(download.from);
    }
}
