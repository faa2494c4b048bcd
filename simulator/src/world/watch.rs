//! What is noticed of peers from outside: events that count, and rules that are broken.

use super::{MAX_VIOLATIONS_KEPT, region::Region};
use crate::{
    invariant::{Step, Violation},
    scene::Scene,
};
use hamlet_overlay::io;

impl Region {
    /// Counts what a peer tells.
    pub fn hear(&mut self, scene: &Scene, peer: usize, event: io::Event) {
        match event {
            io::Event::Published { segment, .. } if peer == scene.source => {
                self.note_published(scene, segment);
            }
            io::Event::NotPublished(why) if peer == scene.source => {
                self.violated(
                    scene,
                    peer,
                    "a source within its rate may publish",
                    why.to_string(),
                );
            }
            io::Event::Restored {
                segment, repaired, ..
            } if scene.is_honest_receiver(peer) => {
                if let Some((place, published)) = scene.published(segment) {
                    let after = self.now.since(published.at);
                    self.ledger.restored(peer, place, after, repaired);
                }
            }
            _ => {}
        }
    }

    /// Holds every invariant against a step, if the peer is honest.
    pub fn check(&mut self, scene: &Scene, peer: usize, step: Step) {
        if scene.byzantine[peer] {
            return;
        }
        let mut broken = Vec::new();
        for invariant in &mut self.invariants {
            if let Err(detail) = invariant.check(scene, peer, step) {
                broken.push((invariant.name(), detail));
            }
        }
        for (name, detail) in broken {
            self.violated(scene, peer, name, detail);
        }
    }

    /// Notes a broken rule.
    pub fn violated(
        &mut self,
        scene: &Scene,
        peer: usize,
        invariant: &'static str,
        detail: String,
    ) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS_KEPT {
            self.violations.push(Violation {
                seed: self.settings.seed,
                time: self.now,
                peer: scene.directory.id(peer),
                invariant,
                detail,
            });
        }
    }
}
