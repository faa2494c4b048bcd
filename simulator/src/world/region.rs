//! A part of the world: some of its peers, and everything that is theirs.
//!
//! Within a [window](crate::calendar) no peer can touch another, so a region lives through a window on its
//! own: one of its peers after the other, which finds each peer's memory at hand, and next to other regions
//! on other processors. What leaves the region is handed over between windows.

use super::{LENGTH_BYTES, MAX_VIOLATIONS_KEPT, actor::Actor};
use crate::{
    audit::Audit,
    calendar::{Calendar, Entry},
    downlink::Received,
    event::Event,
    invariant::{Invariant, Step, Violation},
    ledger::Ledger,
    links::{Fate, Lines},
    message::Message,
    random::Randomness,
    scene::{Published, Scene},
    settings::Settings,
    uplink::Parcel,
};
use hamlet_overlay::{
    identity::PeerId,
    io::{self, Class, Cut, Input, Output},
    time::{Duration, Time},
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
    work::Work,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::{cmp::Ordering, mem, ops::Range, sync::Arc};

/// Some of the peers of a world.
pub(super) struct Region {
    pub settings: Arc<Settings>,
    /// The index of the first of its peers.
    pub first: usize,
    pub actors: Vec<Actor>,
    pub lines: Arc<Lines>,
    pub calendar: Calendar<Event>,
    /// Events for peers of other regions.
    pub outbox: Vec<Entry<Event>>,
    /// What computes for all peers.
    pub work: Arc<dyn Work>,
    /// The payloads of segments.
    pub payloads: Randomness,
    pub ledger: Ledger,
    pub audit: Audit,
    pub invariants: Vec<Box<dyn Invariant>>,
    pub violations: Vec<Violation>,
    pub violation_count: u64,
    /// What the source published since the scene was told.
    pub published: Vec<Published>,
    /// The cut that the source is asked to publish.
    pub cutting: Option<Cut>,
    pub now: Time,
    /// The first moment after what is being lived through.
    pub closes: Time,
    /// Events of the peer at hand that it entered itself for the time before that.
    pub soon: Vec<Entry<Event>>,
    /// Storage for events, and for a peer's outputs.
    pub taken: Vec<Entry<Event>>,
    pub outputs: Vec<Output>,
}

impl Region {
    /// The indices of its peers.
    pub fn peers(&self) -> Range<usize> {
        self.first..self.first + self.actors.len()
    }

    /// Lives through a window, or the part of it up to `until`.
    pub fn live(&mut self, scene: &Scene, window: u64, until: Time) {
        let after = until + Duration::from_micros(1);
        self.closes = self.calendar.end(window).min(after);
        let mut taken = mem::take(&mut self.taken);
        self.calendar.take(window, until, &mut taken);
        for entry in taken.drain(..) {
            self.catch_up(scene, Some(&entry));
            self.happen(scene, entry);
        }
        self.catch_up(scene, None);
        self.taken = taken;
        self.closes = Time::ZERO;
    }

    /// Lets those events happen that the peer at hand entered itself and that come before `next`.
    fn catch_up(&mut self, scene: &Scene, next: Option<&Entry<Event>>) {
        while let Some(place) =
            (0..self.soon.len()).min_by(|&a, &b| self.soon[a].order(&self.soon[b]))
        {
            let first = &self.soon[place];
            let later =
                |next: &Entry<Event>| next.to == first.to && next.order(first) == Ordering::Less;
            if next.is_some_and(later) {
                return;
            }
            let entry = self.soon.swap_remove(place);
            self.happen(scene, entry);
        }
    }

    fn actor(&mut self, peer: usize) -> &mut Actor {
        &mut self.actors[peer - self.first]
    }

    fn happen(&mut self, scene: &Scene, entry: Entry<Event>) {
        let Entry {
            time,
            to,
            from,
            event,
            ..
        } = entry;
        self.now = time;
        let peer = to as usize;
        if let Event::Wakes { generation } = event
            && !self.actor(peer).wakes(generation)
        {
            return;
        }
        let actor = &mut self.actors[peer - self.first];
        actor.seen += 1;
        self.audit.note(time, to, actor.seen, from, &event);
        let other = || scene.directory.id(from as usize);
        match event {
            Event::Arrives(message) => {
                if actor.ends.is_up(from) {
                    self.arrive(scene, peer, from, message);
                }
            }
            Event::Received(message) => {
                if actor.ends.is_up(from) {
                    self.receive(scene, peer, from as usize, &message);
                }
            }
            Event::Wanted => {
                if actor.ends.offered(&self.lines, from) && actor.ends.come_up(from) {
                    self.give(scene, peer, Input::Connected(other()));
                }
            }
            Event::Up => {
                if actor.ends.come_up(from) {
                    self.give(scene, peer, Input::Connected(other()));
                }
            }
            Event::Gone => {
                if actor.ends.gone(from) {
                    self.give(scene, peer, Input::Disconnected(other()));
                }
            }
            Event::Wakes { .. } => self.give(scene, peer, Input::Wake),
            Event::Sent => self.sent(peer),
            Event::Cuts { number } => self.cut(scene, peer, number),
            Event::Crashes => {
                actor.crash();
                for other in actor.ends.fall() {
                    // Not even silence is heard sooner than a message would be.
                    let latency = self.lines.latency(to, other);
                    let noticed = time + self.settings.links.silence().max(latency);
                    self.enter(noticed, peer, other, Event::Gone);
                }
            }
        }
    }

    /// Takes a message off a peer's line, as soon as the line has carried it.
    fn arrive(&mut self, scene: &Scene, peer: usize, from: u32, message: Arc<Message>) {
        let bytes = message.frame.len() + LENGTH_BYTES;
        let now = self.now;
        match self.actor(peer).downlink.receive(now, bytes as u32) {
            Received::Now => self.receive(scene, peer, from as usize, &message),
            Received::At(time) => {
                self.enter_from(time, from, peer, peer as u32, Event::Received(message));
            }
            Received::Dropped => {}
        }
    }

    fn receive(&mut self, scene: &Scene, peer: usize, from: usize, message: &Message) {
        let came = Step::Received {
            from,
            frame: &message.frame,
            class: message.class,
        };
        self.check(scene, peer, came);
        let frame = message.frame.clone();
        let from = scene.directory.id(from);
        self.give(scene, peer, Input::Frame { from, frame });
    }

    /// The uplink of a peer has sent a message.
    fn sent(&mut self, peer: usize) {
        let rate = self.actor(peer).upload.unwrap_or(u64::MAX);
        let (sent, next) = self.actor(peer).uplink.sent(rate);
        if let Some(next) = next {
            self.enter(self.now + next, peer, peer as u32, Event::Sent);
        }
        if let Some(Parcel { message, to, .. }) = sent {
            self.launch(peer, to, message);
        }
    }

    /// Lets the source publish its next segment.
    fn cut(&mut self, scene: &Scene, source: usize, number: u32) {
        let mut payload = vec![0; self.settings.segment_bytes()];
        ChaCha8Rng::from_seed(self.payloads.bytes(number.into())).fill_bytes(&mut payload);
        let cut = Cut {
            payload: payload.into(),
            random_access: u64::from(number).is_multiple_of(Settings::RANDOM_ACCESS_EVERY),
            cut_unix_ms: self.now.as_micros() / 1000,
        };
        self.cutting = Some(cut.clone());
        let next = u64::from(number) + 1;
        if next < self.settings.segments() {
            let after = self.settings.parameters.segment();
            let number = number + 1;
            self.enter(
                self.now + after,
                source,
                source as u32,
                Event::Cuts { number },
            );
        }
        self.give(scene, source, Input::Publish(cut));
    }

    /// Gives a peer an input, and does what it wants done.
    pub fn give(&mut self, scene: &Scene, peer: usize, input: Input) {
        let mut outputs = mem::take(&mut self.outputs);
        let now = self.now;
        self.actor(peer).handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.take(scene, peer, output);
        }
        self.outputs = outputs;
        let holds = self.actor(peer).sizes();
        self.check(scene, peer, Step::Holds(holds));
    }

    /// Does what a peer wants done.
    fn take(&mut self, scene: &Scene, peer: usize, output: Output) {
        let me = peer as u32;
        match output {
            Output::Connect(other) => {
                let Some(other) = scene.directory.index(other) else {
                    return;
                };
                let other = other as u32;
                let ends = &mut self.actors[peer - self.first].ends;
                if ends.want(&self.lines, other) {
                    self.enter_from(self.now, other, peer, me, Event::Up);
                }
                let arrives = self.now + self.lines.latency(me, other);
                self.enter(arrives, peer, other, Event::Wanted);
            }
            Output::Release(other) => {
                if let Some(other) = scene.directory.index(other)
                    && self.actor(peer).ends.release(other as u32)
                {
                    let other = other as u32;
                    let arrives = self.now + self.lines.latency(me, other);
                    self.enter(arrives, peer, other, Event::Gone);
                }
            }
            Output::Send {
                to,
                frame,
                class,
                stream,
                segment,
            } => self.send(scene, peer, &to, frame, class, (stream, segment)),
            Output::WakeAt(time) => {
                if let Some(generation) = self.actor(peer).wake_at(time) {
                    self.enter(time, peer, me, Event::Wakes { generation });
                }
            }
            Output::Deliver(segment) => {
                if scene.is_honest_receiver(peer) {
                    self.check(scene, peer, Step::Delivered(&segment));
                    let published = scene.published(segment.number);
                    let identical = published.is_some_and(|cut| cut.has_content(&segment));
                    self.ledger.delivered(segment.number, identical);
                }
            }
            Output::Event(event) => self.hear(scene, peer, event),
        }
    }

    fn send(
        &mut self,
        scene: &Scene,
        peer: usize,
        to: &[PeerId],
        frame: Frame,
        class: Class,
        (stream, segment): (Option<StreamNumber>, SegmentNumber),
    ) {
        let bytes = frame.len() + LENGTH_BYTES;
        self.ledger.sent(peer, class, (bytes * to.len()) as u64);
        let sent = Step::Sent {
            to,
            frame: &frame,
            class,
        };
        self.check(scene, peer, sent);
        let message = Arc::new(Message::new(&*self.work, frame, class));
        for &receiver in to {
            let Some(receiver) = scene.directory.index(receiver) else {
                continue;
            };
            let to = receiver as u32;
            let Some(rate) = self.actor(peer).upload else {
                self.launch(peer, to, message.clone());
                continue;
            };
            let parcel = Parcel {
                message: message.clone(),
                to,
                bytes: bytes as u32,
                class,
                stream,
                segment,
            };
            let (sent_after, _dropped) = self.actor(peer).uplink.queue(parcel, rate);
            if let Some(after) = sent_after {
                self.enter(self.now + after, peer, peer as u32, Event::Sent);
            }
        }
    }

    /// Puts a message on its way to one receiver.
    fn launch(&mut self, from: usize, to: u32, message: Arc<Message>) {
        let ends = &mut self.actors[from - self.first].ends;
        if let Fate::Arrives(after) = ends.send(&self.lines, to, self.now) {
            self.enter(self.now + after, from, to, Event::Arrives(message));
        }
    }

    /// Enters an event that a peer of this region brings about.
    pub fn enter(&mut self, time: Time, by: usize, to: u32, event: Event) {
        self.enter_from(time, by as u32, by, to, event);
    }

    /// The same, where the event is about the peer `from`.
    fn enter_from(&mut self, time: Time, from: u32, by: usize, to: u32, event: Event) {
        let made = &mut self.actor(by).made;
        let number = *made;
        *made = made.wrapping_add(1);
        let entry = Entry {
            time: time.max(self.now),
            to,
            from,
            number,
            event,
        };
        let within = entry.time < self.closes;
        debug_assert!(to as usize == by || !within, "sooner than the lookahead");
        if to as usize == by && within {
            self.soon.push(entry);
        } else if self.peers().contains(&(to as usize)) {
            self.calendar.enter(entry);
        } else {
            self.outbox.push(entry);
        }
    }

    fn hear(&mut self, scene: &Scene, peer: usize, event: io::Event) {
        match event {
            io::Event::Published { segment, .. } if peer == scene.source => {
                let expected = (scene.all_published().len() + self.published.len()) as u64;
                if segment != expected {
                    let detail = format!("segment {segment} was published as the {expected}th");
                    self.violated(scene, peer, "segments are numbered as they are cut", detail);
                }
                if let Some(cut) = self.cutting.take() {
                    let published = Published::new(self.now, cut.payload, cut.random_access);
                    self.published.push(published);
                }
            }
            io::Event::NotPublished(why) if peer == scene.source => {
                self.violated(
                    scene,
                    peer,
                    "a source within its rate may publish",
                    why.to_string(),
                );
            }
            io::Event::Restored {
                segment, repaired, ..
            } if scene.is_honest_receiver(peer) => {
                if let Some(published) = scene.published(segment) {
                    let after = self.now.since(published.at);
                    self.ledger.restored(peer, segment, after, repaired);
                }
            }
            _ => {}
        }
    }

    /// Holds every invariant against a step, if the peer is honest.
    fn check(&mut self, scene: &Scene, peer: usize, step: Step) {
        if scene.byzantine[peer] {
            return;
        }
        let mut broken = Vec::new();
        for invariant in &mut self.invariants {
            if let Err(detail) = invariant.check(scene, peer, step) {
                broken.push((invariant.name(), detail));
            }
        }
        for (name, detail) in broken {
            self.violated(scene, peer, name, detail);
        }
    }

    fn violated(&mut self, scene: &Scene, peer: usize, invariant: &'static str, detail: String) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS_KEPT {
            self.violations.push(Violation {
                seed: self.settings.seed,
                time: self.now,
                peer: scene.directory.id(peer),
                invariant,
                detail,
            });
        }
    }
}
