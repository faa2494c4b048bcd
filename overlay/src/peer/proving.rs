//! V3: evidence is found, brought, kept, passed on over every link once, and ordered in the own cluster's log.

use super::Peer;
use crate::{
    agreement::{Step, order::Order},
    evidence::{
        Evidence, Laws,
        pool::{self, Short},
    },
    identity::PeerId,
    io::{Class, Event, Refusal, StopReason},
    links::LinkId,
    message::Message,
    time::{Duration, Time},
    view::SegmentNumber,
};
use bytes::Bytes;
use std::sync::Arc;

/// How long each member waits for the one before it to have evidence ordered.
const STEP: Duration = Duration::from_millis(150);

impl Peer {
    /// The evidence that this peer keeps.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.pool.all().map(|evidence| &**evidence)
    }

    /// The same, with whom it is against, and when this peer heard of it, in milliseconds after [`Time::ZERO`].
    pub fn known_evidence(&self) -> impl Iterator<Item = (&Arc<Evidence>, PeerId, i64)> {
        let term = self.core.view.parameters.bar_ms;
        self.pool.known().map(move |(evidence, culprit, until)| {
            let until = until.since(Time::ZERO).as_millis() as i64;
            (evidence, culprit, until - i64::from(term))
        })
    }

    /// Somebody brings evidence, which proves itself. Nobody honest brings what does not: such a one is listened to no more, so it
    /// costs this peer three checks of signatures once.
    pub(super) fn on_evidence(&mut self, from: PeerId, evidence: Evidence) -> Result<(), Refusal> {
        if self.pool.distrusts(from) {
            return Err(Refusal::Distrusted);
        }
        if self.is_known(&evidence) {
            self.pool.pass(evidence.id());
            return Err(Refusal::Duplicate);
        }
        if !evidence.convicts(self.laws()) {
            self.pool.distrust(from);
            return Err(Refusal::Mismatch);
        }
        self.keep(evidence);
        Ok(())
    }

    /// What was kept before this peer started is checked again.
    pub(super) fn remember(&mut self, evidence: Evidence, age: Duration) {
        if !self.is_known(&evidence) && evidence.proves(self.laws()) {
            self.take(evidence, age);
        }
    }

    /// Evidence was found by this peer itself, in its cluster or in what a source signed.
    pub(super) fn find(&mut self, evidence: Evidence) {
        if !self.is_known(&evidence) {
            self.keep(evidence);
        }
    }

    fn laws(&self) -> Laws<'_> {
        Laws::of(&self.core.view.founding, &*self.core.verifier)
    }

    fn is_known(&self, evidence: &Evidence) -> bool {
        let culprit = evidence.culprit(&self.core.view.publishers);
        culprit.is_some_and(|culprit| {
            let now = self.core.now;
            self.pool.knows(evidence.id(), evidence, culprit, now)
        })
    }

    /// Keeps what is new.
    fn keep(&mut self, evidence: Evidence) {
        let kept = self.take(evidence, Duration::ZERO);
        if let Some(evidence) = kept {
            self.core.agreement(Step::Keep(evidence));
        }
    }

    /// Takes note of what proves somebody guilty, which this peer has known for so long, and tells everybody.
    fn take(&mut self, evidence: Evidence, age: Duration) -> Option<Arc<Evidence>> {
        let culprit = evidence.culprit(&self.core.view.publishers)?;
        let evidence = Arc::new(evidence);
        let shown = evidence.shows_admission(self.laws());
        let until = self.core.now + self.core.view.parameters.bar().saturating_sub(age);
        self.pool.keep(evidence.clone(), culprit, shown, until);
        if shown && until > self.core.now {
            let links: Vec<LinkId> = (0..self.core.links.len()).collect();
            let message = Message::Evidence(Box::new((*evidence).clone()));
            let (class, last) = (Class::Control, SegmentNumber::MAX);
            (self.core).send(&links, &message, Bytes::new(), class, last);
        }
        self.core.event(Event::Convicted {
            culprit,
            kind: evidence.kind(),
        });
        if let Evidence::Digests(proof) = &*evidence
            && let Some(stream) = self.streams.get_mut(usize::from(proof.stream()))
        {
            stream.stop(&mut self.core, StopReason::Equivocation(proof.clone()));
        }
        Some(evidence)
    }

    /// A link has come up: its other end is offered what is known of the guilty.
    pub(super) fn offer_evidence(&mut self, peer: PeerId) {
        let names = self.pool.offer(peer, self.core.now);
        if !names.is_empty() {
            self.core
                .tell(&[peer], &Message::Proofs(names), Bytes::new());
        }
    }

    /// A peer knows of this evidence: what is news is asked for.
    pub(super) fn on_proofs(&mut self, from: PeerId, names: Vec<Short>) {
        let news = names.into_iter().filter(|name| !self.pool.has(*name));
        let news: Vec<Short> = news.collect();
        if !news.is_empty() && !self.pool.distrusts(from) {
            self.core.tell(&[from], &Message::Prove(news), Bytes::new());
        }
    }

    /// A peer asks for evidence that it was offered.
    pub(super) fn on_prove(&mut self, from: PeerId, names: &[Short]) -> Result<(), Refusal> {
        let asked = self.pool.answer(from, names);
        for evidence in asked.ok_or(Refusal::TooManyRequests)? {
            let message = Message::Evidence(Box::new((*evidence).clone()));
            self.core.tell(&[from], &message, Bytes::new());
        }
        Ok(())
    }

    /// When evidence is to be ordered.
    pub(super) fn orders_evidence_at(&self) -> Time {
        match self.agreement {
            Some(_) => self.pool.due(),
            None => Time::NEVER,
        }
    }

    /// Has ordered what the own cluster's log does not know, if it is this member's turn.
    pub(super) fn order_evidence(&mut self) {
        let now = self.core.now;
        let Some(home) = &mut self.agreement else {
            return;
        };
        self.pool.move_to(home.cluster());
        if self.pool.due() > now {
            return;
        }
        let Some(state) = home.state().filter(|_| home.is_member()) else {
            return self.pool.put_off(now);
        };
        let delay = |id| STEP * home.rank(pool::short(id), 0);
        let known = |id, culprit| state.has_judged(id, culprit);
        let due = self.pool.take_due(now, delay, known);
        for evidence in due {
            let order = Order::Evidence(Box::new((*evidence).clone()));
            home.propose(now, &order);
        }
    }
}
