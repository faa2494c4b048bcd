//! Peers learn of epochs, in which some are in other clusters.

use super::region::Region;
use crate::{event::Event, scene::Scene};

impl Region {
    /// Enters the moments at which a peer learns of epochs.
    pub fn enter_epochs(&mut self, scene: &Scene, peer: usize) {
        for epoch in &scene.epochs[1..] {
            let heard = epoch.heard(self.settings.seed, peer);
            self.enter(heard, peer, peer as u32, Event::Epoch);
        }
    }

    /// Lets a peer begin the epochs that it has not begun and would have heard of by now.
    pub fn follow_epochs(&mut self, scene: &Scene, peer: usize) {
        let begun = self.actor(peer).epoch;
        for (number, epoch) in scene.epochs.iter().enumerate().skip(begun + 1) {
            if epoch.heard(self.settings.seed, peer) > self.now {
                return;
            }
            self.actor(peer).epoch = number;
            let next = epoch.membership.epoch_of(peer, epoch.first.clone());
            let now = self.now;
            self.act(scene, peer, |actor, outputs| {
                actor.begin_epoch(now, next, outputs);
            });
        }
    }
}
