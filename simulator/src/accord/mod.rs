//! Agreement in worlds of whole peers: what each has on disk, how it starts with that, and what all of them must come to alike.

mod shelf;
mod unity;

pub(crate) use shelf::Shelf;
pub(crate) use unity::{Fact, Unity};

use hamlet_consensus::{Settings, beacon::SecretKey};
use hamlet_overlay::agreement::{Papers, Start};

/// What wall clocks show when worlds begin, in milliseconds since 1970.
pub(crate) const BORN_UNIX_MS: u64 = 1_700_000_000_000;

/// How a peer takes part in agreement that starts with what is on its disk.
pub(crate) fn start(shelf: &mut Shelf, beacon: SecretKey, papers: Option<Papers>) -> Start {
    let (stored, nonce, forgetful) = shelf.load();
    Start {
        beacon,
        settings: Settings::default(),
        stored,
        left: shelf.left().clone(),
        unix_ms: BORN_UNIX_MS,
        papers,
        nonce,
        forgetful,
    }
}
