//! BLAKE3 with a domain string for every use, so that no hash made for one purpose fits another.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::LazyLock};

/// Per domain, the key derived from its context: deriving it anew would double the cost of small hashes.
static KEYS: LazyLock<[[u8; 32]; 12]> =
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
    /// The epochs that follow one.
    Successors,
    /// Challenges, points and values of beacons.
    Beacon,
}

impl Domain {
    const ALL: [Domain; 12] = [
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
        Domain::Successors,
        Domain::Beacon,
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
            Domain::Successors => "hamlet v1 successors",
            Domain::Beacon => "hamlet v1 cluster beacon",
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
pub struct Hash(#[serde(with = "crate::wire::run")] pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..6]))
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The bytes that `text` spells in hexadecimal, if it spells exactly `N`.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16)?;
        let low = (pair[1] as char).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}
