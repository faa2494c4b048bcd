//! E4, E7: what is said across epochs, and how much of it anybody may ask for.

use super::{
    Output, Parcel, Succession, Transfer,
    handover::{Handover, Tag, tag},
    joining::Progress,
    message::MAX_HANDOVERS,
};
use crate::{
    application::Application,
    certificate::Certificate,
    check::{Check, Item, Verdict},
    epoch::Epoch,
    hash::Hash,
    identity::PeerId,
    log::{self, Snapshot},
    mutant::Mutant,
    time::Time,
};
use bytes::Bytes;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How many answers a peer may cause at once.
const MAX_TOKENS: u32 = 32;
/// How many peers' tokens are counted; who is not counted gets no answer.
const MAX_VISITORS: usize = 256;
/// How many checks of what peers say may be under way.
const MAX_PENDING: usize = 16;

/// How much each peer may still cause.
#[derive(Clone, Debug, Default)]
pub(super) struct Visitors {
    tokens: BTreeMap<PeerId, (u32, Time)>,
}

impl Visitors {
    /// Whether a peer may cause one more answer; one comes back every `interval`.
    fn take(&mut self, peer: PeerId, now: Time, interval: Duration) -> bool {
        let interval = interval.max(Duration::from_micros(1));
        if !self.tokens.contains_key(&peer) && self.tokens.len() >= MAX_VISITORS {
            // Who has been quiet for long enough is as good as new.
            let all = interval * MAX_TOKENS;
            self.tokens.retain(|_, (_, since)| now.since(*since) < all);
            if self.tokens.len() >= MAX_VISITORS {
                return false;
            }
        }
        let (tokens, since) = self.tokens.entry(peer).or_insert((MAX_TOKENS, now));
        let back = now.since(*since).as_micros() / interval.as_micros();
        if back > 0 {
            *tokens = (*tokens).saturating_add(back as u32).min(MAX_TOKENS);
            *since = now;
        }
        let left = tokens.checked_sub(1);
        *tokens = left.unwrap_or(0);
        left.is_some()
    }
}

/// What a check under way is about.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// The first of these handovers, which this peer sent.
    Handovers(PeerId, Vec<Handover>),
    /// That a quorum of this epoch has begun.
    Established(PeerId, Tag),
}

