//! No queue or window holds more than its bound.

use super::{Invariant, Kind, Step};
use crate::scene::Scene;
use hamlet_overlay::{peer::Sizes, time::Time};

/// Compares what a peer holds with its own bounds.
pub struct WithinBounds;

impl Invariant for WithinBounds {
    fn name(&self) -> &'static str {
        "no queue or window exceeds its bound"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Holds]
    }

    fn check(
        &mut self,
        _scene: &Scene,
        _now: Time,
        _peer: usize,
        step: Step,
    ) -> Result<(), String> {
        let Step::Holds(sizes) = step else {
            return Ok(());
        };
        let Sizes {
            segments,
            segments_max,
            held_shards,
            held_shards_max,
        } = sizes;
        if segments > segments_max {
            return Err(format!("{segments} segments in a window of {segments_max}"));
        }
        if held_shards > held_shards_max {
            return Err(format!(
                "{held_shards} shards held back, at most {held_shards_max} may be"
            ));
        }
        Ok(())
    }
}
