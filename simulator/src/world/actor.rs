//! A peer in the world: the real state machine, what stands in front of it, and its next wake-up.

use super::living::Living;
use crate::{
    behaviour::{Behaviour, Mind, Place},
    downlink::Downlink,
    links::Ends,
    machines::Machine,
    message::Message,
    presence::Away,
    uplink::Uplink,
};
use hamlet_overlay::{
    agreement::Part,
    io::{Input, Output, Refusal},
    membership::cycle,
    peer::{Peer, Sizes},
    report::Report,
    time::Time,
    view::{Change, View},
};
use std::{collections::BTreeMap, sync::Arc};

/// What makes a peer an adversary.
pub struct Character {
    pub behaviour: Box<dyn Behaviour>,
    pub mind: Arc<Mind>,
}

/// A peer in the world. What every event looks at comes first, in the order written: with many peers each event
/// finds its peer far away in memory, so what counts is how many places there it touches.
#[repr(C)]
pub struct Actor {
    /// The peer's index.
    pub me: u32,
    /// How many events it has entered, and how many have happened to it.
    pub made: u32,
    pub seen: u64,
    /// When it is to be woken.
    wake_at: Option<Time>,
    /// Which of its wake-ups that is; those before are superseded.
    generation: u32,
    /// The how many-eth time it has started this is: what was begun before is void.
    life: u32,
    /// Which of the times of its absence it is in.
    away: Option<u32>,
    /// What is wrong with its machine.
    pub machine: Option<Box<Machine>>,
    /// What it can send, in bits per second; `None` for any amount.
    pub upload: Option<u64>,
    /// Its ends of links, and what comes and goes over them.
    pub ends: Ends,
    pub downlink: Downlink,
    /// What a Byzantine peer does differently.
    character: Option<Character>,
    peer: Peer,
    pub uplink: Uplink<Arc<Message>>,
    /// The how many-eth epoch of the network it lives in, from 0.
    pub epoch: usize,
    /// When its peer, as opposed to its character, wants to be woken.
    peer_wakes: Time,
    /// When it is away.
    pub absences: Vec<Away>,
    /// The links that it had when it left.
    lost: Vec<u32>,
    /// What earlier lives of its refused.
    refused: BTreeMap<Refusal, u64>,
    /// What it has besides, where membership lives.
    pub living: Option<Box<Living>>,
}

impl Actor {
    /// A peer that has just started.
    pub fn new(
        me: u32,
        peer: Peer,
        character: Option<Character>,
        upload: Option<u64>,
        downlink: Downlink,
    ) -> Actor {
        Actor {
            me,
            peer,
            ends: Ends::new(me),
            uplink: Uplink::default(),
            upload,
            downlink,
            made: 0,
            seen: 0,
            epoch: 0,
            character,
            peer_wakes: Time::NEVER,
            wake_at: None,
            generation: 0,
            life: 1,
            machine: None,
            absences: Vec::new(),
            away: None,
            lost: Vec::new(),
            refused: BTreeMap::new(),
            living: None,
        }
    }

    /// What the peer refused, by kind.
    pub fn refused(&self) -> BTreeMap<Refusal, u64> {
        let mut all = self.refused.clone();
        for (why, count) in self.report().refused {
            *all.entry(why).or_insert(0) += count;
        }
        all
    }

