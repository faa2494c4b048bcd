//! What happens to a peer.

use crate::message::Message;
use std::sync::Arc;

/// Something that happens to a peer at one moment.
#[derive(Clone)]
pub enum Event {
    /// A message of another peer arrives.
    Arrives(Arc<Message>),
    /// The peer's line has carried a message that arrived.
    Received(Arc<Message>),
    /// Another peer wants a link.
    Wanted,
    /// A link that both ends want comes up.
    Up,
    /// The other end of a link has let it go, or is gone.
    Gone,
    /// The peer's own wake-up, unless it asked for another since.
    Wakes {
        /// Which of its wake-ups this is.
        generation: u32,
    },
    /// The peer's uplink has sent a message.
    Sent,
    /// The source cuts a segment.
    Cuts {
        /// Which one, counted from zero.
        number: u32,
    },
    /// The peer stops for good, without a word.
    Crashes,
}

impl Event {
    /// The kind of the event, and what is in it, as the audit notes them.
    pub fn parts(&self) -> (u8, [u64; 2]) {
        match self {
            Event::Arrives(message) | Event::Received(message) => {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = message.content.0;
                let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                let kind = if matches!(self, Event::Arrives(_)) {
                    0
                } else {
                    8
                };
                (kind, [first, u64::from_le_bytes([i, j, k, l, m, n, o, p])])
            }
            Event::Wakes { .. } => (1, [0; 2]),
            Event::Wanted => (2, [0; 2]),
            Event::Up => (3, [0; 2]),
            Event::Gone => (4, [0; 2]),
            Event::Sent => (5, [0; 2]),
            Event::Cuts { number } => (6, [u64::from(*number), 0]),
            Event::Crashes => (7, [0; 2]),
        }
    }
}
