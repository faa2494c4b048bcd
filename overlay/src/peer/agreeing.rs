//! A peer's part in its cluster's agreement.

use super::Peer;
use crate::{
    agreement::{
        Agreement, Outcome, Standing, Start, Step,
        order::{MAX_HEADS, Order, Saying},
        state::ClusterState,
    },
    core::Core,
    digest::Claim,
    identity::PeerId,
    io::{Event, Output, Refusal},
    message::Message,
    push::{REMEMBERED, Stream},
    wire::encode,
};
use bytes::Bytes;
use hamlet_consensus::{replica::StartError, succession::Stored};

impl Peer {
    /// Takes part in the agreement of its cluster from now on, as far as it is a member.
    ///
    /// # Errors
    /// If the records are damaged or another member's; then it must not take part.
    pub fn agree(&mut self, start: &Start) -> Result<(), StartError> {
        let core = &self.core;
        let founding = &core.view.founding;
        let forgetful = start.forgetful || start.stored.lost;
        let begin = Start {
            forgetful,
            ..start.clone()
        };
        self.agreement = Some(Agreement::start(
            founding,
            core.view.home,
            core.signer.clone(),
            core.verifier.clone(),
            &begin,
            core.now,
        )?);
        // Wherever it comes to from here, it has stored nothing.
        self.start = Some(Start {
            stored: Stored {
                lost: true,
                ..Stored::default()
            },
            ..begin
        });
        self.set_wake();
        Ok(())
    }

    /// Takes no part in agreement any more: what it says could not be kept.
    pub fn leave_agreement(&mut self) {
        self.agreement = None;
        self.start = None;
        self.calls.clear();
        self.departing = None;
    }

    /// What this peer says to its cluster, signed, to be [proposed](Input::Propose); if it takes part.
    pub fn say(&self, saying: Saying) -> Option<Order> {
        self.agreement
            .as_ref()
            .map(|agreement| agreement.say(saying))
    }

    /// What it knows of its cluster's agreement, if it takes part.
    pub fn standing(&self) -> Option<Standing> {
        self.agreement.as_ref().map(Agreement::standing)
    }

    /// How many of the last [`REMEMBERED`] shards that a fellow member owed it in all streams it gave (G7); all, if it owed
    /// fewer yet.
    pub fn given_by(&self, fellow: PeerId) -> u8 {
        given(&self.core, &self.streams, fellow)
    }

    /// What its cluster agreed on, as far as this peer knows, if it takes part.
    pub fn state(&self) -> Option<&ClusterState> {
        self.agreement.as_ref().and_then(Agreement::state)
    }

    /// Does what agreement wants done now, and hands on what came of it.
    pub(super) fn agree_on(&mut self) {
        self.go_on_departing();
        self.follow_calls();
        self.ask_for_place();
        self.say_farewell();
        let Some(agreement) = &mut self.agreement else {
            return;
        };
        agreement.wake(self.core.now);
        if agreement.wants_turn() {
            agreement.turn(heads(&self.streams));
        }
        agreement.draw();
        if let Some((order, to)) = agreement.come_back() {
            self.core
                .tell(&to, &Message::Petition, encode(&order).into());
        }
        if let Some(herald) = agreement.herald() {
            let mut to = self.core.neighbours();
            to.extend(self.visits.visitors());
            self.core.tell(&to, &herald, Bytes::new());
        }
        agreement.tell_silence();
        if agreement.reports_at() <= self.core.now {
            let (core, streams) = (&self.core, &self.streams);
            agreement.report(|peer| given(core, streams, peer));
        }
        for (to, order) in agreement.look_elsewhere() {
            let body = encode(&order).into();
            self.core.tell(&[to], &Message::Petition, body);
        }
        agreement.order_progress();
        self.order_evidence();
        let Some(agreement) = &mut self.agreement else {
            return;
        };
        agreement.ask_for_walk();
        if let Some((to, call, body)) = agreement.call() {
            self.core.tell(&to, &call, body);
        }
        if let Some((to, offer)) = agreement.offer() {
            self.core.tell(&to, &offer, Bytes::new());
        }
        for (to, question) in agreement.ask_for_batches() {
            self.core.tell(&to, &question, Bytes::new());
        }
        while let Some(outcome) = agreement.poll() {
            match outcome {
                Outcome::Step(step) => self.core.agreement(step),
                Outcome::Event(event) => self.core.event(Event::Agreed(event)),
                Outcome::Evidence(proof) => self.core.prove(proof),
            }
        }
        if let Some((parent, last)) = agreement.take_parted()
            && let Some(start) = &mut self.start
        {
            start.left.insert(parent, last);
            let (cluster, left) = (agreement.cluster(), start.left.clone());
            self.core.agreement(Step::Part { cluster, left });
        }
        if agreement.take_changed() {
            self.follow_agreement();
        }
    }

