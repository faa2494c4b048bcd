//! E4: getting the state that an epoch begins with, from members of that epoch and of the one before, one at a time,
//! believing nobody.

use super::handover::{Tag, tag};
use crate::{
    epoch::Epoch,
    hash::{Domain, Hash},
    identity::PeerId,
    log::state_root,
    message::MAX_PIECES,
    mutant::Mutant,
    succession::message::Transfer,
    time::Time,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// The state of an epoch's beginning, on its way.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub epoch: Arc<Epoch>,
    /// Who may have it: members of the epoch before, and of this one.
    candidates: Vec<PeerId>,
    /// Whose turn it is, counted on and on.
    turn: usize,
    asked: Option<Time>,
    /// Questions that got no answer in time, since the last that did.
    vain: usize,
    pieces: Vec<Hash>,
    bytes: Vec<u8>,
    count: usize,
}

impl Joining {
    pub fn new(epoch: Arc<Epoch>, before: &Epoch, me: PeerId, told_by: Option<PeerId>) -> Joining {
        let old = before.members().iter();
        let old = old.filter(|_| !epoch.mutants.has(Mutant::FetchFromNewOnly));
        let new = epoch.members().iter();
        let mut candidates: Vec<PeerId> = old.chain(new).copied().collect();
        candidates.sort();
        candidates.dedup();
        candidates.retain(|peer| *peer != me);
        // Who told of the epoch's end mostly has the state; otherwise newcomers begin with different peers.
        let first = told_by.and_then(|by| candidates.iter().position(|peer| *peer == by));
        Joining {
            turn: first.unwrap_or(usize::from(me.0[0])),
            candidates,
            asked: None,
            vain: 0,
            pieces: Vec::new(),
            bytes: Vec::new(),
            count: 0,
            epoch,
        }
    }

    fn name(&self) -> Tag {
        tag(&self.epoch)
    }

    fn candidate(&self) -> Option<PeerId> {
        let place = self.turn.checked_rem(self.candidates.len())?;
        self.candidates.get(place).copied()
    }

    /// When the next question is due. Answers are given twice the time once all were asked in vain; one that comes late
    /// from whoever was asked before is as good.
    pub fn due(&self, patience: Duration) -> Time {
        let rounds = self.vain.checked_div(self.candidates.len()).unwrap_or(0);
        let patience = patience * (1 << rounds.min(6));
        self.asked.map_or(Time::ZERO, |asked| asked + patience)
    }

    /// The question to ask now, if the last one was not answered in time; then the next peer's turn has come.
    pub fn ask(&mut self, now: Time, patience: Duration) -> Option<(PeerId, Transfer)> {
        if now < self.due(patience) {
            return None;
        }
        if self.asked.is_some() {
            self.turn = self.turn.wrapping_add(1);
            self.vain += 1;
        }
        self.question(now)
    }

    fn question(&mut self, now: Time) -> Option<(PeerId, Transfer)> {
        self.asked = Some(now);
        let question = match self.pieces.is_empty() {
            true => Transfer::FetchOrigin(self.name()),
            false => Transfer::FetchPiece(self.name(), self.count as u32),
        };
        self.candidate().map(|peer| (peer, question))
    }

    /// The hashes of the pieces came: the next question, if they are right.
    pub fn on_pieces(
        &mut self,
        now: Time,
        from: PeerId,
        pieces: Vec<Hash>,
    ) -> Option<(PeerId, Transfer)> {
        let origin = self.epoch.origin();
        let right =
            state_root(&pieces) == origin.state || self.epoch.mutants.has(Mutant::TrustOrigin);
        let bounded = (1..=MAX_PIECES).contains(&pieces.len());
        let expected = self.candidates.contains(&from) && self.pieces.is_empty();
        if !expected || !right || !bounded {
            return None;
        }
        self.pieces = pieces;
        self.vain = 0;
        self.question(now)
    }

    /// A piece came: the next question if it is right, or the whole state if it was the last.
    pub fn on_piece(&mut self, now: Time, from: PeerId, index: u32, bytes: &Bytes) -> Progress {
        let expected = self.pieces.get(self.count);
        let right = expected == Some(&Domain::Piece.hash(bytes))
            || expected.is_some() && self.epoch.mutants.has(Mutant::TrustOrigin);
        if !self.candidates.contains(&from) || index as usize != self.count || !right {
            return Progress::None;
        }
        self.bytes.extend_from_slice(bytes);
        self.count += 1;
        self.vain = 0;
        if self.count < self.pieces.len() {
            return self.question(now).map_or(Progress::None, Progress::Ask);
        }
        Progress::Done(std::mem::take(&mut self.bytes).into())
    }
}

/// What came of a piece.
pub(super) enum Progress {
    None,
    Ask((PeerId, Transfer)),
    Done(Bytes),
}
