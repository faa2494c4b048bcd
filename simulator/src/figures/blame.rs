//! Whom honest peers call silent in the end.

use super::ratio;
use crate::scene::Scene;
use hamlet_overlay::{report::Report, set::SlotSet, view::Cluster};

/// Slots of fellow members as honest peers see them: how many, and how many of them are called silent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Blame {
    /// Those of honest peers, and those of Byzantine ones.
    slots: [u64; 2],
    silent: [u64; 2],
}

impl Blame {
    /// Adds what an honest peer of this cluster reports.
    pub fn add(&mut self, scene: &Scene, peer: usize, cluster: &Cluster, report: &Report) {
        let me = scene.directory.id(peer);
        for (&stream, of_stream) in &report.streams {
            if scene.stream_of(peer) == Some(stream) {
                continue;
            }
            let silent: SlotSet = of_stream.silent_slots.iter().copied().collect();
            for slot in 0..scene.network.parameters().n {
                let holder = cluster.holder(slot);
                let Some(index) = scene.directory.index(holder) else {
                    continue;
                };
                if holder == me || scene.stream_of(index) == Some(stream) {
                    continue;
                }
                let kind = usize::from(scene.byzantine[index]);
                self.slots[kind] += 1;
                self.silent[kind] += u64::from(silent.contains(slot));
            }
        }
    }

    /// The share of honest peers' slots that are called silent.
    pub fn honest(&self) -> f64 {
        ratio(self.silent[0], self.slots[0])
    }

    /// The share of Byzantine peers' slots that are.
    pub fn byzantine(&self) -> f64 {
        ratio(self.silent[1], self.slots[1])
    }
}
