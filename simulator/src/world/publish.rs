//! The source: it cuts its stream, notes on disk which numbers it will use, and publishes.

use super::region::Region;
use crate::{
    event::Event,
    machines::{Disk, DiskFate},
    scene::{Published, Scene},
    settings::Settings,
};
use hamlet_overlay::{
    io::{Cut, Input},
    time::{Duration, Time},
    view::SegmentNumber,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::VecDeque;

/// What the source's driver has at hand.
#[derive(Default)]
pub(super) struct Publishing {
    disk: Disk,
    /// The number of the next segment, and the first that was never used.
    next: SegmentNumber,
    unused: SegmentNumber,
    /// Cuts that wait for the disk, and when they were made.
    waiting: VecDeque<(Time, Cut)>,
    /// The one that the source is asked to publish.
    cutting: Option<(Time, Cut)>,
}

impl Publishing {
    /// The source stops; what it begins with when it starts again.
    pub fn stop(&mut self, now: Time, fate: DiskFate) {
        self.waiting.clear();
        self.next = self.disk.crash(now, fate);
    }

    /// The number of the next segment.
    pub fn next(&self) -> SegmentNumber {
        self.next
    }
}

impl Region {
    /// Cuts the next piece of the stream, and enters the cut after it. While the source is away there is
    /// nothing to cut.
    pub fn cut(&mut self, scene: &Scene, source: usize, number: u32) {
        if u64::from(number) + 1 < self.settings.segments() {
            let after = self.now + self.settings.parameters.segment();
            let number = number + 1;
            self.enter(after, source, source as u32, Event::Cuts { number });
        }
        if self.actor(source).is_away() {
            return;
        }
        let mut payload = vec![0; self.settings.segment_bytes()];
        ChaCha8Rng::from_seed(self.payloads.bytes(number.into())).fill_bytes(&mut payload);
        let cut = Cut {
            payload: payload.into(),
            random_access: u64::from(number).is_multiple_of(Settings::RANDOM_ACCESS_EVERY),
            cut_unix_ms: self.now.as_micros() / 1000,
        };
        self.publishing.waiting.push_back((self.now, cut));
        self.publish(scene, source);
    }

    /// Lets the source publish what waits, as far as its numbers are on disk.
    pub fn publish(&mut self, scene: &Scene, source: usize) {
        let now = self.now;
        let machine = self.actor(source).machine.as_ref();
        let takes = machine.map_or(Duration::ZERO, |machine| machine.write_takes(now));
        while !self.publishing.waiting.is_empty() {
            let Publishing { disk, next, .. } = &mut self.publishing;
            if let Some(noted) = disk.reserve(*next, now, takes) {
                return self.enter(noted, source, source as u32, Event::Written);
            }
            self.publishing.cutting = self.publishing.waiting.pop_front();
            if let Some((_, cut)) = &self.publishing.cutting {
                let cut = cut.clone();
                self.give(scene, source, Input::Publish(cut));
            }
        }
    }

    /// The source published a segment under this number.
    pub fn note_published(&mut self, scene: &Scene, segment: SegmentNumber) {
        let Publishing { next, unused, .. } = self.publishing;
        if segment != next || segment < unused {
            let detail =
                format!("segment {segment} was published after {unused}, as number {next}");
            let rule = "segments are numbered as they are cut, each number used once";
            self.violated(scene, scene.source, rule, detail);
        }
        (self.publishing.next, self.publishing.unused) = (segment + 1, segment + 1);
        if let Some((at, cut)) = self.publishing.cutting.take() {
            let published = Published::new(at, cut.payload, cut.random_access);
            self.published.push((segment, published));
        }
    }
}
