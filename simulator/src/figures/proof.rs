//! What became of streams whose source contradicted itself.

use super::ratio;
use crate::{ledger::Ledger, scene::Scene};
use hamlet_overlay::{time::Time, view::StreamNumber};
use std::collections::BTreeMap;

/// Who ended such streams, and how long that took.
pub struct Proof {
    pub stopped_ratio: f64,
    pub stopped_after_ms: Option<f64>,
}

/// Of a world in which each stream has these receivers.
pub fn proof(scene: &Scene, ledger: &Ledger, receivers: &[Vec<usize>]) -> Proof {
    let mut contradicted: BTreeMap<StreamNumber, Time> = BTreeMap::new();
    for segment in scene.all_published() {
        for other in &segment.others {
            let first = contradicted.entry(segment.stream).or_insert(other.at);
            *first = other.at.min(*first);
        }
    }
    let all: usize = contradicted
        .keys()
        .map(|&stream| receivers[usize::from(stream)].len())
        .sum();
    let stopped = ledger.by_stopped().iter();
    let after: Vec<f64> = stopped
        .filter_map(|((stream, _), at)| {
            let first = contradicted.get(stream)?;
            Some(at.since(*first).as_secs_f64() * 1000.0)
        })
        .collect();
    Proof {
        stopped_ratio: ratio(after.len() as u64, all as u64),
        stopped_after_ms: after.into_iter().max_by(f64::total_cmp),
    }
}
