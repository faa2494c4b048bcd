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
    /// Another peer, in this life of its, wants a link.
    Wanted {
        /// The how many-eth time it has started.
        life: u32,
    },
    /// A handshake is over.
    Up {
        /// The lives in which the peer and the other made it.
        mine: u32,
        /// See there.
        theirs: u32,
    },
    /// The other end of a link has let it go, or is gone.
    Gone {
        /// The life in which it had the link.
        life: u32,
    },
    /// The peer looks after links of which nothing is heard.
    Probes,
    /// The peer's own wake-up, unless it asked for another since.
    Wakes {
        /// Which of its wake-ups this is.
        generation: u32,
    },
    /// The peer's uplink has sent a message.
    Sent {
        /// The life in which it was queued.
        life: u32,
    },
    /// The source cuts a segment.
    Cuts {
        /// Which one, counted from zero.
        number: u32,
    },
    /// The peer learns of the next epoch.
    Epoch,
    /// What the source wrote to disk is on it.
    Written,
    /// The peer leaves or crashes.
    Leaves {
        /// Which of its absences begins.
        number: u32,
    },
    /// The peer goes that said it would, whether its cluster does without it or not.
    Departs {
        /// Which of its absences begins.
        number: u32,
    },
    /// The peer comes back.
    Returns {
        /// Which of its absences is over.
        number: u32,
    },
}

impl Event {
    /// Whether it befalls the peer's machine, or is entered by the world itself: then it happens also while
    /// the peer is away.
    pub fn is_of_the_world(&self) -> bool {
        matches!(
            self,
            Event::Cuts { .. } | Event::Probes | Event::Leaves { .. } | Event::Returns { .. }
        )
    }

    /// The kind of the event, and what is in it, as the audit notes them.
    pub fn parts(&self) -> (u8, [u64; 2]) {
        match self {
            Event::Arrives(message) | Event::Received(message) => {
                let kind = if matches!(self, Event::Arrives(_)) {
                    0
                } else {
                    8
                };
                (kind, [message.content, 0])
            }
            Event::Wakes { .. } => (1, [0; 2]),
            Event::Wanted { life } => (2, [u64::from(*life), 0]),
            Event::Up { mine, theirs } => (3, [u64::from(*mine), u64::from(*theirs)]),
            Event::Gone { life } => (4, [u64::from(*life), 0]),
            Event::Sent { .. } => (5, [0; 2]),
            Event::Cuts { number } => (6, [u64::from(*number), 0]),
            Event::Leaves { number } => (7, [u64::from(*number), 0]),
            Event::Returns { number } => (9, [u64::from(*number), 0]),
            Event::Written => (10, [0; 2]),
            Event::Probes => (11, [0; 2]),
            Event::Epoch => (12, [0; 2]),
            Event::Departs { number } => (13, [u64::from(*number), 0]),
        }
    }
}
