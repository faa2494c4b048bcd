//! What is noticed of peers from outside: events that count, and rules that are broken.

use super::{MAX_VIOLATIONS_KEPT, region::Region};
use crate::{
    invariant::{Step, Violation},
    scene::Scene,
};
use hamlet_overlay::io::{self, PublishError};

impl Region {
    /// Counts what a peer tells.
    pub fn hear(&mut self, scene: &Scene, peer: usize, event: io::Event) {
        match event {
            io::Event::Agreed(agreed) => self.agreed(scene, peer, agreed),
            io::Event::Published { stream, segment } => {
                self.note_published(scene, stream, segment);
            }
            // One that contradicted itself, as it can that lost its disk, may not any more.
            io::Event::NotPublished(PublishError::Stopped) if self.may_contradict(scene, peer) => {}
            io::Event::NotPublished(why) if !scene.byzantine[peer] => {
                self.violated(
                    scene,
                    peer,
                    "a source within its rate may publish",
                    why.to_string(),
                );
            }
            io::Event::Stopped { stream, .. } if scene.is_honest_receiver(peer, stream) => {
                self.ledger.stopped(peer, stream, self.now);
                self.check(scene, peer, Step::Stopped(stream));
            }
            io::Event::Restored {
                stream,
                segment,
                repaired,
                ..
            } if scene.is_honest_receiver(peer, stream) => {
                if let Some((place, published)) = scene.published(stream, segment) {
                    let after = self.now.since(published.at);
                    self.ledger.restored(peer, place, after, repaired);
                }
            }
            _ => {}
        }
    }

    fn may_contradict(&self, scene: &Scene, source: usize) -> bool {
        let stream = scene.stream_of(source);
        stream.is_some_and(|stream| scene.may_contradict[usize::from(stream)])
    }

    /// Holds every invariant against a step, if the peer is honest.
    pub fn check(&mut self, scene: &Scene, peer: usize, step: Step) {
        if scene.byzantine[peer] {
            return;
        }
        let now = self.now;
        let now = self.actor(peer).shows(now);
        let mut broken = Vec::new();
        for invariant in self.invariants.of(step.kind()) {
            if let Err(detail) = invariant.check(scene, now, peer, step) {
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
