//! Replays: what was true once is said again.

use super::{Behaviour, Heard, Place};
use hamlet_overlay::{
    io::{Class, Input, Output},
    wire::Frame,
};
use std::collections::VecDeque;

/// Frames remembered.
const REMEMBERED: usize = 256;
/// How many of them go out with each new segment.
const AGAIN: usize = 16;

/// Keeps what it hears, and says it again to everybody it knows: things just heard, and the oldest that it remembers.
#[derive(Default)]
pub struct Replay {
    heard: Heard,
    frames: VecDeque<Frame>,
}

impl Behaviour for Replay {
    fn input(&mut self, _at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        let new = self.heard.hear(&input);
        if let Input::Frame { frame, .. } = &input {
            self.frames.push_back(frame.clone());
            if self.frames.len() > REMEMBERED {
                self.frames.pop_front();
            }
        }
        if let Some((stream, segment)) = new {
            let oldest = self.frames.iter().take(AGAIN / 2);
            let newest = self.frames.iter().rev().take(AGAIN / 2);
            outputs.extend(oldest.chain(newest).map(|frame| Output::Send {
                to: self.heard.connected().collect(),
                frame: frame.clone(),
                class: Class::Live,
                stream: Some(stream),
                segment,
            }));
        }
        Some(input)
    }
}
