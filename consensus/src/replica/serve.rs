//! R12, the helper's side: bounded answers to members that are behind.

use super::Replica;
use crate::{
    application::Application,
    epoch::Height,
    log::Executed,
    member::{Member, MemberSet},
    message::{Fetch, MAX_HEADERS, MAX_TAIL_BYTES, Message, SnapshotOffer, Tail},
};

impl<A: Application> Replica<A> {
    pub(super) fn on_fetch(&mut self, from: Member, fetch: Fetch) {
        if !self
            .peers
            .take_token(from, self.now, self.settings.delay / 8)
        {
            return;
        }
        let answer = if fetch.above < self.log.height() {
            self.tail(fetch.above).or_else(|| self.offer())
        } else {
            let block = fetch.block.and_then(|block| self.blocks.get(&block.hash));
            block.map(|block| Message::Block(block.block().clone()))
        };
        if let Some(answer) = answer {
            self.send(MemberSet::one(from), answer);
        }
    }

    /// What follows a height, down from the farthest commit certificate that the bounds allow.
    fn tail(&self, above: Height) -> Option<Message> {
        let run: Vec<&Executed> = self.log.after(above)?.take(MAX_HEADERS).collect();
        let last = run
            .iter()
            .rposition(|executed| executed.certificate.is_some())?;
        let run = &run[..=last];
        let mut left = MAX_TAIL_BYTES;
        let mut bodies = Vec::new();
        for executed in run {
            let size = executed.block.size();
            if size > left && !bodies.is_empty() {
                break;
            }
            left = left.saturating_sub(size);
            bodies.push(executed.block.block().commands.clone());
        }
        Some(Message::Tail(Box::new(Tail {
            certificate: run[last].certificate.clone()?,
            headers: run
                .iter()
                .map(|executed| *executed.block.header())
                .collect(),
            bodies,
        })))
    }

    fn offer(&self) -> Option<Message> {
        let base = self.log.base()?;
        Some(Message::Snapshot(Box::new(SnapshotOffer {
            seal: base.seal.clone(),
            pieces: base.snapshot.pieces.clone(),
        })))
    }

    pub(super) fn on_fetch_piece(&mut self, from: Member, height: Height, index: u32) {
        let piece = (self.log.base())
            .filter(|base| base.snapshot.height == height)
            .and_then(|base| base.snapshot.piece(index));
        if let Some(bytes) = piece
            && self
                .peers
                .take_token(from, self.now, self.settings.delay / 8)
        {
            let message = Message::Piece {
                height,
                index,
                bytes,
            };
            self.send(MemberSet::one(from), message);
        }
    }
}
