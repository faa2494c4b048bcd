//! W3, W5: how walks come here from neighbouring clusters, and when this member asks for one.

use super::{
    Agreement, Papers, Part,
    around::Recently,
    order::{Ask, Claim, Order},
    state::ClusterState,
};
use crate::{
    identity::PeerId,
    io::Refusal,
    membership::walk::Batch,
    message::Message,
    time::{Duration, Time},
    wire::encode,
};
use bytes::Bytes;
use hamlet_consensus::succession::{self, Tag, Transfer};
use std::collections::BTreeMap;

/// How long each member waits for the one before it to fetch a batch.
const STEP: Duration = Duration::from_millis(150);
/// How long it waits before it does the same again.
const AGAIN: Duration = Duration::from_secs(3);
/// A member asks for a walk when this much of its lease is left, in hundredths.
const ASK_WITH_LEFT: u64 = 40;

/// How often members call fellows that have not been heard, so many of them at a time.
const CALL_EVERY: Duration = Duration::from_secs(1);
const CALLERS: usize = 3;

/// What this member does for walks.
pub(super) struct Moving {
    papers: Option<Papers>,
    /// Until when it does not ask for a walk again.
    asked_until: Time,
    /// When it fetches which batch: by neighbouring cluster and epoch.
    due: BTreeMap<(u64, u64), Time>,
    answered: Recently,
    /// When peers are called next, and how often they were in this epoch.
    call_at: Time,
    rounds: usize,
    /// When those are told next who are offered a place, and how often somebody was.
    offer_at: Time,
    offers: usize,
}

impl Moving {
    pub fn new(papers: Option<Papers>) -> Moving {
        Moving {
            papers,
            asked_until: Time::ZERO,
            due: BTreeMap::new(),
            answered: Recently::default(),
            call_at: Time::NEVER,
            rounds: 0,
            offer_at: Time::NEVER,
            offers: 0,
        }
    }
}

impl Agreement {
    /// When it has to do something about walks.
    pub(super) fn moving_at(&self) -> Time {
        let due = self.moving.due.values().min();
        let due = due.copied().unwrap_or(Time::NEVER);
        let told = self.moving.call_at.min(self.moving.offer_at);
        self.walk_at().min(due).min(told)
    }

    /// W6: an epoch has begun. Guests are told at once, and fellows that have not been heard in it are called in a while.
    pub(super) fn begin_calling(&mut self) {
        self.moving.call_at = self.now;
        self.moving.rounds = 0;
    }

    /// Whom to call now, and with what: members take turns.
    pub fn call(&mut self) -> Option<(Vec<PeerId>, Message, Bytes)> {
        if self.moving.call_at > self.now {
            return None;
        }
        self.moving.call_at = Time::NEVER;
        let replica = self.succession.replica()?;
        let epoch = replica.epoch();
        let (size, me) = (epoch.size(), epoch.position(self.me)?);
        let (_, handover) = self.succession.chain().last_handover()?;
        let round = self.moving.rounds;
        let called = match round {
            0 => self.guests(),
            _ => {
                let absent = (0..).zip(epoch.members());
                let absent = absent.filter(|(place, _)| replica.last_heard(*place).is_none());
                absent
                    .map(|(_, peer)| *peer)
                    .filter(|peer| *peer != self.me)
                    .collect()
            }
        };
        let body = Transfer::Handovers(vec![handover.clone()]).encode();
        if round == 0 || !called.is_empty() {
            self.moving.rounds += 1;
            self.moving.call_at = self.now + CALL_EVERY;
        }
        let turn = (usize::from(me) + round * CALLERS) % size;
        let mine = turn < CALLERS && !called.is_empty();
        mine.then(|| (called, Message::Transfer, body.into()))
    }

