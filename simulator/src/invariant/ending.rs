//! A stream whose source contradicted itself is over, and no other ever is.

use super::{Invariant, Kind, Step};
use crate::scene::Scene;
use hamlet_overlay::{time::Time, view::StreamNumber};
use std::collections::BTreeSet;

/// Remembers who ended which stream.
#[derive(Default)]
pub struct NothingAfterwards {
    ended: BTreeSet<(usize, StreamNumber)>,
}

impl Invariant for NothingAfterwards {
    fn name(&self) -> &'static str {
        "a stream ends where its source is proved to lie, and nowhere else"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Delivered, Kind::Stopped]
    }

    fn check(&mut self, scene: &Scene, _now: Time, peer: usize, step: Step) -> Result<(), String> {
        match step {
            Step::Stopped(stream) => {
                self.ended.insert((peer, stream));
                let may = scene.may_contradict.get(usize::from(stream));
                match may {
                    Some(true) => Ok(()),
                    _ => Err(format!(
                        "stream {stream} was stopped, and its source is honest"
                    )),
                }
            }
            Step::Delivered(segment) if self.ended.contains(&(peer, segment.stream)) => {
                let (number, stream) = (segment.number, segment.stream);
                Err(format!(
                    "segment {number} was played after stream {stream} was stopped"
                ))
            }
            _ => Ok(()),
        }
    }

    fn restarted(&mut self, peer: usize, _now: Time) {
        self.ended.retain(|&(of, _)| of != peer);
    }
}
