//! What has to hold of everything that reads bytes from outside, whatever the bytes are: one target each.
//!
//! A check panics when it does not hold. Two searches use the targets: a short, fixed one in
//! `node/tests/fuzz`, which runs with all tests, and one without end in `node/fuzz/fuzz_targets`, guided by
//! coverage.

mod door;
mod files;
mod learning;
mod peers;
mod video;

/// Something that reads bytes from outside.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Inputs as they ought to be, to begin a search with.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Reads any bytes. Panics if what has to hold does not.
    pub check: fn(&[u8]),
}

const fn target(name: &'static str, samples: fn() -> Vec<Vec<u8>>, check: fn(&[u8])) -> Target {
    Target {
        name,
        samples,
        check,
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    // From other peers.
    target("frames", peers::streams, peers::frames),
    target("message", peers::messages, peers::message),
    target("peer", peers::conversations, peers::peer),
    target("evidence", peers::proofs, peers::evidence),
    // From sources of video.
    target("transport-stream", video::streams, video::transport_stream),
    target("remuxed", video::streams, video::remuxed),
    // From people, and whoever sends them files.
    target("genesis", files::geneses, files::genesis),
    target("config", files::configs, files::config),
    target("uri", files::uris, files::uri),
    target("rate", files::rates, files::rate),
    // From programs and web pages on this machine.
    target("headers", door::headers, door::header),
    target("segments", door::segments, door::segment),
    // Data and graphs to learn from.
    target("csv", learning::tables, learning::csv),
    target("libsvm", learning::sparse_rows, learning::libsvm),
    target("edge-list", learning::edge_lists, learning::edge_list),
    target("graphml", learning::graphmls, learning::graphml),
    target("spec", learning::specs, learning::spec),
];
