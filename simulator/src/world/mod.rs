//! The world: it drives real peers through virtual time.

mod actor;
mod founding;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::scene as test_scene;

use crate::{
    audit::Audit,
    calendar::Calendar,
    event::Event,
    figures::{Account, Figures},
    invariant::{Invariant, Step, Violation},
    ledger::Ledger,
    links::{Fate, Links},
    messages::Messages,
    random::Randomness,
    scene::{Published, Scene},
    settings::Settings,
    uplink::{Parcel, Uplink},
};
use actor::Actor;
use hamlet_overlay::{
    identity::PeerId,
    io::{self, Class, Cut, Input, Output},
    time::Time,
    view::SegmentNumber,
    wire::Frame,
    work::Work,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::{collections::BTreeMap, mem, sync::Arc};

/// The only stream of a world.
const STREAM: u16 = 0;
/// What a frame's length takes on the wire, in bytes.
const LENGTH_BYTES: usize = 4;
/// Violations kept in full; the others are counted.
const MAX_VIOLATIONS_KEPT: usize = 20;

/// A deterministic world: peers, links, and a source that streams to all of them.
///
/// Everything in it follows from its [`Settings`]: equal settings, equal events to the byte.
pub struct World {
    settings: Settings,
    scene: Scene,
    actors: Vec<Actor>,
    links: Links,
    uplinks: Vec<Uplink>,
    calendar: Calendar<Event>,
    messages: Messages,
    /// What computes for all peers.
    work: Arc<dyn Work>,
    now: Time,
    /// The payloads of segments.
    payloads: Randomness,
    /// The cut that the source is asked to publish.
    cutting: Option<Cut>,
    /// Storage for a peer's outputs.
    outputs: Vec<Output>,
    ledger: Ledger,
    audit: Audit,
    invariants: Vec<Box<dyn Invariant>>,
    violations: Vec<Violation>,
    violation_count: u64,
}

impl World {
    /// When the last segment was waited for and the world is over.
    pub fn end(&self) -> Time {
        Time::ZERO + Settings::WARM_UP + self.settings.publishing + Settings::DRAIN
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What the world was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is true in it.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The rules broken so far; the first [`MAX_VIOLATIONS_KEPT`] of them.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Goes on until `time`.
    pub fn run_until(&mut self, time: Time) {
        while let Some((now, event)) = self.calendar.take(time) {
            self.now = self.now.max(now);
            self.happen(event);
        }
        self.now = self.now.max(time);
    }

    /// Lets a peer stop for good, without a word, at a time to come.
    pub fn crash(&mut self, peer: usize, at: Time) {
        self.calendar.enter(at, Event::Crash { peer: peer as u32 });
    }

    /// What the run came to so far.
    pub fn figures(&mut self) -> Figures {
        let mut refused = BTreeMap::new();
        for (peer, actor) in self.actors.iter().enumerate() {
            if !self.scene.byzantine[peer] {
                for (why, count) in actor.report().refused {
                    *refused.entry(why).or_insert(0) += count;
                }
            }
        }
        let connected = |peer| self.links.connected(peer).count();
        Account {
            now: self.now,
            settings: &self.settings,
            scene: &self.scene,
            ledger: &self.ledger,
            connections: (0..self.actors.len()).map(connected).sum(),
            refused,
            events: self.audit.events(),
            violations: self.violation_count,
            trace: self.audit.hash(),
        }
        .figures()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { to, message } => self.arrive(event, to as usize, message),
            Event::Wake { peer, generation } => {
                if self.actors[peer as usize].wakes(generation) {
                    self.audit.note(self.now, event, None);
                    self.give(peer as usize, Input::Wake);
                }
            }
            Event::Connect { a, b } => {
                self.audit.note(self.now, event, None);
                if self.links.connect(a as usize, b as usize) {
                    self.give(a as usize, Input::Connected(self.id(b)));
                    self.give(b as usize, Input::Connected(self.id(a)));
                }
            }
            Event::Disconnect { peer, from } => {
                self.audit.note(self.now, event, None);
                self.links.cut(peer as usize, from as usize);
                self.give(peer as usize, Input::Disconnected(self.id(from)));
            }
            Event::Sent { peer } => {
                self.audit.note(self.now, event, None);
                let rate = self.settings.links.uplink_bits_per_s.unwrap_or(u64::MAX);
                let (sent, next) = self.uplinks[peer as usize].sent(rate);
                if let Some(next) = next {
                    self.calendar.enter(self.now + next, event);
                }
                if let Some(Parcel { message, to, .. }) = sent {
                    self.launch(peer as usize, to as usize, message);
                }
            }
            Event::Cut { number } => {
                self.audit.note(self.now, event, None);
                self.cut(number);
            }
            Event::Crash { peer } => {
                self.audit.note(self.now, event, None);
                self.actors[peer as usize].crash();
                let noticed = self.now + self.settings.links.silence;
                for other in self.links.connected(peer as usize) {
                    let peer_at_other_end = Event::Disconnect {
                        peer: other as u32,
                        from: peer,
                    };
                    self.calendar.enter(noticed, peer_at_other_end);
                }
            }
        }
    }

    fn arrive(&mut self, event: Event, to: usize, number: u32) {
        let Some(message) = self.messages.get(number) else {
            return;
        };
        self.audit.note(self.now, event, Some(&message.content));
        let (from, class, frame) = (message.from, message.class, message.frame.clone());
        self.messages.done(number);
        if !self.links.is_up(to, from) {
            return;
        }
        let came = Step::Received {
            from,
            frame: &frame,
            class,
        };
        self.check(to, came);
        let from = self.scene.directory.id(from);
        self.give(to, Input::Frame { from, frame });
    }

    /// Lets the source publish its next segment.
    fn cut(&mut self, number: u32) {
        let source = self.scene.source;
        let mut payload = vec![0; self.settings.segment_bytes()];
        ChaCha8Rng::from_seed(self.payloads.bytes(number.into())).fill_bytes(&mut payload);
        let cut = Cut {
            payload: payload.into(),
            random_access: u64::from(number).is_multiple_of(Settings::RANDOM_ACCESS_EVERY),
            cut_unix_ms: self.now.as_micros() / 1000,
        };
        self.cutting = Some(cut.clone());
        self.give(source, Input::Publish(cut));
        let next = u64::from(number) + 1;
        if next < self.settings.segments() {
            let after = self.settings.parameters.segment();
            let number = number + 1;
            self.calendar.enter(self.now + after, Event::Cut { number });
        }
    }

    /// Gives a peer an input, and does what it wants done.
    fn give(&mut self, peer: usize, input: Input) {
        let mut outputs = mem::take(&mut self.outputs);
        self.actors[peer].handle(self.now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.take(peer, output);
        }
        self.outputs = outputs;
        let holds = self.actors[peer].sizes();
        self.check(peer, Step::Holds(holds));
    }

    /// Does what a peer wants done.
    fn take(&mut self, peer: usize, output: Output) {
        match output {
            Output::Connect(other) => {
                if let Some(other) = self.scene.directory.index(other)
                    && let Some(latency) = self.links.want(peer, other)
                {
                    let [a, b] = [peer as u32, other as u32];
                    self.calendar
                        .enter(self.now + latency, Event::Connect { a, b });
                }
            }
            Output::Release(other) => {
                if let Some(other) = self.scene.directory.index(other)
                    && self.links.release(peer, other)
                {
                    let [peer, from] = [other as u32, peer as u32];
                    self.calendar
                        .enter(self.now, Event::Disconnect { peer, from });
                }
            }
            Output::Send {
                to,
                frame,
                class,
                segment,
            } => self.send(peer, &to, frame, class, segment),
            Output::WakeAt(time) => {
                if let Some(generation) = self.actors[peer].wake_at(time) {
                    let peer = peer as u32;
                    self.calendar
                        .enter(time.max(self.now), Event::Wake { peer, generation });
                }
            }
            Output::Deliver(segment) => {
                if self.scene.is_honest_receiver(peer) {
                    self.check(peer, Step::Delivered(&segment));
                    let published = self.scene.published(segment.number);
                    let identical = published.is_some_and(|cut| cut.has_content(&segment));
                    self.ledger.delivered(segment.number, identical);
                }
            }
            Output::Event(event) => self.hear(peer, event),
        }
    }

    fn send(
        &mut self,
        peer: usize,
        to: &[PeerId],
        frame: Frame,
        class: Class,
        segment: SegmentNumber,
    ) {
        let bytes = frame.len() + LENGTH_BYTES;
        self.ledger.sent(peer, class, (bytes * to.len()) as u64);
        let sent = Step::Sent {
            to,
            frame: &frame,
            class,
        };
        self.check(peer, sent);
        // One copy more than there are receivers keeps the message alive while they are gone through.
        let message = self
            .messages
            .insert(&*self.work, peer, frame, class, to.len() + 1);
        for &receiver in to {
            let Some(receiver) = self.scene.directory.index(receiver) else {
                self.messages.done(message);
                continue;
            };
            let Some(rate) = self.settings.links.uplink_bits_per_s else {
                self.launch(peer, receiver, message);
                continue;
            };
            let parcel = Parcel {
                message,
                to: receiver as u32,
                bytes: bytes as u32,
                class,
                segment,
            };
            let (sent_after, dropped) = self.uplinks[peer].queue(parcel, rate);
            if let Some(after) = sent_after {
                let peer = peer as u32;
                self.calendar.enter(self.now + after, Event::Sent { peer });
            }
            for parcel in dropped {
                self.messages.done(parcel.message);
            }
        }
        self.messages.done(message);
    }

    /// Puts a message on its way to one receiver.
    fn launch(&mut self, from: usize, to: usize, message: u32) {
        match self.links.send(from, to) {
            Fate::Arrives(after) => {
                let to = to as u32;
                self.calendar
                    .enter(self.now + after, Event::Arrive { to, message });
            }
            Fate::Lost | Fate::NotConnected => self.messages.done(message),
        }
    }

    fn hear(&mut self, peer: usize, event: io::Event) {
        match event {
            io::Event::Published { segment, .. } if peer == self.scene.source => {
                let expected = self.scene.all_published().len() as u64;
                if segment != expected {
                    let detail = format!("segment {segment} was published as the {expected}th");
                    self.violated(peer, "segments are numbered as they are cut", detail);
                }
                if let Some(cut) = self.cutting.take() {
                    let published = Published::new(self.now, cut.payload, cut.random_access);
                    self.scene.publish(published);
                    self.ledger.published();
                }
            }
            io::Event::NotPublished(why) if peer == self.scene.source => {
                self.violated(
                    peer,
                    "a source within its rate may publish",
                    why.to_string(),
                );
            }
            io::Event::Restored {
                segment, repaired, ..
            } if self.scene.is_honest_receiver(peer) => {
                if let Some(published) = self.scene.published(segment) {
                    let after = self.now.since(published.at);
                    self.ledger.restored(peer, segment, after, repaired);
                }
            }
            _ => {}
        }
    }

    /// Holds every invariant against a step, if the peer is honest.
    fn check(&mut self, peer: usize, step: Step) {
        if self.scene.byzantine[peer] {
            return;
        }
        let mut broken = Vec::new();
        for invariant in &mut self.invariants {
            if let Err(detail) = invariant.check(&self.scene, peer, step) {
                broken.push((invariant.name(), detail));
            }
        }
        for (name, detail) in broken {
            self.violated(peer, name, detail);
        }
    }

    fn violated(&mut self, peer: usize, invariant: &'static str, detail: String) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS_KEPT {
            self.violations.push(Violation {
                seed: self.settings.seed,
                time: self.now,
                peer: self.scene.directory.id(peer),
                invariant,
                detail,
            });
        }
    }

    fn id(&self, peer: u32) -> PeerId {
        self.scene.directory.id(peer as usize)
    }
}