impl<A: Application + Clone> Succession<A> {
    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.settings.delay * 4
    }

    fn may_cause(&mut self, peer: PeerId) -> bool {
        let interval = self.settings.delay / 8;
        self.visitors.take(peer, self.now, interval)
    }

    fn say(&mut self, to: PeerId, transfer: Transfer) {
        (self.outputs).push_back(Output::Send(vec![to], Parcel::Transfer(transfer)));
    }

    /// A peer speaks in an epoch that this one takes no part in.
    pub(super) fn on_stray(&mut self, from: PeerId, name: Tag) {
        if !self.may_cause(from) {
            return;
        }
        if self.chain.knows(name) {
            self.guide(from, name);
        } else {
            self.say(from, Transfer::Follow(tag(self.chain.awaited())));
        }
    }

    /// Tells what followed an epoch.
    fn guide(&mut self, to: PeerId, name: Tag) {
        if self.chain.newest().mutants.has(Mutant::NeverGuide) {
            return;
        }
        let handovers = self.chain.after(name, MAX_HANDOVERS).unwrap_or_default();
        if !handovers.is_empty() {
            self.say(to, Transfer::Handovers(handovers));
        }
    }

    pub(super) fn on_transfer(&mut self, from: PeerId, transfer: Transfer) {
        match transfer {
            Transfer::Handovers(handovers) => self.on_handovers(from, handovers),
            Transfer::Follow(name) => {
                if self.may_cause(from) {
                    self.guide(from, name);
                }
            }
            Transfer::FetchOrigin(_) | Transfer::FetchPiece(..) if !self.may_cause(from) => {}
            Transfer::FetchOrigin(name) => {
                // Hashed anew for whoever asks, so only after it was paid for.
                let pieces = (self.origin_of(name)).map(|(height, bytes)| {
                    Transfer::Pieces(name, Snapshot::new(height, bytes).pieces)
                });
                self.say_or_guide(from, name, pieces);
            }
            Transfer::FetchPiece(name, index) => {
                let piece = (self.origin_of(name))
                    .and_then(|(_, bytes)| log::piece(&bytes, index))
                    .map(|piece| Transfer::Piece(name, index, piece));
                self.say_or_guide(from, name, piece);
            }
            Transfer::Pieces(name, pieces) => self.on_pieces(from, name, pieces),
            Transfer::Piece(name, index, bytes) => self.on_piece(from, name, index, &bytes),
            Transfer::Established(name, certificate) => {
                self.on_established(from, name, *certificate);
            }
        }
    }

    /// What is asked for, or else what followed that epoch, if it is past.
    fn say_or_guide(&mut self, to: PeerId, name: Tag, answer: Option<Transfer>) {
        match answer {
            Some(answer) => self.say(to, answer),
            None => self.guide(to, name),
        }
    }

    fn answer(&mut self, to: PeerId, answer: Option<Transfer>) {
        if let Some(answer) = answer.filter(|_| self.may_cause(to)) {
            self.say(to, answer);
        }
    }

    /// The state that an epoch begins with, if it is at hand.
    fn origin_of(&self, name: Tag) -> Option<(u64, Bytes)> {
        let member = self.member.as_ref().filter(|member| member.tag == name);
        if let Some(replica) = member.map(|member| &member.replica) {
            return Some((replica.epoch().origin().height, replica.origin()?.clone()));
        }
        let mut retiring = self.retiring.iter();
        retiring.find_map(|retiring| retiring.origin_of(name))
    }

    fn on_handovers(&mut self, from: PeerId, mut handovers: Vec<Handover>) {
        let awaited = tag(self.chain.awaited());
        let Some(first) = handovers
            .iter()
            .position(|handover| handover.ended == awaited)
        else {
            let known = (self.chain).latest(handovers.iter().map(|handover| handover.ended));
            if self.on_end_of_successor(from, &handovers) {
                // That is what was waited for.
            } else if let Some(ended) = known {
                self.reassure(from, ended);
            } else if !handovers.is_empty() && self.may_cause(from) {
                self.say(from, Transfer::Follow(awaited));
            }
            return;
        };
        handovers.drain(..first);
        self.check_handovers(from, handovers);
    }

    /// E6: an epoch's end is told until a quorum of what follows is known to have begun: shows that.
    fn reassure(&mut self, to: PeerId, ended: Tag) {
        if tag(self.chain.newest()) == ended {
            // Both wait for the end of the epoch that was asked.
            return;
        }
        let last = self.chain.last_handover();
        if last.is_none_or(|(before, _)| tag(before) != ended) {
            // What follows has ended itself, which proves as much.
            if self.may_cause(to) {
                self.guide(to, ended);
            }
            return;
        }
        let newest = tag(self.chain.newest());
        let here = self.member.as_ref().filter(|member| member.tag == newest);
        let seal = here.and_then(|member| member.replica.established().cloned());
        let answer = seal.map(|seal| Transfer::Established(newest, Box::new(seal)));
        self.answer(to, answer);
    }

    /// E6: if one of these handovers ends an epoch that is waited for, a quorum of it has begun. Whether one does.
    fn on_end_of_successor(&mut self, from: PeerId, handovers: &[Handover]) -> bool {
        let waits = |end: &&Handover| {
            let mut retiring = self.retiring.iter();
            retiring.any(|retiring| retiring.unsettled.contains(&end.ended))
        };
        let Some(end) = handovers.iter().find(waits) else {
            return false;
        };
        let (name, seal) = (end.ended, end.seal.clone());
        self.on_established(from, name, seal);
        true
    }

    /// Has the first of these handovers checked, which is about the epoch that is awaited.
    fn check_handovers(&mut self, from: PeerId, handovers: Vec<Handover>) {
        let awaited = self.chain.awaited().clone();
        let Some(first) = handovers.first() else {
            return;
        };
        if awaited.mutants.has(Mutant::TrustHandover) {
            return self.follow(from, handovers);
        }
        let items = (first.epochs(&awaited)).and_then(|_| first.items(&awaited));
        self.check(from, awaited, items, Pending::Handovers(from, handovers));
    }

    fn check(&mut self, by: PeerId, epoch: Arc<Epoch>, items: Option<Vec<Item>>, what: Pending) {
        let busy = (self.pending.values()).any(|pending| pending.by() == by);
        let Some(items) = items.filter(|_| !busy && self.pending.len() < MAX_PENDING) else {
            return;
        };
        if !self.may_cause(by) {
            return;
        }
        let id = self.next_check;
        self.next_check += 1;
        let check = Check {
            id,
            epoch,
            items,
            all_or_nothing: true,
        };
        self.outputs.push_back(Output::Check(None, check));
        self.pending.insert(id, what);
    }

    pub(super) fn on_verdict(&mut self, verdict: Verdict) {
        let Some(pending) = self.pending.remove(&verdict.id) else {
            return;
        };
        if !verdict.valid.iter().all(|valid| *valid) {
            return;
        }
        match pending {
            Pending::Handovers(from, handovers) => self.follow(from, handovers),
            Pending::Established(_, name) => {
                self.settle_successor(name);
            }
        }
    }

    /// A quorum of this epoch has begun.
    fn settle_successor(&mut self, name: Tag) {
        for retiring in &mut self.retiring {
            retiring.unsettled.retain(|unsettled| *unsettled != name);
        }
    }

    /// Goes on by the first of these handovers, which was checked, and has the next one checked.
    fn follow(&mut self, from: PeerId, mut handovers: Vec<Handover>) {
        let awaited = tag(self.chain.awaited());
        if handovers.first().is_none_or(|first| first.ended != awaited) {
            return;
        }
        self.go_on(handovers.remove(0), Some(from));
        // Who told this may know more.
        self.guide = Some(from);
        self.seek = (self.now, 0);
        self.check_handovers(from, handovers);
    }

    fn on_established(&mut self, from: PeerId, name: Tag, certificate: Certificate) {
        let mut retiring = self.retiring.iter();
        let unsettled = retiring.find(|retiring| retiring.unsettled.contains(&name));
        let Some(epoch) = unsettled
            .and_then(|retiring| retiring.successor(name))
            .cloned()
        else {
            return;
        };
        if epoch.mutants.has(Mutant::TrustEstablished) {
            return self.settle_successor(name);
        }
        let items = certificate.items(&epoch);
        self.check(from, epoch, items, Pending::Established(from, name));
    }

    fn on_pieces(&mut self, from: PeerId, name: Tag, pieces: Vec<Hash>) {
        let now = self.now;
        let joining = self
            .joining
            .as_mut()
            .filter(|joining| tag(&joining.epoch) == name);
        let question = joining.and_then(|joining| joining.on_pieces(now, from, pieces));
        if let Some((to, question)) = question {
            self.say(to, question);
        }
    }

    fn on_piece(&mut self, from: PeerId, name: Tag, index: u32, bytes: &Bytes) {
        let now = self.now;
        let Some(joining) = self
            .joining
            .as_mut()
            .filter(|joining| tag(&joining.epoch) == name)
        else {
            return;
        };
        match joining.on_piece(now, from, index, bytes) {
            Progress::None => {}
            Progress::Ask((to, question)) => self.say(to, question),
            Progress::Done(snapshot) => {
                self.joining = None;
                self.begin(snapshot);
            }
        }
    }

    /// E4: asks for the state that the newest epoch begins with, if it is time.
    pub(super) fn join(&mut self) {
        let (now, patience) = (self.now, self.patience());
        let question = (self.joining.as_mut()).and_then(|joining| joining.ask(now, patience));
        if let Some((to, question)) = question {
            self.say(to, question);
        }
    }

    /// Whether this peer takes no part in the epoch that is awaited, and waits for its end.
    pub(super) fn wants_to_seek(&self) -> bool {
        let awaited = self.chain.awaited();
        self.abstains || self.chain.doubt().is_some() || awaited.position(self.me).is_none()
    }

    /// E7: asks one after the other of the members of the epoch that is awaited what followed, and in between whoever told
    /// this peer of it, if it takes no part in it.
    pub(super) fn seek(&mut self) {
        let (at, turn) = self.seek;
        if !self.wants_to_seek() || self.now < at {
            return;
        }
        self.seek = (self.now + self.settings.beat, turn.wrapping_add(1));
        let awaited = self.chain.awaited();
        let members = awaited.members();
        let member = members[turn / 2 % members.len()];
        let to = self.guide.filter(|_| turn % 2 == 0).unwrap_or(member);
        let question = Transfer::Follow(tag(awaited));
        if to != self.me {
            self.say(to, question);
        }
    }
}

impl Pending {
    /// Who said what is checked.
    fn by(&self) -> PeerId {
        match self {
            Pending::Handovers(by, _) | Pending::Established(by, _) => *by,
        }
    }
}
