//! Sources: each cuts its stream, notes on disk which numbers it will use, and publishes.

use super::region::Region;
use crate::{
    behaviour,
    event::Event,
    machines::{Disk, DiskFate},
    scene::{Published, Scene, Version},
    settings::Settings,
};
use hamlet_overlay::{
    io::{Cut, Input},
    time::{Duration, Time},
    view::{SegmentNumber, StreamNumber},
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::VecDeque;

/// What a source's driver has at hand.
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
        if fate == DiskFate::Lost {
            self.unused = self.next;
        }
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
        let Some(stream) = scene.stream_of(source) else {
            return;
        };
        if self.actor(source).is_away() {
            return;
        }
        let since_first = self.now.since(self.settings.first_cut(stream.into()));
        let at_once = match stream {
            0 => self.settings.source.at_once(since_first),
            _ => 1,
        };
        for turn in 0..at_once {
            let mut payload = vec![0; self.settings.segment_bytes()];
            let place = u64::from(stream) << 48 | u64::from(turn) << 32 | u64::from(number);
            ChaCha8Rng::from_seed(self.payloads.bytes(place)).fill_bytes(&mut payload);
            let cut = Cut {
                payload: payload.into(),
                random_access: u64::from(number).is_multiple_of(Settings::RANDOM_ACCESS_EVERY),
                cut_unix_ms: self.now.as_micros() / 1000,
            };
            let publishing = &mut self.publishing[usize::from(stream)];
            publishing.waiting.push_back((self.now, cut));
        }
        self.publish(scene, source);
    }

    /// Lets a source publish what waits, as far as its numbers are on disk.
    pub fn publish(&mut self, scene: &Scene, source: usize) {
        let now = self.now;
        let machine = self.actor(source).machine.as_ref();
        let takes = machine.map_or(Duration::ZERO, |machine| machine.write_takes(now));
        let Some(stream) = scene.stream_of(source).map(usize::from) else {
            return;
        };
        while !self.publishing[stream].waiting.is_empty() {
            let Publishing { disk, next, .. } = &mut self.publishing[stream];
            if let Some(noted) = disk.reserve(*next, now, takes) {
                return self.enter(noted, source, source as u32, Event::Written);
            }
            let publishing = &mut self.publishing[stream];
            publishing.cutting = publishing.waiting.pop_front();
            if let Some((_, cut)) = &publishing.cutting {
                let cut = cut.clone();
                self.give(scene, source, Input::Publish(cut));
            }
        }
    }

    /// A source published a segment under this number.
    pub fn note_published(&mut self, scene: &Scene, stream: StreamNumber, segment: SegmentNumber) {
        let source = scene.sources[usize::from(stream)];
        let publishing = &mut self.publishing[usize::from(stream)];
        let Publishing { next, unused, .. } = *publishing;
        (publishing.next, publishing.unused) = (segment + 1, segment + 1);
        if let Some((at, cut)) = publishing.cutting.take() {
            let mut published = Published::new(stream, at, cut.payload, cut.random_access);
            let lies = &self.settings.source;
            if stream == 0
                && lies.equivocates()
                && self.now >= lies.from(self.settings.first_cut(0))
            {
                let first = &published.first;
                let other = behaviour::contradiction(&first.payload);
                let other = Version::new(at, other, first.random_access);
                published.others.push(other);
            }
            self.published.push((segment, published));
        }
        if segment != next || segment < unused {
            let detail =
                format!("segment {segment} was published after {unused}, as number {next}");
            let rule = "segments are numbered as they are cut, each number used once";
            self.violated(scene, source, rule, detail);
        }
    }
}
