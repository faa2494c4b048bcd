//! The task that owns a peer.

use super::{
    Clock,
    config::Fault,
    handle::{AgreementStatus, KnownEvidence, LinkStatus, PeerHandle, PeerStatus, Request},
    passage::Tap,
};
use crate::{
    agreement::{Done, Worker},
    transport::{Parcel, Transport, TransportEvent},
};
use hamlet_overlay::{
    agreement::order::{Order, Saying},
    identity::PeerId,
    io::{Class, Cut, Event, Input, Output, PublishError, Refusal, Segment},
    peer::Peer,
    time::Time,
    view::{SegmentNumber, StreamNumber},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Sleep, sleep_until},
};

/// Requests that may wait for the peer's task.
const REQUESTS: usize = 64;
/// Segments that a slow reader may be behind: a minute at the default length of a segment.
const SEGMENTS: usize = 256;
/// Events that a slow reader may be behind.
const EVENTS: usize = 4096;
/// Frames handled before what they caused is sent and requests get their turn.
const FRAMES_AT_ONCE: usize = 64;

/// What the task is made of.
pub(super) struct Parts<T> {
    pub me: PeerId,
    pub peer: Peer,
    /// Carries out the steps of agreement, if the peer takes part.
    pub worker: Option<Worker>,
    pub transport: T,
    pub clock: Clock,
    pub fault: Option<Fault>,
    pub listening: Vec<String>,
}

/// Starts the task.
pub(super) fn spawn<T: Transport>(parts: Parts<T>) -> PeerHandle {
    let (request_sender, requests) = mpsc::channel(REQUESTS);
    let (events, _) = broadcast::channel(EVENTS);
    let tap = Tap::new();
    let handle = PeerHandle {
        me: parts.me,
        clock: parts.clock,
        requests: request_sender,
        events: events.downgrade(),
        passages: tap.weak(),
    };
    let started = parts.clock.now();
    let alarm = Box::pin(sleep_until(parts.clock.instant(Time::NEVER).into()));
    let driver = Driver {
        parts,
        events,
        tap,
        connected: BTreeSet::new(),
        readers: BTreeMap::new(),
        alarm,
        armed: false,
        published: None,
        agreement_failed: None,
        started,
    };
    tokio::spawn(driver.run(requests));
    handle
}

/// How the task ends.
enum End {
    Farewell(Option<tokio::sync::oneshot::Sender<()>>),
    Silence,
}

struct Driver<T> {
    parts: Parts<T>,
    events: broadcast::Sender<(Time, Event)>,
    tap: Tap,
    connected: BTreeSet<PeerId>,
    readers: BTreeMap<StreamNumber, broadcast::Sender<Arc<Segment>>>,
    alarm: Pin<Box<Sleep>>,
    armed: bool,
    /// What became of the segment that is being published.
    published: Option<Result<SegmentNumber, PublishError>>,
    /// Why the peer takes no part in agreement any more, if it did.
    agreement_failed: Option<String>,
    started: Time,
}

