//! Who wants a stream, and for how long it is received when nobody does any more.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Those who play a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Viewers(Arc<()>);

/// Counts as one who plays a stream, for as long as it lives.
#[derive(Debug)]
pub(super) struct Viewer {
    _among: Weak<()>,
}

impl Viewers {
    /// One more.
    pub(super) fn enter(&self) -> Viewer {
        Viewer {
            _among: Arc::downgrade(&self.0),
        }
    }

    pub(super) fn count(&self) -> usize {
        Arc::weak_count(&self.0)
    }
}

/// Who wants a stream.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) viewers: Viewers,
    always: AtomicBool,
    /// When it was last asked for, or seen to be played. Who follows a playlist asks again and again.
    last: Mutex<Instant>,
}

impl Wanted {
    /// By somebody who asks for it now.
    pub(super) fn new(now: Instant) -> Wanted {
        Wanted {
            viewers: Viewers::default(),
            always: AtomicBool::new(false),
            last: Mutex::new(now),
        }
    }

    /// It is asked for once more.
    pub(super) fn again(&self, now: Instant) {
        *self.last() = now;
    }

    /// It is wanted whether anybody plays it or not.
    pub(super) fn always(&self) {
        self.always.store(true, Ordering::Relaxed);
    }

    /// Whether nobody has wanted it for so long.
    pub(super) fn is_over(&self, now: Instant, patience: Duration) -> bool {
        if self.viewers.count() > 0 {
            self.again(now);
        }
        !self.always.load(Ordering::Relaxed)
            && now.saturating_duration_since(*self.last()) >= patience
    }

    fn last(&self) -> MutexGuard<'_, Instant> {
        // Nothing that holds the lock can leave it half changed.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_stream_is_wanted_while_it_is_played_and_some_time_longer() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let wanted = Wanted::new(begun);
        assert!(!wanted.is_over(at(29), PATIENCE));
        assert!(wanted.is_over(at(30), PATIENCE));
        wanted.again(at(30));
        assert!(!wanted.is_over(at(59), PATIENCE));
        let viewer = wanted.viewers.enter();
        assert!(!wanted.is_over(at(3600), PATIENCE));
        drop(viewer);
        assert!(!wanted.is_over(at(3629), PATIENCE));
        assert!(wanted.is_over(at(3630), PATIENCE));
    }

    #[test]
    fn what_is_always_wanted_never_ends() {
        let begun = Instant::now();
        let wanted = Wanted::new(begun);
        wanted.always();
        assert!(!wanted.is_over(begun + 100 * PATIENCE, PATIENCE));
    }
}