    /// W3: whom to tell now that they are offered a place: members take turns.
    pub fn offer(&mut self) -> Option<(Vec<PeerId>, Message)> {
        if self.moving.offer_at > self.now {
            return None;
        }
        self.moving.offer_at = Time::NEVER;
        let offered: Vec<PeerId> = self.state()?.offered().collect();
        let newest = self.succession.newest();
        let (size, epoch) = (newest.size(), newest.number());
        let me = usize::from(newest.position(self.me)?);
        if offered.is_empty() {
            return None;
        }
        let turn = (me + self.moving.offers * CALLERS) % size;
        self.moving.offers += 1;
        self.moving.offer_at = self.now + CALL_EVERY;
        let cluster = self.cluster;
        (turn < CALLERS).then_some((offered, Message::Offer { cluster, epoch }))
    }

    /// A place is offered to this peer: its claim.
    pub fn claim(&self, cluster: u64, epoch: u64) -> Option<Order> {
        let claim = || Claim::sign(self.network, &*self.signer, cluster, epoch);
        (self.wants_walk()).then(|| Order::Claim(Box::new(claim())))
    }

    /// Whether this peer goes where a walk leads: it has no place, or asked for another.
    pub fn wants_walk(&self) -> bool {
        let asked = self.state().is_some_and(|state| state.has_asked(self.me));
        self.may_visit() && (!self.is_member() || asked || self.looks_elsewhere())
    }

    /// When this member has to ask for a walk.
    fn walk_at(&self) -> Time {
        let may = |state: &&ClusterState| !state.has_asked(self.me) && state.may_leave(self.me);
        let state = self.state().filter(may);
        let until = state.and_then(|state| state.lease_of(self.me));
        let lease = self.lease_ms.filter(|_| self.moving.papers.is_some());
        let at = until.zip(lease).map(|(until, lease)| {
            let left = u64::from(lease) * ASK_WITH_LEFT / 100;
            until.saturating_sub(left)
        });
        self.time_of(at).max(self.moving.asked_until)
    }

    /// W5: asks for a walk, if this member's lease is about to run out.
    pub fn ask_for_walk(&mut self) {
        if self.walk_at() > self.now {
            return;
        }
        let Some(order) = self.ask() else { return };
        self.moving.asked_until = self.now + AGAIN;
        self.propose(self.now, &order);
    }

    /// The question for a walk, for the own cluster; if there is anything to show.
    pub fn ask(&self) -> Option<Order> {
        if !self.has_arrived {
            return None;
        }
        self.ask_of(self.cluster, self.succession.newest().number())
    }

    /// The same, for any cluster in this epoch.
    pub(super) fn ask_of(&self, cluster: u64, epoch: u64) -> Option<Order> {
        let Papers { card, credential } = self.moving.papers.clone()?;
        let (network, signer) = (self.network, &*self.signer);
        let ask = Ask::sign(network, signer, card, credential, cluster, epoch);
        Some(Order::Ask(Box::new(ask)))
    }

    /// Asks for no walk any more.
    pub fn want_no_place(&mut self) {
        self.moving.papers = None;
    }

    /// Whether this peer has no place and may ask for one.
    pub fn wants_place(&self) -> bool {
        self.moving.papers.is_some() && self.part() == Part::Outside
    }

    /// The guests of the cluster: who asked it for a walk lately and has no place in it. They receive what members do, and
    /// so do new members of what the epochs before govern.
    pub fn guests(&self) -> Vec<PeerId> {
        let Some(state) = self.state().filter(|_| self.is_member()) else {
            return Vec::new();
        };
        let before = self.succession.chain().last_handover();
        let new = before.into_iter().flat_map(|(before, handover)| {
            // Those of a cluster that has split off as well.
            let next = handover.successors.iter();
            let next = next.flat_map(|charter| charter.members.iter());
            next.filter(|peer| before.position(**peer).is_none())
        });
        state.guests().chain(new.copied()).collect()
    }

    /// Whether this peer may be somebody's guest.
    pub fn may_visit(&self) -> bool {
        self.moving.papers.is_some()
    }

    /// Whether an epoch is one of this cluster's, or a peer one of its newest members.
    pub fn concerns(&self, epoch: Tag, peer: PeerId) -> bool {
        self.knows(epoch) || self.succession.newest().position(peer).is_some()
    }

