//! Ctrl-C: the first asks a command to stop and show what it has, the second ends it at once.

use std::{
    error::Error,
    process,
    sync::atomic::{AtomicBool, Ordering},
};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The exit status of a program ended by Ctrl-C, as shells expect it: 128 + SIGINT.
pub const EXIT_STATUS: u8 = 130;

/// Starts listening for Ctrl-C. To be called once, by the command that can stop early.
pub fn listen() -> Result<(), Box<dyn Error>> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_STATUS.into());
        }
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}").into())
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
