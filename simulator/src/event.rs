//! What is entered in the calendar.

/// Something that happens at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message arrives.
    Arrive {
        /// The receiver.
        to: u32,
        /// The message; see [`Messages`](crate::messages::Messages).
        message: u32,
    },
    /// A peer's wake-up, unless it asked for another since.
    Wake {
        /// The peer.
        peer: u32,
        /// Which of its wake-ups this is.
        generation: u32,
    },
    /// A link that both ends want comes up.
    Connect {
        /// One end.
        a: u32,
        /// The other.
        b: u32,
    },
    /// A peer learns that a connection is gone.
    Disconnect {
        /// Who learns it.
        peer: u32,
        /// The peer at the other end.
        from: u32,
    },
    /// A peer's uplink has sent a message.
    Sent {
        /// The peer.
        peer: u32,
    },
    /// The source cuts a segment.
    Cut {
        /// Which one, counted from zero.
        number: u32,
    },
    /// A peer stops for good, without a word.
    Crash {
        /// The peer.
        peer: u32,
    },
}

impl Event {
    /// The kind of the event and its two values, as the audit notes them.
    pub fn parts(self) -> (u8, u32, u32) {
        match self {
            Event::Arrive { to, message } => (0, to, message),
            Event::Wake { peer, generation } => (1, peer, generation),
            Event::Connect { a, b } => (2, a, b),
            Event::Disconnect { peer, from } => (3, peer, from),
            Event::Sent { peer } => (4, peer, 0),
            Event::Cut { number } => (5, number, 0),
            Event::Crash { peer } => (6, peer, 0),
        }
    }
}
