//! A part of the world: some of its peers, and everything that is theirs.
//!
//! Within a [window](crate::calendar) no peer can touch another, so a region lives through a window on its
//! own: one of its peers after the other, which finds each peer's memory at hand, and next to other regions
//! on other processors. What leaves the region is handed over between windows.

use super::{actor::Actor, living::Checked, nursery::Nursery, publish::Publishing};
use crate::{
    accord::Fact,
    audit::Audit,
    calendar::{Calendar, Entry},
    event::Event,
    invariant::{Rules, Step, Violation},
    ledger::Ledger,
    links::Lines,
    random::Randomness,
    scene::{Published, Scene},
    settings::Settings,
};
use hamlet_overlay::{
    io::{Input, Output},
    time::{Duration, Time},
    view::SegmentNumber,
    work::Work,
};
use std::{cmp::Ordering, mem, sync::Arc};

/// Some of the peers of a world.
pub(super) struct Region {
    pub settings: Arc<Settings>,
    /// Where peers sit in memory: per peer, its seat among all. Fellow members sit side by side, since what one
    /// of them touches the next one touches too, and most messages stay within a region.
    pub seats: Arc<Vec<u32>>,
    /// The first of its seats.
    pub first: usize,
    /// The peers in these seats.
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
    pub invariants: Rules,
    pub violations: Vec<Violation>,
    pub violation_count: u64,
    /// What honest peers came to hold, when and by whom, since the world was told.
    pub facts: Vec<(Time, u32, Fact)>,
    /// Checks that were carried out for the peer at hand.
    pub checked: Vec<Checked>,
    /// What sources published since the scene was told.
    pub published: Vec<(SegmentNumber, Published)>,
    /// Per stream, what its source's driver has at hand, where the source is.
    pub publishing: Vec<Publishing>,
    /// Where peers come from.
    pub nursery: Arc<Nursery>,
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
    pub fn peers(&self) -> Vec<usize> {
        self.actors.iter().map(|actor| actor.me as usize).collect()
    }

    fn seat(&self, peer: usize) -> usize {
        self.seats[peer] as usize
    }

    /// Where one of its peers is among them.
    pub fn place(&self, peer: usize) -> usize {
        self.seat(peer) - self.first
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

    /// One of its peers.
    pub fn actor(&mut self, peer: usize) -> &mut Actor {
        let place = self.place(peer);
        &mut self.actors[place]
    }

    fn happen(&mut self, scene: &Scene, entry: Entry<Event>) {
        let Entry {
            time,
            to: seat,
            from,
            event,
            ..
        } = entry;
        self.now = time;
        let actor = &mut self.actors[seat as usize - self.first];
        let (to, peer) = (actor.me, actor.me as usize);
        if !event.is_of_the_world() {
            if actor.is_away() {
                return;
            }
            // A machine that stands still takes everything when it goes on.
            if let Some(until) = actor.stands_until(time) {
                return self.enter_from(until, from, peer, to, event);
            }
        }
        if let Event::Wakes { generation } = event
            && !actor.wakes(generation)
        {
            return;
        }
        actor.seen += 1;
        self.audit.note(time, to, actor.seen, from, &event);
        match event {
            Event::Arrives(message) => {
                if actor.ends.is_up(from) {
                    self.arrive(scene, peer, from, message);
                }
            }
            Event::Received(message) => {
                if actor.ends.is_up(from) {
                    self.receive(scene, peer, from as usize, message);
                }
            }
            Event::Wanted { life } => self.wanted(scene, peer, from, life),
            Event::Up { mine, theirs } => self.come_up(scene, peer, from, mine, theirs),
            Event::Gone { life } => self.gone(scene, peer, from, life),
            Event::Probes => self.probe(scene, peer),
            Event::Wakes { .. } => self.give(scene, peer, Input::Wake),
            Event::Sent { life } => self.sent(peer, life),
            Event::Cuts { number } => self.cut(scene, peer, number),
            Event::Written => self.publish(scene, peer),
            Event::Epoch => self.follow_epochs(scene, peer),
            Event::Leaves { number } => self.leave(scene, peer, number),
            Event::Departs { number } => self.depart(scene, peer, number),
            Event::Returns { number } => self.come_back(scene, peer, number),
        }
    }

    /// Gives a peer an input, and does what it wants done.
    pub fn give(&mut self, scene: &Scene, peer: usize, input: Input) {
        let now = self.now;
        self.act(scene, peer, |actor, outputs| {
            actor.handle(now, input, outputs);
        });
    }

    /// Lets a peer act, and does what it wants done.
    pub fn act(
        &mut self,
        scene: &Scene,
        peer: usize,
        act: impl FnOnce(&mut Actor, &mut Vec<Output>),
    ) {
        let mut outputs = mem::take(&mut self.outputs);
        act(self.actor(peer), &mut outputs);
        for output in outputs.drain(..) {
            self.take(scene, peer, output);
        }
        self.outputs = outputs;
        if self.settings.lives() {
            self.go_on_agreeing(scene, peer);
        }
        if !scene.byzantine[peer] {
            let holds = self.actor(peer).sizes();
            self.check(scene, peer, Step::Holds(holds));
        }
    }

    /// Does what a peer wants done.
    fn take(&mut self, scene: &Scene, peer: usize, output: Output) {
        let me = peer as u32;
        match output {
            Output::Connect(other) => {
                if let Some(other) = scene.directory.index(other) {
                    self.connect(peer, other as u32);
                }
            }
            Output::Release(other) => {
                if let Some(other) = scene.directory.index(other) {
                    self.release(peer, other as u32);
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
                let now = self.now;
                if let Some((time, generation)) = self.actor(peer).wake_at(time, now) {
                    self.enter(time, peer, me, Event::Wakes { generation });
                }
            }
            Output::Deliver(segment) => {
                if scene.is_honest_receiver(peer, segment.stream) {
                    self.ledger.plays(peer, self.now);
                    self.check(scene, peer, Step::Delivered(&segment));
                    if let Some((place, cut)) = scene.published(segment.stream, segment.number) {
                        let identical = cut.first.has_content(&segment);
                        self.ledger.delivered(peer, place, identical);
                    }
                }
            }
            // Where membership is fixed there is none.
            Output::Agreement(step) => self.carry_out(scene, peer, step),
            // Peers find each other by their keys.
            Output::Card(_) => {}
            Output::Event(event) => self.hear(scene, peer, event),
        }
    }

    /// Enters an event that a peer of this region brings about.
    pub fn enter(&mut self, time: Time, by: usize, to: u32, event: Event) {
        self.enter_from(time, by as u32, by, to, event);
    }

    /// The same, where the event is about the peer `from`.
    pub fn enter_from(&mut self, time: Time, from: u32, by: usize, to: u32, event: Event) {
        let made = &mut self.actor(by).made;
        let number = *made;
        *made = made.wrapping_add(1);
        let seat = self.seat(to as usize);
        let entry = Entry {
            time: time.max(self.now),
            to: seat as u32,
            from,
            number,
            event,
        };
        let within = entry.time < self.closes;
        debug_assert!(to as usize == by || !within, "sooner than the lookahead");
        if to as usize == by && within {
            self.soon.push(entry);
        } else if (self.first..self.first + self.actors.len()).contains(&seat) {
            self.calendar.enter(entry);
        } else {
            self.outbox.push(entry);
        }
    }
}
