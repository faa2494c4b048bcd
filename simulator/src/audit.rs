//! The audit hash: one BLAKE3 hash over everything that happened, so that two runs can be compared.

use crate::event::Event;
use hamlet_overlay::{hash::Hash, time::Time};
use std::mem;

/// Records are hashed in batches of about this size, which BLAKE3 takes in several lanes at once.
const BATCH_BYTES: usize = 1 << 16;

/// Hashes the events of a world as they happen.
pub struct Audit {
    hasher: blake3::Hasher,
    batch: Vec<u8>,
    events: u64,
}

impl Audit {
    /// Nothing has happened.
    pub fn new() -> Audit {
        Audit {
            hasher: blake3::Hasher::new_derive_key("hamlet simulator v1 audit"),
            batch: Vec::with_capacity(BATCH_BYTES + 128),
            events: 0,
        }
    }

    /// Notes an event; `content` is the hash of the message that arrives with it, if one does.
    pub fn note(&mut self, time: Time, event: Event, content: Option<&Hash>) {
        let (kind, a, b) = event.parts();
        self.events += 1;
        self.batch
            .extend_from_slice(&time.as_micros().to_le_bytes());
        self.batch.push(kind);
        self.batch.extend_from_slice(&a.to_le_bytes());
        self.batch.extend_from_slice(&b.to_le_bytes());
        if let Some(content) = content {
            self.batch.extend_from_slice(&content.0);
        }
        if self.batch.len() >= BATCH_BYTES {
            self.hasher.update(&self.batch);
            self.batch.clear();
        }
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash over all of them.
    pub fn hash(&mut self) -> Hash {
        self.hasher.update(&mem::take(&mut self.batch));
        Hash(*self.hasher.finalize().as_bytes())
    }
}

impl Default for Audit {
    fn default() -> Audit {
        Audit::new()
    }
}
