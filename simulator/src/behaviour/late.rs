//! Latecomers: they give everything, just before anybody would miss it.

use super::{Behaviour, Place, gives};
use hamlet_overlay::{
    io::{Input, Output},
    time::{Duration, Time},
};
use std::collections::VecDeque;

/// Holds back for a while whatever it gives.
pub struct Late {
    delay: Duration,
    /// In the order in which it was held back, which is that of when it is due.
    held: VecDeque<(Time, Output)>,
}

impl Late {
    /// Holds everything back for so long.
    pub fn new(delay: Duration) -> Late {
        Late {
            delay,
            held: VecDeque::new(),
        }
    }
}

impl Behaviour for Late {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        while let Some((_, output)) = self.held.pop_front_if(|(due, _)| *due <= at.now) {
            outputs.push(output);
        }
        Some(input)
    }

    fn output(&mut self, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        match &output {
            Output::Send { class, .. } if gives(*class) => {
                self.held.push_back((at.now + self.delay, output));
            }
            _ => outputs.push(output),
        }
    }

    fn wake(&self) -> Time {
        self.held.front().map_or(Time::NEVER, |(due, _)| *due)
    }
}