    /// What the peer reports of itself.
    pub fn report(&self) -> Report {
        self.peer.report()
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The how many-eth time the peer has started this is.
    pub fn life(&self) -> u32 {
        self.life
    }

    /// What it knows of the network around it.
    pub fn view(&self) -> &View {
        self.peer.view()
    }

    /// Where this cluster lies on the cycles, if the peer holds its state.
    pub fn places(&self, cluster: u64) -> Option<Vec<cycle::Place>> {
        let standing = self.peer.standing()?;
        let state = self.peer.state()?;
        (standing.cluster == cluster).then(|| state.places().to_vec())
    }

    /// The cluster that it takes part in or waits at, and what it does there; `None` if it does not agree.
    pub fn place(&self) -> Option<(u64, Part)> {
        let standing = self.peer.standing()?;
        Some((standing.cluster, standing.part))
    }

    /// Is not there until this absence is over.
    pub fn waits(&mut self, number: u32) {
        self.away = Some(number);
    }

    /// Whether the peer is away.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// What the clock of its machine shows.
    pub fn shows(&self, now: Time) -> Time {
        self.machine
            .as_ref()
            .map_or(now, |machine| machine.shows(now))
    }

    /// Until when its machine stands still, if it does now.
    pub fn stands_until(&self, now: Time) -> Option<Time> {
        self.machine.as_ref()?.stands_until(now)
    }

    /// How much the peer holds.
    pub fn sizes(&self) -> Sizes {
        self.peer.sizes()
    }

    /// Gives the peer an input, and puts what it wants done into `outputs`. One that is away does nothing.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Vec<Output>) {
        if self.is_away() {
            return;
        }
        let now = self.shows(now);
        let Some(Character { behaviour, mind }) = &mut self.character else {
            self.peer.handle(now, input);
            return self.speak(now, outputs);
        };
        let me = self.peer.id();
        let place = Place {
            now,
            me,
            view: self.peer.view(),
            mind,
        };
        let seen = behaviour.input(&place, input, outputs);
        // It may be only the behaviour that wanted to be woken.
        let early = |input: &Input| matches!(input, Input::Wake) && self.peer_wakes > now;
        if let Some(input) = seen.filter(|input| !early(input)) {
            if matches!(input, Input::Wake) {
                self.peer_wakes = Time::NEVER;
            }
            self.peer.handle(now, input);
        }
        self.speak(now, outputs);
    }

    /// Begins the next epoch.
    pub fn begin_epoch(&mut self, now: Time, next: Change, outputs: &mut Vec<Output>) {
        let now = self.shows(now);
        if let Some(Character { behaviour, mind }) = &mut self.character {
            let place = Place {
                now,
                me: self.peer.id(),
                view: self.peer.view(),
                mind,
            };
            behaviour.begin_epoch(&place, &next, outputs);
        }
        self.peer.begin_epoch(now, next);
        self.speak(now, outputs);
    }

    /// Puts what the peer wants done into `outputs`, as far as its character lets it.
    fn speak(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let Some(Character { behaviour, mind }) = &mut self.character else {
            outputs.extend(std::iter::from_fn(|| self.peer.poll()));
            return;
        };
        let me = self.peer.id();
        while let Some(output) = self.peer.poll() {
            if let Output::WakeAt(time) = output {
                self.peer_wakes = time;
                continue;
            }
            let place = Place {
                now,
                me,
                view: self.peer.view(),
                mind,
            };
            behaviour.output(&place, output, outputs);
        }
        outputs.push(Output::WakeAt(self.peer_wakes.min(behaviour.wake())));
    }

    /// The peer asks to be woken when its clock shows `time`; gives when that is and the number of the
    /// wake-up to enter, if there is none already.
    pub fn wake_at(&mut self, time: Time, now: Time) -> Option<(Time, u32)> {
        let time = (time != Time::NEVER).then_some(time);
        if self.wake_at == time {
            return None;
        }
        self.wake_at = time;
        self.generation = self.generation.wrapping_add(1);
        let time = time?;
        let machine = self.machine.as_ref();
        let when = machine.map_or(time, |machine| machine.when(time, now));
        Some((when, self.generation))
    }

    /// Whether the wake-up of this number is due, and not superseded.
    pub fn wakes(&mut self, generation: u32) -> bool {
        let due = self.generation == generation && self.wake_at.is_some();
        if due {
            self.wake_at = None;
        }
        due
    }

    /// The peer leaves for the absence of this number; `lost` are the links that it had.
    pub fn leave(&mut self, number: u32, lost: Vec<u32>) {
        self.away = Some(number);
        self.lost = lost;
        self.life += 1;
        self.uplink = Uplink::default();
        self.wake_at = None;
    }

    /// The peer comes back from the absence of this number, if it is in that; gives the links that it had.
    pub fn come_back(&mut self, number: u32) -> Option<Vec<u32>> {
        self.away.take_if(|away| *away == number)?;
        Some(std::mem::take(&mut self.lost))
    }

    /// A new peer takes its place.
    pub fn restart(&mut self, me: u32, peer: Peer) {
        self.refused = self.refused();
        self.peer = peer;
        self.ends = Ends::new(me);
        self.epoch = 0;
    }
}
