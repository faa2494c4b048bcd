//! What peers say to each other beyond one epoch.

use super::handover::{Handover, Tag};
use crate::{
    certificate::Certificate,
    epoch::MAX_SUCCESSORS,
    hash::Hash,
    message::{MAX_PIECES, Message, PIECE_BYTES},
    wire::{self, Malformed},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most handovers of one message.
pub const MAX_HANDOVERS: usize = 16;

/// What peers say to each other, whether they are members or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parcel {
    /// Between members of this epoch.
    Agreement(Tag, Arc<Message>),
    /// Across epochs.
    Transfer(Transfer),
}

/// What is said across epochs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Transfer {
    /// Epochs ended, one after the other (E3, E7).
    Handovers(Vec<Handover>),
    /// Asks for the handovers from this epoch on (E7).
    Follow(Tag),
    /// Asks for the hashes of the pieces of the state that an epoch begins with (E4).
    FetchOrigin(Tag),
    /// Those hashes.
    Pieces(Tag, Vec<Hash>),
    /// Asks for a piece.
    FetchPiece(Tag, u32),
    /// The piece.
    Piece(Tag, u32, Bytes),
    /// A quorum of this epoch has begun (E6).
    Established(Tag, Box<Certificate>),
}

impl Transfer {
    /// The epoch that it is about; of handovers the first that ended.
    pub fn epoch(&self) -> Tag {
        match self {
            Transfer::Handovers(handovers) => {
                handovers.first().map_or(Tag::default(), |one| one.ended)
            }
            Transfer::Follow(name)
            | Transfer::FetchOrigin(name)
            | Transfer::Pieces(name, _)
            | Transfer::FetchPiece(name, _)
            | Transfer::Piece(name, ..)
            | Transfer::Established(name, _) => *name,
        }
    }

    /// Whether it wants an answer.
    pub fn is_question(&self) -> bool {
        matches!(
            self,
            Transfer::Follow(_) | Transfer::FetchOrigin(_) | Transfer::FetchPiece(..)
        )
    }

    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The message of these bytes.
    ///
    /// # Errors
    /// If they are none, or it exceeds a bound.
    pub fn decode(bytes: &[u8]) -> Result<Transfer, Malformed> {
        let transfer: Transfer = wire::decode(bytes)?;
        let bounded = match &transfer {
            Transfer::Handovers(handovers) => {
                handovers.len() <= MAX_HANDOVERS
                    && (handovers.iter())
                        .all(|handover| handover.successors.len() <= MAX_SUCCESSORS)
            }
            Transfer::Pieces(_, pieces) => pieces.len() <= MAX_PIECES,
            Transfer::Piece(_, _, bytes) => bytes.len() <= PIECE_BYTES,
            Transfer::Follow(_)
            | Transfer::FetchOrigin(_)
            | Transfer::FetchPiece(..)
            | Transfer::Established(..) => true,
        };
        bounded.then_some(transfer).ok_or(Malformed)
    }
}
