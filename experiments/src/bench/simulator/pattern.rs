//! What all kernels are given to do: peers on a ring pass messages on, each to one of those near it by turns.

use std::time::Duration;

/// Links of a peer: half of them to those before it on the ring, half to those after it.
pub const LINKS: usize = 44;
/// Messages of each peer that are under way at a time.
pub const UNDER_WAY: usize = 10;
/// The latency of links: uniform.
pub const LATENCY_MS: [u64; 2] = [20, 100];

/// To whom a peer sends its message of this number.
pub fn next(peer: usize, number: u32, peers: usize) -> usize {
    let step = number as usize % (LINKS / 2) + 1;
    (peer + step) % peers
}

/// The ends of the latencies.
pub fn latency() -> [Duration; 2] {
    LATENCY_MS.map(Duration::from_millis)
}
