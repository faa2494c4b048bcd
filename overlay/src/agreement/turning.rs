//! A6: when this member ends an epoch, and how it comes back after it lost what it had stored.

use super::{
    Agreement,
    order::{Order, Saying},
    state::Context,
};
use crate::{
    digest::Claim,
    identity::PeerId,
    io::Refusal,
    time::{Duration, Time},
    wire::encode,
};
use bytes::Bytes;
use hamlet_consensus::succession;

/// How long it waits before it says the same again.
const AGAIN: Duration = Duration::from_secs(4);
/// A peer may ask this often that something be ordered for it.
const PETITION_EVERY: Duration = Duration::from_secs(1);
/// The most peers whose petitions are counted; others are refused.
const MAX_PETITIONERS: usize = 64;

impl Agreement {
    /// An epoch has begun here.
    pub(super) fn begin_epoch(&mut self) {
        self.since = self.now;
        self.said_until = Time::ZERO;
        self.changed = true;
        self.draws.look();
        self.around.tell(self.now);
    }

    /// When it wants to be asked whether [the epoch is to end](Agreement::wants_turn).
    pub(super) fn turning_at(&self) -> Time {
        let reason = self
            .state()
            .is_some_and(|state| state.has_reason_to_end() && !state.has_turned(self.me));
        match reason {
            true => self.said_until.max(self.since + self.epoch_min),
            false if self.succession.abstains() && self.is_named() => self.said_until,
            false => Time::NEVER,
        }
    }

    /// Whether this peer is among the members of the newest epoch that it knows.
    fn is_named(&self) -> bool {
        self.succession.newest().position(self.me).is_some()
    }

    /// Whether this member finds that the epoch has lasted long enough, and there is a reason to end it.
    pub fn wants_turn(&self) -> bool {
        self.turning_at() <= self.now && self.state().is_some()
    }

    /// Says so, with the newest segments that it has heard of.
    pub fn turn(&mut self, heads: Vec<Claim>) {
        self.said_until = self.now + AGAIN;
        let order = self.say(Saying::Turn { heads });
        self.propose(self.now, &order);
    }

    /// Takes part again, if the newest epoch began after this peer said that it had lost what it had stored; else what
    /// fellows are to order for it, if it is time to ask, and those fellows.
    pub fn come_back(&mut self) -> Option<(Order, Vec<PeerId>)> {
        if !self.succession.abstains() {
            return None;
        }
        let newest = self.succession.newest().clone();
        let is_back = |context: Context| context.back.contains(&(self.me, self.nonce));
        let is_back = |charter| Context::of(charter).is_some_and(is_back);
        if self.succession.chain().charters().any(is_back) {
            self.handle(self.now, succession::Input::TakePart);
            return None;
        }
        if self.said_until > self.now || !self.is_named() {
            return None;
        }
        self.said_until = self.now + PETITION_EVERY;
        let order = self.say(Saying::Lost { nonce: self.nonce });
        let fellows = newest.members().iter().copied();
        Some((order, fellows.filter(|peer| *peer != self.me).collect()))
    }

    /// A fellow asks that something be ordered for it, since it cannot.
    pub fn petition(&mut self, now: Time, from: PeerId, order: Order) -> Result<(), Refusal> {
        let Order::Said(said) = &order else {
            return Err(Refusal::NotOwed);
        };
        let bounded = self.petitions.contains_key(&from) || self.petitions.len() < MAX_PETITIONERS;
        let early = (self.petitions.get(&from)).is_some_and(|last| now < *last + PETITION_EVERY);
        let lost = said.by == from && matches!(said.saying, Saying::Lost { .. });
        let member = self.succession.newest().position(from).is_some();
        if !lost || !member {
            return Err(Refusal::NotOwed);
        }
        if early || !bounded {
            return Err(Refusal::TooManyRequests);
        }
        self.petitions.insert(from, now);
        let payload = Bytes::from(encode(&order));
        self.handle(now, succession::Input::Submit(vec![payload]));
        Ok(())
    }
}
