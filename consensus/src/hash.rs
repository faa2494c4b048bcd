//! BLAKE3 with a domain string for every use, so that no hash made for one purpose fits another.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::LazyLock};

/// Per domain, the key derived from its context: deriving it anew would double the cost of small hashes.
static KEYS: LazyLock<[[u8; 32]; 10]> =
    LazyLock::new(|| Domain::ALL.map(|domain| blake3::derive_key(domain.context(), &[])));

/// What a hash is for. The strings are part of the protocol: changing one changes the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The id of an epoch.
    Epoch,
    /// A block: its header.
    Block,
    /// The commands of a block.
    Body,
    /// The id of a command.
    Command,
    /// A leaf of the tree of outcomes.
    Outcome,
    /// An inner node of the tree of outcomes.
    Node,
    /// A piece of a snapshot.
    Piece,
    /// The list of the hashes of a snapshot's pieces.
    State,
    /// A record on disk.
    Record,
    /// The coefficients of a batch of signatures.
    Batch,
}

impl Domain {
    const ALL: [Domain; 10] = [
        Domain::Epoch,
        Domain::Block,
        Domain::Body,
        Domain::Command,
        Domain::Outcome,
        Domain::Node,
        Domain::Piece,
        Domain::State,
        Domain::Record,
        Domain::Batch,
    ];

    const fn context(self) -> &'static str {
        match self {
            Domain::Epoch => "hamlet v1 epoch",
            Domain::Block => "hamlet v1 block",
            Domain::Body => "hamlet v1 block body",
            Domain::Command => "hamlet v1 command",
            Domain::Outcome => "hamlet v1 outcome",
            Domain::Node => "hamlet v1 outcome node",
            Domain::Piece => "hamlet v1 snapshot piece",
            Domain::State => "hamlet v1 snapshot",
            Domain::Record => "hamlet v1 consensus record",
            Domain::Batch => "hamlet v1 signature batch",
        }
    }

    /// A hasher keyed by this domain.
    pub fn hasher(self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&KEYS[self as usize])
    }

    /// The hash of one text.
    pub fn hash(self, text: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&KEYS[self as usize], text).as_bytes())
    }
}

/// A 32-byte BLAKE3 hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
