//! What has to hold of agreement whatever comes from outside: one target each.
//!
//! A check panics when it does not hold. Two searches use the targets: a short, fixed one in `consensus/tests/fuzz.rs`,
//! which runs with all tests, and one without end in `consensus/fuzz/fuzz_targets`, guided by coverage.

mod beacon;
mod cluster;
mod decoders;
mod handle;
mod journal;
mod transfer;

/// Something that reads bytes from outside.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Inputs as they ought to be, to begin a search with.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Reads any bytes. Panics if what has to hold does not.
    pub check: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    // Votes, proposals, certificates, commands, and all of catch-up.
    Target {
        name: "message",
        samples: decoders::messages,
        check: decoders::message,
    },
    // What clients are told, and what members tell of each other.
    Target {
        name: "proof",
        samples: decoders::proofs,
        check: decoders::proof,
    },
    Target {
        name: "evidence",
        samples: decoders::evidences,
        check: decoders::evidence,
    },
    // What is said across epochs.
    Target {
        name: "transfer",
        samples: transfer::transfers,
        check: transfer::transfer,
    },
    // What members put into the log for a beacon.
    Target {
        name: "beacon",
        samples: beacon::contributions,
        check: beacon::contribution,
    },
    // What a replica finds on its disk.
    Target {
        name: "journal",
        samples: journal::journals,
        check: journal::journal,
    },
    // A replica that anything happens to, in any order.
    Target {
        name: "handle",
        samples: handle::happenings,
        check: handle::handle,
    },
];
