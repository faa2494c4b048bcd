//! A short, fixed round of the fuzz targets: every sample as it is, cut off, and damaged in many ways that
//! are the same in every run. What a longer search finds goes into `FOUND`.

mod damage;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use damage::damaged;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::panic::catch_unwind;
use targets::{TARGETS, Target};

/// Damaged inputs tried for each target.
const DAMAGED: usize = 10_000;
/// Lengths at which each sample is cut off.
const CUTS: usize = 300;

/// What broke a target once.
const FOUND: &[(&str, &[u8])] = &[];

fn check(target: &Target, bytes: &[u8]) {
    if catch_unwind(|| (target.check)(bytes)).is_err() {
        let Target { name, .. } = target;
        panic!("target {name} breaks on b\"{}\"", bytes.escape_ascii());
    }
}

fn search(target: &Target) {
    let samples = (target.samples)();
    for sample in &samples {
        check(target, sample);
        for cut in 0..CUTS {
            check(target, &sample[..sample.len() * cut / CUTS]);
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..DAMAGED {
        check(target, &damaged(&samples, &mut random));
    }
}

#[test]
fn nothing_from_outside_breaks_what_reads_it() {
    for target in TARGETS {
        search(target);
    }
}

#[test]
fn what_was_found_stays_repaired() {
    for &(name, bytes) in FOUND {
        let target = TARGETS.iter().find(|target| target.name == name);
        check(target.unwrap_or_else(|| panic!("no target {name}")), bytes);
    }
}
