//! A peer in the world: the real state machine, what stands in front of it, and its next wake-up.

use crate::{
    behaviour::{Behaviour, Place},
    downlink::Downlink,
    links::Ends,
    message::Message,
    uplink::Uplink,
};
use hamlet_overlay::{
    io::{Input, Output},
    peer::{Peer, Sizes},
    report::Report,
    time::Time,
};
use std::sync::Arc;

/// A peer in the world.
pub struct Actor {
    peer: Peer,
    /// Its ends of links, and what it sends over them.
    pub ends: Ends,
    pub uplink: Uplink<Arc<Message>>,
    /// What it can send, in bits per second; `None` for any amount.
    pub upload: Option<u64>,
    pub downlink: Downlink,
    /// How many events it has entered, and how many have happened to it.
    pub made: u32,
    pub seen: u64,
    /// What a Byzantine peer does differently.
    behaviour: Option<Box<dyn Behaviour>>,
    /// When it is to be woken.
    wake_at: Option<Time>,
    /// Which of its wake-ups that is; those before are superseded.
    generation: u32,
    crashed: bool,
}

impl Actor {
    /// A peer that has just started.
    pub fn new(
        me: u32,
        peer: Peer,
        behaviour: Option<Box<dyn Behaviour>>,
        upload: Option<u64>,
        downlink: Downlink,
    ) -> Actor {
        Actor {
            peer,
            ends: Ends::new(me),
            uplink: Uplink::default(),
            upload,
            downlink,
            made: 0,
            seen: 0,
            behaviour,
            wake_at: None,
            generation: 0,
            crashed: false,
        }
    }

    /// What the peer counted.
    pub fn report(&self) -> Report {
        self.peer.report()
    }

    /// How much the peer holds.
    pub fn sizes(&self) -> Sizes {
        self.peer.sizes()
    }

    /// Gives the peer an input, and puts what it wants done into `outputs`. A crashed one does nothing.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Vec<Output>) {
        if self.crashed {
            return;
        }
        let Some(behaviour) = &mut self.behaviour else {
            self.peer.handle(now, input);
            outputs.extend(std::iter::from_fn(|| self.peer.poll()));
            return;
        };
        let me = self.peer.id();
        let place = Place {
            now,
            me,
            view: self.peer.view(),
        };
        if let Some(input) = behaviour.input(&place, input, outputs) {
            self.peer.handle(now, input);
        }
        while let Some(output) = self.peer.poll() {
            let place = Place {
                now,
                me,
                view: self.peer.view(),
            };
            behaviour.output(&place, output, outputs);
        }
    }

    /// The peer asks to be woken then; gives the number of the wake-up to enter, if there is none already.
    pub fn wake_at(&mut self, time: Time) -> Option<u32> {
        let time = (time != Time::NEVER).then_some(time);
        if self.wake_at == time {
            return None;
        }
        self.wake_at = time;
        self.generation = self.generation.wrapping_add(1);
        time.map(|_| self.generation)
    }

    /// Whether the wake-up of this number is due, and not superseded.
    pub fn wakes(&mut self, generation: u32) -> bool {
        let due = self.generation == generation && self.wake_at.is_some() && !self.crashed;
        if due {
            self.wake_at = None;
        }
        due
    }

    /// Stops the peer for good.
    pub fn crash(&mut self) {
        self.crashed = true;
    }
}
