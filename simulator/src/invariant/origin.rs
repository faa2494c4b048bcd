//! Nothing is played that the source did not publish.

use super::{Invariant, Kind, Step};
use crate::scene::Scene;
use hamlet_overlay::time::Time;

/// Compares every byte that is handed out with what the source said under its number.
pub struct SignedContent;

impl Invariant for SignedContent {
    fn name(&self) -> &'static str {
        "nothing is played that the source did not sign"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Delivered]
    }

    fn check(&mut self, scene: &Scene, _now: Time, _peer: usize, step: Step) -> Result<(), String> {
        let Step::Delivered(segment) = step else {
            return Ok(());
        };
        let number = segment.number;
        let Some((_, published)) = scene.published(segment.stream, number) else {
            return Err(format!("segment {number} was never published"));
        };
        let Some(version) = published.version(segment) else {
            return Err(format!("segment {number} is not what the source cut"));
        };
        if segment.random_access != version.random_access {
            return Err(format!(
                "segment {number} is marked wrongly as a place to start"
            ));
        }
        Ok(())
    }
}
