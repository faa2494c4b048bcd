//! Segments are handed out in order, each once, and gaps are owned up to.

use super::{Invariant, Step};
use crate::scene::Scene;
use hamlet_overlay::view::SegmentNumber;

/// Remembers what each peer handed out last.
pub struct InOrderOnce {
    last: Vec<Option<SegmentNumber>>,
}

impl InOrderOnce {
    /// Nothing was handed out yet.
    pub fn new(peers: usize) -> InOrderOnce {
        InOrderOnce {
            last: vec![None; peers],
        }
    }
}

impl Invariant for InOrderOnce {
    fn name(&self) -> &'static str {
        "segments are handed out in order, each once"
    }

    fn check(&mut self, _scene: &Scene, peer: usize, step: Step) -> Result<(), String> {
        let Step::Delivered(segment) = step else {
            return Ok(());
        };
        let number = segment.number;
        match self.last[peer].replace(number) {
            Some(last) if number <= last => Err(format!("segment {number} came after {last}")),
            Some(last) if number > last + 1 && !segment.discontinuity => Err(format!(
                "segment {number} follows {last} without being marked as a discontinuity"
            )),
            _ => Ok(()),
        }
    }

    fn restarted(&mut self, peer: usize) {
        self.last[peer] = None;
    }
}
