//! Nothing is played that the source did not publish.

use super::{Invariant, Step};
use crate::scene::Scene;

/// Compares every byte that is handed out with what the source cut.
pub struct SignedContent;

impl Invariant for SignedContent {
    fn name(&self) -> &'static str {
        "nothing is played that the source did not sign"
    }

    fn check(&mut self, scene: &Scene, _peer: usize, step: Step) -> Result<(), String> {
        let Step::Delivered(segment) = step else {
            return Ok(());
        };
        let number = segment.number;
        let Some((_, published)) = scene.published(number) else {
            return Err(format!("segment {number} was never published"));
        };
        if !published.has_content(segment) {
            return Err(format!("segment {number} is not what the source cut"));
        }
        if segment.random_access != published.random_access {
            return Err(format!(
                "segment {number} is marked wrongly as a place to start"
            ));
        }
        Ok(())
    }
}
