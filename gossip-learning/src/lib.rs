//! Gossip learning: models walk from peer to peer, merge with what they meet, and learn from rows
//! that never leave their owner.
//!
//! The crate is sans-IO: no files, threads, clock or ambient randomness. The same functions over
//! slices of parameters drive one live peer and the simulation's arena of a million of them.

pub mod arena;
pub mod attack;
pub mod data;
pub mod graph;
pub mod model;
pub mod peer;
pub mod privacy;
pub mod protocol;
pub mod random;
pub mod robust;
pub mod rows;
pub mod sampler;
pub mod vector;

pub use rows::{Dataset, Partition, Row, Rows, Task};