    /// Lets the view follow what the cluster agreed on.
    fn follow_agreement(&mut self) {
        let Some(agreement) = &self.agreement else {
            return;
        };
        let told = std::mem::take(&mut self.cards);
        for card in agreement.cards() {
            let known = told.get(&card.peer).copied();
            if known.is_none_or(|known| known < card.written_unix_ms) {
                self.core.output(Output::Card(Box::new(card.clone())));
            }
            self.cards.insert(card.peer, card.written_unix_ms);
        }
        let changes = agreement.changes(&self.core.view);
        let guests = agreement.guests();
        self.core.may_visit = agreement.may_visit();
        let contacts = self.contacts();
        self.core.set_guests(guests);
        let same = contacts == self.core.contacts && !self.core.guests_changed();
        if changes.is_empty() && same {
            return;
        }
        self.core.contacts = contacts;
        let now = self.core.now;
        self.change_view(|view| {
            for change in changes {
                view.begin(now, change);
            }
        });
    }

    /// A message of agreement came.
    pub(super) fn on_agreement(
        &mut self,
        from: PeerId,
        message: Message,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let now = self.core.now;
        // One that does not take part (any more) says nothing, since others cannot know.
        let Some(agreement) = &mut self.agreement else {
            return Ok(());
        };
        let answer = match message {
            Message::Agreement { epoch } => {
                let left = self
                    .departing
                    .as_mut()
                    .map(|departing| &mut departing.agreement);
                let left = left.filter(|left| left.concerns(epoch, from));
                let agreement = match agreement.knows(epoch) {
                    true => agreement,
                    false => left.unwrap_or(agreement),
                };
                return agreement.receive(now, from, epoch, body);
            }
            Message::Transfer => return self.on_transfer(from, body),
            Message::Progress => return agreement.on_progress(now, from, body),
            Message::Petition => {
                let order = hamlet_consensus::wire::decode(body);
                let order: Order = order.map_err(|_| Refusal::Malformed)?;
                return agreement.petition(now, from, order);
            }
            Message::Herald { cluster, epoch } => {
                if agreement.state().is_none() {
                    if agreement.cluster() == cluster {
                        self.hear_of_epoch(epoch);
                    }
                    return self.enter(from, cluster);
                }
                let question = agreement.on_herald(now, from, cluster, epoch);
                question.map(|question| (question, Bytes::new()))
            }
            Message::Behind { epoch } => agreement.on_behind(now, from, epoch)?,
            Message::Walks { to, epoch } => agreement.on_walks(now, from, to, epoch)?,
            Message::Batch => return agreement.on_batch(now, body),
            Message::Offer { cluster, epoch } => {
                let claim = agreement.claim(cluster, epoch);
                claim.map(|claim| (Message::Petition, encode(&claim).into()))
            }
            _ => None,
        };
        if let Some((message, body)) = answer {
            self.core.tell(&[from], &message, body);
        }
        Ok(())
    }
}

/// How many of the last [`REMEMBERED`] shards that a fellow owed in all streams it gave; all, if it owed fewer yet.
fn given(core: &Core, streams: &[Stream], peer: PeerId) -> u8 {
    let link = core.links.find(peer);
    let accounts = link.map(|link| streams.iter().map(move |stream| stream.account_of(link)));
    let accounts = accounts.into_iter().flatten();
    let (gave, owed) = accounts.fold((0, 0), |(gave, owed), account| {
        (gave + u32::from(account.0), owed + u32::from(account.1))
    });
    let all = u32::from(REMEMBERED);
    match owed < all {
        true => REMEMBERED,
        false => (gave * all / owed) as u8,
    }
}

/// The newest segments that this peer has heard of.
pub(super) fn heads(streams: &[Stream]) -> Vec<Claim> {
    let heads = streams.iter().filter_map(Stream::head);
    heads.take(MAX_HEADS).collect()
}
