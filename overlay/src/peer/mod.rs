//! The peer: one participant of a network, as a state machine.

mod agreeing;
mod calls;
mod departing;
mod leaving;
mod proving;
mod visits;

use crate::{
    agreement::{Agreement, Start},
    core::Core,
    evidence::pool::Pool,
    identity::{PeerId, Signer, Verifier},
    io::{Event, Input, Output, PublishError, Refusal},
    links::LinkId,
    message::{Message, Notice},
    push::Stream,
    report::Report,
    time::Time,
    view::{Change, SegmentNumber, StreamNumber, View},
    wire::Frame,
    work::Work,
};
use calls::Calls;
use departing::Departing;
use leaving::Leaving;
use std::{collections::BTreeMap, sync::Arc};
use visits::Visits;

/// What a peer is started with.
pub struct Setup {
    /// What it knows of the network.
    pub view: View,
    /// Its key.
    pub signer: Box<dyn Signer>,
    /// Checks the signatures of others.
    pub verifier: Arc<dyn Verifier>,
    /// Hashes shards and restores segments.
    pub work: Arc<dyn Work>,
    /// The first segment number that this peer has never used as a source: a number must never be signed
    /// twice, so the driver stores a bound ahead of what is used and starts from it after a crash.
    pub publish_from: SegmentNumber,
}

/// One peer of a network, as a state machine: inputs go in by [`handle`](Peer::handle), what it wants done
/// comes out by [`poll`](Peer::poll). It knows no clock, socket or thread; equal inputs give equal outputs.
pub struct Peer {
    core: Core,
    /// By number.
    streams: Vec<Stream>,
    /// Its part in its cluster's agreement, if it takes part.
    agreement: Option<Agreement>,
    /// What it takes part with, but for what was stored.
    start: Option<Start>,
    calls: Calls,
    departing: Option<Departing>,
    visits: Visits,
    leaving: Leaving,
    pool: Pool,
    /// When the cards were written that the driver was told.
    cards: BTreeMap<PeerId, u64>,
    wake_at: Time,
    wake_wanted: bool,
}

/// How much a peer holds at the moment, to be compared with its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Segments within the windows of all streams.
    pub segments: usize,
    /// The most that may be.
    pub segments_max: usize,
    /// Shards that wait for the list of leaves.
    pub held_shards: usize,
    /// The most that may be.
    pub held_shards_max: usize,
}

impl Peer {
    /// A peer that has just started. Poll it for the links that it wants.
    pub fn new(now: Time, setup: Setup) -> Peer {
        let Setup {
            view,
            signer,
            verifier,
            work,
            publish_from,
        } = setup;
        let streams = (0..view.publishers.len() as StreamNumber)
            .map(|number| Stream::new(number, &view, publish_from))
            .collect();
        let core = Core::new(view, signer, verifier, work, now);
        Peer {
            core,
            streams,
            agreement: None,
            start: None,
            calls: Calls::new(),
            departing: None,
            visits: Visits::default(),
            leaving: Leaving::default(),
            pool: Pool::default(),
            cards: BTreeMap::new(),
            wake_at: Time::NEVER,
            wake_wanted: false,
        }
    }

    /// The same peer without a mechanism, to show what that earns.
    #[cfg(feature = "ablation")]
    pub fn without(mut self, ablated: crate::ablation::Ablated) -> Peer {
        self.core.ablated = ablated;
        self
    }

    /// Its identity.
    pub fn id(&self) -> PeerId {
        self.core.me
    }

    /// What it counted so far.
    pub fn report(&self) -> Report {
        let mut report = self.core.report.clone();
        for (number, stream) in (0..).zip(&self.streams) {
            report.streams.insert(number, stream.report());
        }
        report
    }

    /// What it knows of the network around it.
    pub fn view(&self) -> &View {
        &self.core.view
    }

    /// How much it holds at the moment.
    pub fn sizes(&self) -> Sizes {
        self.streams
            .iter()
            .map(|stream| stream.sizes(&self.core))
            .fold(Sizes::default(), |sum, one| Sizes {
                segments: sum.segments + one.segments,
                segments_max: sum.segments_max + one.segments_max,
                held_shards: sum.held_shards + one.held_shards,
                held_shards_max: sum.held_shards_max + one.held_shards_max,
            })
    }

