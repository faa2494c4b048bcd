//! Nobody plays more of a stream than its certificate allows.

use super::{Invariant, Kind, Step};
use crate::scene::Scene;
use hamlet_overlay::{time::Time, view::StreamNumber};
use std::collections::BTreeMap;

/// How many segments' worth of the certified rate relays let through at once (E2).
const BURST_SEGMENTS: u32 = 40;

/// Counts what each peer was handed of each stream.
#[derive(Default)]
pub struct WithinRate {
    /// Per peer and stream, in bytes.
    played: BTreeMap<(usize, StreamNumber), u64>,
    /// Those who did not start with the world.
    started: BTreeMap<usize, Time>,
}

impl Invariant for WithinRate {
    fn name(&self) -> &'static str {
        "no more is played of a stream than its certificate allows"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Delivered]
    }

    fn check(&mut self, scene: &Scene, now: Time, peer: usize, step: Step) -> Result<(), String> {
        let Step::Delivered(segment) = step else {
            return Ok(());
        };
        let genesis = scene.network.genesis();
        let Some(publisher) = genesis.publishers.get(usize::from(segment.stream)) else {
            return Err(format!("stream {} has no certificate", segment.stream));
        };
        let played = self.played.entry((peer, segment.stream)).or_insert(0);
        *played += segment.len() as u64;
        let since = self.started.get(&peer).copied().unwrap_or(Time::ZERO);
        let rate = publisher.max_bits_per_s as f64 / 8.0;
        let burst = genesis.parameters.segment() * BURST_SEGMENTS;
        let most = rate * (burst.as_secs_f64() + 1.1 * now.since(since).as_secs_f64());
        match *played as f64 <= most {
            true => Ok(()),
            false => Err(format!(
                "{played} bytes of stream {}, and by now {most:.0} may have been",
                segment.stream
            )),
        }
    }

    fn restarted(&mut self, peer: usize, now: Time) {
        self.played.retain(|&(of, _), _| of != peer);
        self.started.insert(peer, now);
    }
}
