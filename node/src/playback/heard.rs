//! What has been handed to playback of a stream, for those who look on.

use hamlet_overlay::io::Segment;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What has been handed to playback of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Players that play it.
    pub players: usize,
    /// Whether a segment was among it with which a decoder can start.
    pub playable: bool,
    /// When the newest segment came.
    pub last: Option<Instant>,
    /// From when its source cut that segment until it came, by the clocks of both hosts; none where by
    /// these clocks it came before it was cut.
    pub delay: Option<Duration>,
}

/// Notes what is handed to playback.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Heard>);

impl Notes {
    /// A segment came just now.
    pub(super) fn note(&self, segment: &Segment) {
        let cut = UNIX_EPOCH.checked_add(Duration::from_millis(segment.cut_unix_ms));
        let mut heard = self.lock();
        heard.playable |= segment.random_access;
        heard.last = Some(Instant::now());
        heard.delay = cut.and_then(|cut| SystemTime::now().duration_since(cut).ok());
    }

    /// What came, and how many players play it.
    pub(super) fn heard(&self, players: usize) -> Heard {
        Heard {
            players,
            ..*self.lock()
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        // Nothing that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
