//! One stream's newest pieces, for any number of readers.

use super::window::{Piece, Window};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::watch;

/// One stream's newest pieces.
#[derive(Debug)]
pub struct Channel<T> {
    window: Mutex<Window<T>>,
    /// Changes with every piece.
    changes: watch::Sender<()>,
}

impl<T> Default for Channel<T> {
    fn default() -> Channel<T> {
        Channel {
            window: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }
}

impl<T: Piece> Channel<T> {
    pub(super) fn window(&self) -> MutexGuard<'_, Window<T>> {
        // Nothing that holds the lock can leave the window half changed.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn push(&self, piece: Arc<T>, came: Instant) {
        self.window().push(piece, came);
        self.changes.send_replace(());
    }

    pub(super) fn end(&self) {
        self.window().end();
        self.changes.send_replace(());
    }
}