impl<T: Transport> Driver<T> {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        // What a peer wants when it has just been made.
        self.drain(self.parts.clock.now());
        self.parts.transport.flush();
        let end = loop {
            tokio::select! {
                event = self.parts.transport.next() => match event {
                    Some(event) => self.receive(event),
                    None => break End::Silence,
                },
                () = &mut self.alarm, if self.armed => {
                    self.armed = false;
                    self.input(Input::Wake);
                }
                Some(done) = next_done(&mut self.parts.worker) => self.carried_out(done),
                request = requests.recv() => match request {
                    Some(Request::Shutdown(done)) => break End::Farewell(Some(done)),
                    Some(Request::Kill) => break End::Silence,
                    Some(request) => self.serve(request),
                    None => break End::Farewell(None),
                },
            }
            self.parts.transport.flush();
        };
        match end {
            End::Silence => self.parts.transport.vanish(),
            End::Farewell(done) => {
                self.parts.transport.close().await;
                if let Some(done) = done {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Handles a transport's event and those that wait behind it.
    fn receive(&mut self, first: TransportEvent) {
        self.handle(first);
        for _ in 1..FRAMES_AT_ONCE {
            match self.parts.transport.try_next() {
                Some(event) => self.handle(event),
                None => return,
            }
        }
    }

    fn handle(&mut self, event: TransportEvent) {
        match event {
            TransportEvent::Frame { from, frame, room } => {
                self.tap.received(self.parts.clock.now(), from, &frame);
                self.input(Input::Frame { from, frame });
                drop(room);
            }
            TransportEvent::Connected(peer) => {
                self.connected.insert(peer);
                self.input(Input::Connected(peer));
            }
            TransportEvent::Visitor(peer) => self.input(Input::Visitor(peer)),
            TransportEvent::Disconnected(peer) => {
                self.connected.remove(&peer);
                self.input(Input::Disconnected(peer));
            }
        }
    }

    fn serve(&mut self, request: Request) {
        // Whoever asked may have gone meanwhile; then nobody misses the answer.
        match request {
            Request::Publish(cut, answer) => {
                let _ = answer.send(self.publish(cut));
            }
            Request::Subscribe(stream, answer) => {
                let _ = answer.send(self.subscribe(stream));
            }
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Say(saying, answer) => {
                let _ = answer.send(self.say(saying));
            }
            Request::Agreement(answer) => {
                let _ = answer.send(self.agreement());
            }
            Request::Leave => self.input(Input::Leave),
            Request::Misbehave(fault) => self.parts.fault = fault,
            Request::Shutdown(_) | Request::Kill => {}
        }
    }

    fn publish(&mut self, cut: Cut) -> Result<SegmentNumber, PublishError> {
        self.published = None;
        self.input(Input::Publish(cut));
        self.published
            .take()
            .unwrap_or(Err(PublishError::NotAPublisher))
    }

    fn subscribe(&mut self, stream: StreamNumber) -> broadcast::Receiver<Arc<Segment>> {
        if let Some(sender) = self.readers.get(&stream) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(SEGMENTS);
        self.readers.insert(stream, sender);
        self.input(Input::Subscribe(stream));
        receiver
    }

    fn status(&self) -> PeerStatus {
        let Parts {
            me,
            peer,
            transport,
            clock,
            listening,
            ..
        } = &self.parts;
        let links = peer.view().links(*me).into_iter().map(|peer| LinkStatus {
            peer,
            connected: self.connected.contains(&peer),
        });
        PeerStatus {
            peer: me.to_string(),
            links: links.collect(),
            around: peer.view().newest().clone(),
            places: peer.state().map(|state| state.places().to_vec()),
            listening: listening.clone(),
            running_ms: clock.now().since(self.started).as_millis() as u64,
            report: peer.report().clone(),
            transport: transport.report(),
        }
    }

    /// Has something said in the cluster; what was ordered, if the peer is a member.
    fn say(&mut self, saying: Saying) -> Option<Order> {
        self.parts.peer.state()?;
        let order = self.parts.peer.say(saying)?;
        self.input(Input::Propose(order.clone()));
        Some(order)
    }

    fn agreement(&self) -> AgreementStatus {
        let peer = &self.parts.peer;
        let entries = peer.state().map(|state| state.entries().cloned().collect());
        let bars = peer
            .state()
            .map(|state| state.bars().map(|(_, bar)| *bar).collect());
        AgreementStatus {
            standing: peer.standing(),
            entries: entries.unwrap_or_default(),
            evidence: self.evidence(),
            bars: bars.unwrap_or_default(),
            failed: self.agreement_failed.clone(),
            now: self.parts.clock.now(),
        }
    }

    fn evidence(&self) -> Vec<KnownEvidence> {
        let born = self.parts.clock.unix_ms_at_zero();
        let known = self.parts.peer.known_evidence();
        let known = known.map(|(evidence, culprit, heard_ms)| KnownEvidence {
            evidence: evidence.clone(),
            culprit,
            heard_unix_ms: born.saturating_add_signed(heard_ms),
        });
        known.collect()
    }

    /// Takes what the thread of agreement hands back.
    fn carried_out(&mut self, done: Done) {
        match done {
            Done::Send { to, frame, class } => {
                let parcel = Parcel {
                    frame,
                    class,
                    stream: None,
                    segment: SegmentNumber::MAX,
                };
                self.parts.transport.send(&to, parcel);
            }
            Done::Checked(name, verdict) => self.input(Input::Checked(name, verdict)),
            Done::Failed(error) => self.leave_agreement(&error),
        }
    }

    /// What is said in agreement must be on disk before: without a disk nothing more is said.
    fn leave_agreement(&mut self, why: &dyn std::error::Error) {
        tracing::error!("this peer takes no part in its cluster's agreement any more: {why}");
        self.agreement_failed = Some(why.to_string());
        self.parts.peer.leave_agreement();
        self.parts.worker = None;
    }

    fn input(&mut self, input: Input) {
        let now = self.parts.clock.now();
        self.parts.peer.handle(now, input);
        self.drain(now);
    }

    /// Does what the peer asks for.
    fn drain(&mut self, now: Time) {
        let mut unread = None;
        while let Some(output) = self.parts.peer.poll() {
            match output {
                Output::Card(card) => self.parts.transport.learn(card.peer, &card.addresses),
                Output::Connect(peer) => self.parts.transport.connect(peer),
                Output::Release(peer) => self.parts.transport.release(peer),
                Output::Send {
                    to,
                    frame,
                    class,
                    stream,
                    segment,
                } => {
                    if !self.withholds(class) {
                        let parcel = Parcel {
                            frame,
                            class,
                            stream,
                            segment,
                        };
                        self.tap.sent(now, &to, &parcel);
                        self.parts.transport.send(&to, parcel);
                    }
                }
                Output::WakeAt(time) => {
                    let at = self.parts.clock.instant(time);
                    self.alarm.as_mut().reset(at.into());
                    self.armed = true;
                }
                Output::Deliver(segment) => unread = self.deliver(segment).or(unread),
                Output::Agreement(step) => {
                    let worker = self.parts.worker.as_ref();
                    if let Some(Err(stuck)) = worker.map(|worker| worker.carry_out(step)) {
                        self.leave_agreement(&stuck);
                    }
                }
                Output::Event(event) => self.report(now, event),
            }
        }
        if let Some(stream) = unread {
            self.readers.remove(&stream);
            self.input(Input::Unsubscribe(stream));
        }
    }

    /// Whether this peer, as a demonstration's liar, keeps what it owes.
    fn withholds(&self, class: Class) -> bool {
        match self.parts.fault {
            Some(Fault::Silent) => !matches!(class, Class::Control | Class::Notice),
            None => false,
        }
    }

    /// Hands a segment to the stream's readers; the stream, if nobody reads it any more.
    fn deliver(&mut self, segment: Segment) -> Option<StreamNumber> {
        let stream = segment.stream;
        let sender = self.readers.get(&stream)?;
        sender.send(Arc::new(segment)).is_err().then_some(stream)
    }

    fn report(&mut self, now: Time, event: Event) {
        match &event {
            Event::Published { segment, .. } => self.published = Some(Ok(*segment)),
            Event::NotPublished(why) => self.published = Some(Err(*why)),
            // No honest peer sends what cannot be decoded, and its transport does not change a bit.
            Event::Refused {
                from,
                why: Refusal::Malformed,
            } => self.parts.transport.punish(*from),
            _ => {}
        }
        // Nobody may be listening.
        let _ = self.events.send((now, event));
    }
}

/// What the thread of agreement hands back next; never anything if there is none, or it has ended.
async fn next_done(worker: &mut Option<Worker>) -> Option<Done> {
    match worker {
        Some(worker) => worker.done.recv().await,
        None => None,
    }
}
