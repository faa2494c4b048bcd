//! A search without end for bytes that break one of the targets, named in the environment:
//!
//!     TARGET=handle cargo +nightly fuzz run --fuzz-dir consensus/fuzz agreement consensus/fuzz/corpus/handle
//!
//! The target's samples are put into the corpus first.

#![no_main]

use hamlet_consensus_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;
use std::{env, fs, path::PathBuf, process, sync::LazyLock};

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("TARGET").unwrap_or_default();
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("set TARGET to one of {}", names.join(", "));
            process::exit(2)
        })
});

fuzz_target!(
    init: {
        // libFuzzer's own rule: options begin with a dash, the first folder is the corpus that grows.
        let corpus = env::args().skip(1).find(|word| !word.starts_with('-')).map(PathBuf::from);
        if let Some(corpus) = corpus.filter(|corpus| !corpus.is_file()) {
            fs::create_dir_all(&corpus).expect("the corpus can be made");
            for (number, sample) in (CHOSEN.samples)().into_iter().enumerate() {
                fs::write(corpus.join(format!("sample-{number}")), sample).expect("the corpus can be written");
            }
        }
    },
    |bytes: &[u8]| (CHOSEN.check)(bytes)
);
