//! Time as the cores see it: what a driver says it is.

pub use hamlet_consensus::time::{Duration, Time};
