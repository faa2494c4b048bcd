//! A short, fixed round of the fuzz targets of agreement: every sample as it is, cut off, and damaged in many ways that
//! are the same in every run. What a longer search finds goes into `FOUND`.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{RngSeed, TestRunner},
};
use targets::{TARGETS, Target};

/// Damaged inputs tried for each target.
const DAMAGED: u32 = 20_000;
/// Lengths at which each sample is cut off.
const CUTS: usize = 16;

/// What broke a target once.
const FOUND: &[(&str, &[u8])] = &[];

/// One change: which, from where to where, in which sample it looks for more, and a byte.
type Change = (u8, Index, Index, Index, u8);

fn change(bytes: &mut Vec<u8>, samples: &[Vec<u8>], (which, at, length, other, byte): &Change) {
    let at = at.index(bytes.len() + 1);
    let end = at + length.index((bytes.len() - at).min(64) + 1);
    match which {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let other = other.get(samples);
            let from = length.index(other.len() + 1);
            bytes.splice(at..end, other[from..].iter().copied());
        }
        4 => bytes.insert(at, *byte),
        _ => {
            if let Some(old) = bytes.get_mut(at) {
                *old = *byte;
            }
        }
    }
}

fn damaged(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let place = any::<Index>;
    let changes = prop::collection::vec((0..8u8, place(), place(), place(), any::<u8>()), 1..7);
    (any::<Index>(), changes).prop_map(move |(sample, changes): (Index, Vec<Change>)| {
        let mut bytes = sample.get(&samples).clone();
        for one in &changes {
            change(&mut bytes, &samples, one);
        }
        bytes
    })
}

fn search(target: &Target) {
    let samples = (target.samples)();
    for sample in &samples {
        for cut in 0..=CUTS {
            (target.check)(&sample[..sample.len() * cut / CUTS]);
        }
    }
    let mut runner = TestRunner::new(ProptestConfig {
        cases: DAMAGED,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let searched = runner.run(&damaged(samples), |bytes| {
        (target.check)(&bytes);
        Ok(())
    });
    if let Err(broken) = searched {
        panic!("target {}: {broken}", target.name);
    }
}

#[test]
fn nothing_from_outside_breaks_agreement() {
    for target in TARGETS {
        search(target);
    }
}

#[test]
fn what_was_found_stays_repaired() {
    for (name, bytes) in FOUND {
        let target = TARGETS.iter().find(|target| target.name == *name);
        (target.unwrap_or_else(|| panic!("no target {name}")).check)(bytes);
    }
}
