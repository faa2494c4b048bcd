//! What is ordered: commands, opaque to agreement.

use crate::{
    epoch::Height,
    hash::{Domain, Hash},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The longest command, in bytes.
pub const MAX_COMMAND_BYTES: usize = 16 << 10;
/// How many heights ahead a command may expire, and for how many heights ids are remembered.
pub const COMMAND_WINDOW: Height = 256;

/// A command: bytes that the application understands, and until when they may be executed (R10).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The last height at which it may be executed.
    pub expires: Height,
    /// What the application is to do.
    pub payload: Bytes,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({:?} until {})", self.id(), self.expires)
    }
}

/// The identity of a command: the same bytes with the same expiry are the same command.
pub type CommandId = Hash;

impl Command {
    /// Its identity.
    pub fn id(&self) -> CommandId {
        let mut hasher = Domain::Command.hasher();
        hasher.update(&self.expires.to_le_bytes());
        hasher.update(&self.payload);
        Hash(*hasher.finalize().as_bytes())
    }

    /// What it takes on the wire, in bytes, at most.
    pub fn size(&self) -> usize {
        self.payload.len() + 16
    }
}
