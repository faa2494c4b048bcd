//! When adversaries are what they are: from a moment, until a moment, on and off.

use super::{Behaviour, Place};
use hamlet_overlay::{
    io::{Input, Output},
    time::{Duration, Time},
};

/// When an adversary misbehaves; the rest of the time it follows the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From this time of the world on.
    pub from: Time,
    /// Until then.
    pub until: Time,
    /// Of each such stretch of time only the first part; `None` for all the time.
    pub rhythm: Option<Rhythm>,
}

/// On and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// For how long it misbehaves.
    pub on: Duration,
    /// How often.
    pub every: Duration,
}

impl Schedule {
    /// All the time.
    pub const ALWAYS: Schedule = Schedule {
        from: Time::ZERO,
        until: Time::NEVER,
        rhythm: None,
    };

    /// Whether it misbehaves at a time.
    pub fn is_on(&self, now: Time) -> bool {
        let on = |rhythm: Rhythm| {
            let into = now.since(self.from).as_micros() % rhythm.every.as_micros().max(1);
            into < rhythm.on.as_micros()
        };
        (self.from..self.until).contains(&now) && self.rhythm.is_none_or(on)
    }
}

/// Another behaviour, by a schedule.
pub struct Scheduled {
    /// When.
    pub schedule: Schedule,
    /// What.
    pub behaviour: Box<dyn Behaviour>,
}

impl Behaviour for Scheduled {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        // It watches all the time, and is heard only when it is on, or gives back what it held.
        let held = self.behaviour.wake() <= at.now;
        let mut said = Vec::new();
        let seen = self.behaviour.input(at, input.clone(), &mut said);
        if self.schedule.is_on(at.now) {
            outputs.append(&mut said);
            return seen;
        }
        if held {
            outputs.append(&mut said);
        }
        Some(input)
    }

    fn output(&mut self, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        match self.schedule.is_on(at.now) {
            true => self.behaviour.output(at, output, outputs),
            false => outputs.push(output),
        }
    }

    fn wake(&self) -> Time {
        self.behaviour.wake()
    }
}
