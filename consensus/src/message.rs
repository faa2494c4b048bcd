//! What members say to each other.

use crate::{
    block::{Block, BlockId, Header, MAX_BLOCK_COMMANDS},
    certificate::Certificate,
    command::{Command, MAX_COMMAND_BYTES},
    epoch::{Height, View},
    evidence::Evidence,
    hash::Hash,
    identity::Signature,
    member::MAX_MEMBERS,
    vote::SignedVote,
    wire::{self, Malformed},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most certificates of one message.
pub const MAX_CERTIFICATES: usize = 16;
/// The most commands of one [`Message::Commands`].
pub const MAX_COMMANDS: usize = 64;
/// The most headers of one [`Tail`].
pub const MAX_HEADERS: usize = 512;
/// The most bytes of bodies in one [`Tail`], unless the first alone is longer.
pub const MAX_TAIL_BYTES: usize = 256 << 10;
/// The length of a piece of a snapshot, in bytes; the last may be shorter.
pub const PIECE_BYTES: usize = 64 << 10;
/// The most pieces of a snapshot: 64 MiB.
pub const MAX_PIECES: usize = 1024;

/// What members say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A leader's block (R1); under synchrony also handed on by others (S2).
    Proposal(Proposal),
    /// A vote of the sender (R2–R6, R11).
    Vote(SignedVote),
    /// Certificates that lead to a later view (R9).
    Certificates(Vec<Certificate>),
    /// Commands that wait to be ordered (R10).
    Commands(Vec<Command>),
    /// Where the sender is; also its beat (R9).
    Status(Status),
    /// Asks for the seal of a height (R11).
    RequestSeal(Height),
    /// Asks for what follows a height, or at least for one block (R12).
    Fetch(Fetch),
    /// A block that was asked for (R12).
    Block(Arc<Block>),
    /// What follows a height (R12).
    Tail(Box<Tail>),
    /// What a snapshot consists of (R12).
    Snapshot(Box<SnapshotOffer>),
    /// Asks for a piece of a snapshot (R12).
    FetchPiece {
        /// The height of the snapshot.
        height: Height,
        /// Which piece.
        index: u32,
    },
    /// A piece of a snapshot (R12).
    Piece {
        /// The height of the snapshot.
        height: Height,
        /// Which piece.
        index: u32,
        /// The piece.
        bytes: Bytes,
    },
    /// Under synchrony: proof that the leader of a view proposed two blocks (S3).
    Evidence(Box<Evidence>),
    /// Under synchrony: the sender has begun, and asks what it missed (S10).
    Greeting,
    /// What somebody who has begun missed (S10).
    Welcome(Box<Welcome>),
}

/// A leader's block, with the leader's own `Notarize` for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// The block.
    pub block: Arc<Block>,
    /// The leader's signature over `Notarize` of the block.
    pub signature: Signature,
    /// Certificates that show that the block may be built on its parent.
    pub justification: Vec<Certificate>,
}

/// Where a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// Its view.
    pub view: View,
    /// The height that it has committed and executed.
    pub height: Height,
    /// Whether it waits for others' votes in its view.
    pub stuck: bool,
}

/// How far the sender has spoken for blocks, and what shows that this can be so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Welcome {
    /// The last view in which the sender may have voted for a block, or handed one on.
    pub spoken: View,
    /// Of the view before that, or of the last one before it that has any; and the newest commit.
    pub certificates: Vec<Certificate>,
    /// Against the leaders of the views between.
    pub proofs: Vec<Evidence>,
}

/// Asks for what follows a height, or at least for one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fetch {
    /// The height that the asker has executed.
    pub above: Height,
    /// A block that the asker lacks in order to go on.
    pub block: Option<BlockId>,
}

/// What follows a height.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tail {
    /// Commits the block of the last header.
    pub certificate: Certificate,
    /// The headers from the asker's height on, each the parent of the next.
    pub headers: Vec<Header>,
    /// The commands of the first of them.
    pub bodies: Vec<Vec<Command>>,
}

/// What a snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotOffer {
    /// The seal of its height.
    pub seal: Certificate,
    /// The hashes of its pieces.
    pub pieces: Vec<Hash>,
}

impl Message {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The message of these bytes.
    ///
    /// # Errors
    /// If they are none, or it exceeds a bound.
    pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
        let message: Message = wire::decode(bytes)?;
        if message.is_bounded() {
            Ok(message)
        } else {
            Err(Malformed)
        }
    }

    fn is_bounded(&self) -> bool {
        match self {
            Message::Proposal(proposal) => proposal.justification.len() <= MAX_CERTIFICATES,
            Message::Certificates(certificates) => certificates.len() <= MAX_CERTIFICATES,
            Message::Commands(commands) => {
                commands.len() <= MAX_COMMANDS
                    && (commands.iter()).all(|command| command.payload.len() <= MAX_COMMAND_BYTES)
            }
            Message::Tail(tail) => {
                tail.headers.len() <= MAX_HEADERS
                    && tail.bodies.len() <= tail.headers.len()
                    && (tail.bodies.iter()).all(|body| body.len() <= MAX_BLOCK_COMMANDS)
            }
            Message::Snapshot(offer) => offer.pieces.len() <= MAX_PIECES,
            Message::Piece { bytes, .. } => bytes.len() <= PIECE_BYTES,
            Message::Welcome(welcome) => {
                welcome.certificates.len() <= MAX_CERTIFICATES
                    && welcome.proofs.len() <= MAX_MEMBERS
            }
            Message::Vote(_)
            | Message::Status(_)
            | Message::RequestSeal(_)
            | Message::Fetch(_)
            | Message::Block(_)
            | Message::Evidence(_)
            | Message::Greeting
            | Message::FetchPiece { .. } => true,
        }
    }
}
