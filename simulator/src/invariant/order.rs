//! Segments are handed out in order, each once, and gaps are owned up to.

use super::{Invariant, Kind, Step};
use crate::scene::Scene;
use hamlet_overlay::{
    time::Time,
    view::{SegmentNumber, StreamNumber},
};
use std::collections::BTreeMap;

/// Remembers what each peer handed out last of each stream.
#[derive(Default)]
pub struct InOrderOnce {
    last: BTreeMap<(usize, StreamNumber), SegmentNumber>,
}

impl Invariant for InOrderOnce {
    fn name(&self) -> &'static str {
        "segments are handed out in order, each once"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Delivered]
    }

    fn check(&mut self, _scene: &Scene, _now: Time, peer: usize, step: Step) -> Result<(), String> {
        let Step::Delivered(segment) = step else {
            return Ok(());
        };
        let number = segment.number;
        match self.last.insert((peer, segment.stream), number) {
            Some(last) if number <= last => Err(format!("segment {number} came after {last}")),
            Some(last) if number > last + 1 && !segment.discontinuity => Err(format!(
                "segment {number} follows {last} without being marked as a discontinuity"
            )),
            _ => Ok(()),
        }
    }

    fn restarted(&mut self, peer: usize, _now: Time) {
        self.last.retain(|&(of, _), _| of != peer);
    }
}
