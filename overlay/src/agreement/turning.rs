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
        self.look_for_batches();
        self.begin_calling();
        let members = self.succession.newest().members();
        self.silence.begin(members, self.now);
        self.around.tell(self.now);
    }

    /// What the wall clock shows, in milliseconds since 1970.
    pub(super) fn unix_now(&self) -> u64 {
        let since = self.now.since(Time::ZERO).as_millis() as u64;
        self.unix_ms.saturating_add(since)
    }

    /// When the wall clock shows this.
    pub(super) fn time_of(&self, unix_ms: Option<u64>) -> Time {
        let after = unix_ms.map(|unix_ms| unix_ms.saturating_sub(self.unix_ms));
        after.map_or(Time::NEVER, |after| {
            Time::ZERO + Duration::from_millis(after)
        })
    }

    /// When it wants to be asked whether [the epoch is to end](Agreement::wants_turn).
    pub(super) fn turning_at(&self) -> Time {
        let state = self.state().filter(|state| !state.has_turned(self.me));
        // A lease that runs out is a reason as well, when it does.
        let reason_at = state.map(|state| match state.has_reason_to_end() {
            true => Time::ZERO,
            false => self.time_of(state.next_overdue()),
        });
        match reason_at {
            Some(at) if at != Time::NEVER => {
                at.max(self.said_until).max(self.since + self.epoch_min)
            }
            _ if self.succession.abstains() && self.is_member() => self.said_until,
            _ => Time::NEVER,
        }
    }

    /// Whether this member finds that the epoch has lasted long enough, and there is a reason to end it.
    pub fn wants_turn(&self) -> bool {
        self.turning_at() <= self.now && self.state().is_some()
    }

    /// Says so, with the newest segments that it has heard of.
    pub fn turn(&mut self, heads: Vec<Claim>) {
        self.said_until = self.now + AGAIN;
        let unix_ms = self.unix_now();
        let order = self.say(Saying::Turn { heads, unix_ms });
        self.propose(self.now, &order);
    }

    /// Takes part, if the newest epoch is one in which this peer cannot have taken part before: one after the last that it left,
    /// or, where it may have forgotten some, one that began after it said that it had lost what it had stored. Else what fellows
    /// are to order for it, if it is time to ask, and those fellows.
    pub fn come_back(&mut self) -> Option<(Order, Vec<PeerId>)> {
        if !self.succession.abstains() || !self.has_arrived {
            return None;
        }
        let newest = self.succession.newest().clone();
        let is_back = |context: Context| context.back.contains(&(self.me, self.nonce));
        let is_back = |charter| Context::of(charter).is_some_and(is_back);
        let is_new = !self.forgetful && self.is_member() && self.left < Some(newest.number());
        if is_new || self.succession.chain().charters().any(is_back) {
            self.handle(self.now, succession::Input::TakePart);
            return None;
        }
        if self.said_until > self.now || !self.is_member() {
            return None;
        }
        self.said_until = self.now + PETITION_EVERY;
        let order = self.say(Saying::Lost { nonce: self.nonce });
        let fellows = newest.members().iter().copied();
        Some((order, fellows.filter(|peer| *peer != self.me).collect()))
    }

    /// A peer asks that something be ordered for it, since it cannot: a fellow that lost what it had stored or leaves, or
    /// somebody who wants a place.
    pub fn petition(&mut self, now: Time, from: PeerId, order: Order) -> Result<(), Refusal> {
        let member = self.succession.newest().position(from).is_some();
        let may = match &order {
            Order::Said(said) => {
                let own = matches!(said.saying, Saying::Lost { .. } | Saying::Leave);
                member && said.by == from && own
            }
            Order::Ask(ask) => ask.card.peer == from,
            Order::Claim(claim) => claim.peer == from,
            Order::Neighbour(_) | Order::Walks(_) | Order::Evidence(_) => false,
        };
        if !may {
            return Err(Refusal::NotOwed);
        }
        self.petitions
            .retain(|_, last| now < *last + PETITION_EVERY);
        if self.petitions.contains_key(&from) || self.petitions.len() >= MAX_PETITIONERS {
            return Err(Refusal::TooManyRequests);
        }
        self.petitions.insert(from, now);
        let payload = Bytes::from(encode(&order));
        self.handle(now, succession::Input::Submit(vec![payload]));
        Ok(())
    }
}
