//! Links made worse on purpose, so that a demonstration on one machine meets what the Internet does.

use serde::Serialize;
use std::time::Duration;

/// What every link from this peer suffers. Applied where frames leave its queue: a lost frame has cost
/// its sender the upload, and frames wait in the queue while the link is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LinkShape {
    /// How long a frame is under way, one way.
    pub delay: Duration,
    /// The share of the frames that never arrive, between 0 and 1.
    pub loss: f64,
    /// The most that one link carries, in bits per second.
    pub bits_per_s: Option<u64>,
}