    /// Whether an epoch is one of this cluster's.
    pub fn knows(&self, epoch: Tag) -> bool {
        self.succession.chain().knows(epoch)
    }

    /// Whether the newest epoch names this peer, and came after that one.
    pub fn names_me_after(&self, left: Option<u64>) -> bool {
        let newest = self.succession.newest();
        let is_there = self.has_arrived && newest.position(self.me).is_some();
        is_there && left.is_none_or(|left| left < newest.number())
    }

    /// Follows the cluster without taking part in it.
    pub fn follow(&mut self, now: Time) {
        self.now = now;
        if self.wake_at <= now {
            self.wake_at = Time::NEVER;
            self.handle(now, succession::Input::Wake);
        }
    }

    /// When it wants to.
    pub fn follows_at(&self) -> Time {
        self.wake_at
    }

    /// When it has to do something for the cluster's log, and for nothing else.
    pub fn engine_at(&self) -> Time {
        self.wake_at.min(self.turning_at()).min(self.draws.due())
    }

    /// A peer may know what followed the newest epoch that is known here.
    pub fn guide(&mut self, now: Time, peer: PeerId) {
        self.handle(now, succession::Input::Guide(peer));
    }

    /// What was executed may name batches that neighbours owe: this member's turn to fetch one comes after those before it.
    pub(super) fn look_for_batches(&mut self) {
        let owed: Vec<(u64, u64)> = self
            .state()
            .into_iter()
            .flat_map(|state| state.owed())
            .collect();
        self.moving.due.retain(|batch, _| owed.contains(batch));
        let offers = self
            .state()
            .is_some_and(|state| state.offered().next().is_some());
        if offers && self.moving.offer_at == Time::NEVER {
            self.moving.offer_at = self.now;
        }
        for (cluster, epoch) in owed {
            let at = self.now + STEP * self.rank(cluster, epoch);
            self.moving.due.entry((cluster, epoch)).or_insert(at);
        }
    }

    /// Whom to ask now for which batch.
    pub fn ask_for_batches(&mut self) -> Vec<(Vec<PeerId>, Message)> {
        let now = self.now;
        let mut questions = Vec::new();
        let Some(state) = self
            .succession
            .replica()
            .map(|replica| replica.application())
        else {
            self.moving.due.clear();
            return questions;
        };
        for (&(cluster, epoch), at) in &mut self.moving.due {
            if *at > now {
                continue;
            }
            *at = now + AGAIN;
            let mut neighbours = state.neighbours().iter();
            let from = neighbours.find(|neighbour| neighbour.cluster() == cluster);
            let from = from.map(|neighbour| neighbour.charter().members.clone());
            let to = self.cluster;
            questions.push((from.unwrap_or_default(), Message::Walks { to, epoch }));
        }
        questions
    }

    /// A neighbour asks which walks came to its cluster: the answer, if there is one.
    pub fn on_walks(
        &mut self,
        now: Time,
        from: PeerId,
        to: u64,
        epoch: u64,
    ) -> Result<Option<(Message, Bytes)>, Refusal> {
        if !self.moving.answered.take(from, now) {
            return Err(Refusal::TooManyRequests);
        }
        let batch = self.state().and_then(|state| state.batch(to, epoch));
        Ok(batch.map(|batch| (Message::Batch, encode(&batch).into())))
    }

    /// A batch came: it is ordered if it is owed.
    pub fn on_batch(&mut self, now: Time, body: &[u8]) -> Result<(), Refusal> {
        let batch = hamlet_consensus::wire::decode(body);
        let batch: Batch = batch.map_err(|_| Refusal::Malformed)?;
        let asked = self.moving.due.contains_key(&(batch.from, batch.epoch));
        if !asked || !self.state().is_some_and(|state| state.is_owed(&batch)) {
            return Ok(());
        }
        let payload = encode(&Order::Walks(Box::new(batch)));
        self.handle(now, succession::Input::Submit(vec![payload.into()]));
        Ok(())
    }
}