    /// From the segments on that it names, a change of the neighbourhood governs.
    pub fn begin_epoch(&mut self, now: Time, change: Change) {
        self.core.now = self.core.now.max(now);
        let now = self.core.now;
        self.change_view(|view| view.begin(now, change));
        self.set_wake();
    }

    /// Changes the view, and does what follows from that.
    fn change_view(&mut self, change: impl FnOnce(&mut View)) {
        let old = self.core.newest_deal();
        change(&mut self.core.view);
        self.core.follow_view();
        for link in std::mem::take(&mut self.core.reused) {
            for stream in &mut self.streams {
                stream.forget_link(link);
            }
        }
        if Arc::ptr_eq(&old.epoch, &self.core.newest_deal().epoch) {
            return;
        }
        for stream in &mut self.streams {
            stream.follow_epoch(&mut self.core, &old);
        }
    }

    /// Lets go of what changes of the neighbourhood replaced long enough ago.
    fn settle_view(&mut self) {
        if self.core.view.settles_at() <= self.core.now && self.core.view.settle(self.core.now) {
            self.core.follow_view();
        }
    }

    /// Takes an input. Time never goes backwards; if it seems to, it stands still.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.core.now = self.core.now.max(now);
        match input {
            Input::Wake => {
                for stream in &mut self.streams {
                    stream.act(&mut self.core);
                }
                self.settle_view();
                self.end_visits();
                self.wake_at = Time::NEVER;
            }
            Input::Connected(peer) => self.set_connected(peer, true),
            Input::Disconnected(peer) => self.set_connected(peer, false),
            Input::Visitor(peer) => self.receive_visitor(peer),
            Input::Frame { from, frame } => {
                self.core.report.received_bytes += frame.len() as u64;
                if let Err(why) = self.receive(from, &frame) {
                    self.core.refuse(from, why);
                }
            }
            Input::Publish(cut) => {
                let own = self
                    .core
                    .view
                    .stream(self.core.me)
                    .and_then(|number| self.streams.get_mut(usize::from(number)));
                let published = match own {
                    Some(stream) => stream.publish(&mut self.core, cut),
                    None => Err(PublishError::NotAPublisher),
                };
                if let Err(why) = published {
                    self.core.event(Event::NotPublished(why));
                }
            }
            Input::Subscribe(number) => {
                if let Some(stream) = self.streams.get_mut(usize::from(number)) {
                    stream.subscribe(&mut self.core);
                }
            }
            Input::Unsubscribe(number) => {
                if let Some(stream) = self.streams.get_mut(usize::from(number)) {
                    stream.unsubscribe(&mut self.core);
                }
            }
            Input::Propose(order) => {
                if let Some(agreement) = &mut self.agreement {
                    agreement.propose(self.core.now, &order);
                }
            }
            Input::Contact(peer) => self.add_contact(peer),
            Input::Evidence { evidence, age } => self.remember(*evidence, age),
            Input::Leave => self.leave(),
            Input::Checked(name, verdict) => {
                if !self.on_call_checked(name, &verdict)
                    && !self.on_departing_checked(name, &verdict)
                    && let Some(agreement) = &mut self.agreement
                {
                    agreement.checked(self.core.now, name, verdict);
                }
            }
        }
        self.take_found();
        self.agree_on();
        self.take_found();
        self.set_wake();
    }

    fn take_found(&mut self) {
        for evidence in std::mem::take(&mut self.core.found) {
            self.find(evidence);
        }
    }

    /// What the peer wants done next; `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        match self.core.poll() {
            None if std::mem::take(&mut self.wake_wanted) => Some(Output::WakeAt(self.wake_at)),
            output => output,
        }
    }

    fn set_wake(&mut self) {
        let next = self
            .streams
            .iter()
            .map(Stream::next_wake)
            .chain(self.agreement.as_ref().map(Agreement::wake_at))
            .chain([self.core.view.settles_at(), self.visits.due()])
            .chain([self.calls_at(), self.asks_at(), self.leaves_at()])
            .chain([self.orders_evidence_at()])
            .chain(self.departing.as_ref().map(Departing::due))
            .min()
            .unwrap_or(Time::NEVER);
        // Waking too early is harmless, and asking again for every input would cost more.
        if next < self.wake_at {
            self.wake_at = next;
            self.wake_wanted = true;
        }
    }

    fn set_connected(&mut self, peer: PeerId, connected: bool) {
        let Some(link) = self.core.links.find(peer) else {
            return;
        };
        self.core.links.set_connected(link, connected);
        self.core.count_links();
        if let Some(agreement) = self.agreement.as_mut().filter(|_| connected)
            && self.core.view.newest().own.place(peer).is_none()
        {
            agreement.neighbour_connected(self.core.now);
        }
        for stream in &mut self.streams {
            stream.link_changed(&mut self.core, link, connected);
        }
        match connected {
            true => {
                self.show_the_door(peer);
                self.offer_evidence(peer);
            }
            false => {
                self.pool.disconnected(peer);
                self.visits.leave(peer);
                if let Some(agreement) = &mut self.agreement {
                    agreement.disconnected(peer);
                }
            }
        }
    }

    fn receive(&mut self, from: PeerId, frame: &Frame) -> Result<(), Refusal> {
        let link = self.core.links.find(from).ok_or(Refusal::Stranger)?;
        let (message, body) = Message::decode(frame).map_err(|_| Refusal::Malformed)?;
        let core = &mut self.core;
        let stream = message.stream();
        let outcome = match message {
            Message::Shard {
                stream,
                segment,
                shard,
            } => trusting(&mut self.streams, stream, link)?
                .on_shard(core, link, segment, shard, body),
            Message::ProvenShard {
                signed,
                shard,
                proof,
            } => trusting(&mut self.streams, signed.header.stream, link)?
                .on_proven_shard(core, link, signed, shard, proof, body),
            Message::Digest { signed, leaves } => {
                trusting(&mut self.streams, signed.header.stream, link)?
                    .on_digest(core, signed, leaves)
            }
            Message::Evidence(evidence) => self.on_evidence(from, *evidence),
            Message::Proofs(names) => {
                self.on_proofs(from, names);
                Ok(())
            }
            Message::Prove(names) => self.on_prove(from, &names),
            Message::Agreement { .. }
            | Message::Transfer
            | Message::Petition
            | Message::Herald { .. }
            | Message::Behind { .. }
            | Message::Progress
            | Message::Walks { .. }
            | Message::Batch
            | Message::Offer { .. } => self.on_agreement(from, message, &body),
            Message::Notices(notices) => notices
                .into_iter()
                .try_for_each(|notice| self.notice(link, notice)),
        };
        if outcome == Err(Refusal::Mismatch)
            && let Some(stream) =
                stream.and_then(|number| self.streams.get_mut(usize::from(number)))
        {
            stream.distrust(&mut self.core, link);
        }
        outcome
    }

    fn notice(&mut self, from: LinkId, notice: Notice) -> Result<(), Refusal> {
        let core = &mut self.core;
        match notice {
            Notice::Standing {
                stream,
                epoch,
                standing,
            } => {
                trusting(&mut self.streams, stream, from)?.on_standing(core, from, epoch, standing);
                Ok(())
            }
            Notice::Want {
                stream,
                segment,
                shards,
                digest,
            } => trusting(&mut self.streams, stream, from)?
                .on_want(core, from, segment, shards, digest),
            Notice::Have {
                stream,
                segment,
                shard,
            } => trusting(&mut self.streams, stream, from)?.on_have(core, from, segment, shard),
            Notice::Lazy { stream, slots } => {
                trusting(&mut self.streams, stream, from)?.on_lazy(from, slots);
                Ok(())
            }
            Notice::Eager { stream, slots } => {
                trusting(&mut self.streams, stream, from)?.on_eager(from, slots);
                Ok(())
            }
            Notice::Join { stream } => {
                trusting(&mut self.streams, stream, from)?.on_join(core, from)
            }
        }
    }
}

fn listed(streams: &mut [Stream], number: StreamNumber) -> Result<&mut Stream, Refusal> {
    let stream = streams.get_mut(usize::from(number));
    stream.ok_or(Refusal::UnlistedPublisher)
}

/// The stream, unless it has no trust in the sender.
fn trusting(
    streams: &mut [Stream],
    number: StreamNumber,
    from: LinkId,
) -> Result<&mut Stream, Refusal> {
    let stream = listed(streams, number)?;
    match stream.distrusts(from) {
        true => Err(Refusal::Distrusted),
        false => Ok(stream),
    }
}
