//! What a cluster's log shows: an entry for everything that its members came to.

use crate::{evidence::Kind, hash::Hash, identity::PeerId, wire};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};

/// An entry of the cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place among all entries since the founding, from 0.
    pub number: u64,
    /// The height at which it was decided.
    pub height: Height,
    /// What was decided.
    pub act: Act,
}

/// What a cluster came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// A member's operator wrote a note.
    Note {
        /// The member.
        by: PeerId,
        /// What it says.
        text: String,
        /// When it was written by the writer's wall clock, in milliseconds since 1970.
        written_unix_ms: u64,
    },
    /// A member's operator wants a peer added or removed. It is done with the next epoch once enough want it.
    Wanted {
        /// The member.
        by: PeerId,
        /// What is wanted.
        wish: Wish,
        /// How many members want it now.
        supporters: u8,
        /// How many have to.
        needed: u8,
    },
    /// An epoch began.
    Began {
        /// Its number.
        epoch: u64,
        /// Who is new.
        joined: Vec<PeerId>,
        /// Who is not a member any more.
        left: Vec<PeerId>,
    },
    /// The cluster was too large and has split.
    Split {
        /// The number of the cluster that goes on.
        old: u64,
        /// The number of the one that begins.
        new: u64,
        /// Who went the other way than the members of this log.
        parted: Vec<PeerId>,
    },
    /// A neighbouring cluster is in another epoch.
    Neighbour {
        /// The cluster's number.
        cluster: u64,
        /// The epoch's number.
        epoch: u64,
    },
    /// A peer asked for a walk.
    Asked {
        /// The peer.
        peer: PeerId,
    },
    /// A peer whose walk ended here has a place from the next epoch on, or goes on having it.
    Arrived {
        /// The peer.
        peer: PeerId,
    },
    /// A member leaves with this epoch.
    Leaves {
        /// The member.
        peer: PeerId,
        /// Why.
        why: Reason,
    },
    /// Evidence proves a key guilty: it has no place for a term.
    Barred {
        /// The key.
        peer: PeerId,
        /// What it did.
        why: Kind,
        /// The id of the evidence.
        evidence: Hash,
    },
    /// The term of a key that was barred is over: it may come back.
    Served {
        /// The key.
        peer: PeerId,
    },
    /// A member lost what it had stored; it takes part again from the next epoch on.
    Lost {
        /// The member.
        by: PeerId,
    },
}

/// Why a member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// It said so.
    Said,
    /// Its lease has run out.
    Lease,
    /// It was silent for too long.
    Silent,
    /// It did not give what it owed.
    Withheld,
    /// Evidence proves it guilty.
    Barred,
}

/// What operators want of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Add this peer.
    Add(PeerId),
    /// Remove this one.
    Remove(PeerId),
}

/// Why an order had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Void {
    /// It is no order.
    #[error("it is not an order of this protocol")]
    Nonsense,
    /// It is not signed by a member.
    #[error("it is not signed by a member of the cluster")]
    Stranger,
    /// It was said in another epoch.
    #[error("it belongs to an epoch that is past or did not come yet; say it again")]
    Stale,
    /// It is longer or shorter than it may be.
    #[error("it is longer or shorter than it may be")]
    TooLong,
    /// It is so already.
    #[error("it is so already, or was said before")]
    Already,
    /// The card is not signed by the peer that it is of, or has no address or too many.
    #[error("the card is not signed by its peer, or has no address or too many")]
    Card,
    /// The cluster has no room for another member.
    #[error(
        "the cluster has no room for another member: every member needs a slot; remove one first"
    )]
    Full,
    /// Somebody must stay.
    #[error("the last member cannot be removed")]
    Last,
    /// Too much is wanted at once.
    #[error("too much is wanted already; wait for the next epoch")]
    Busy,
    /// There is no reason to end the epoch.
    #[error("there is no reason to end the epoch")]
    NoReason,
    /// No walk of the peer has ended here lately.
    #[error("no place is offered to this peer")]
    NoPlace,
    /// The peer is not admitted.
    #[error("the network does not admit this peer: it needs another credential")]
    NotAdmitted,
    /// Evidence proves the peer guilty.
    #[error("evidence proves this peer guilty: it has no place until its term is over")]
    Barred,
    /// It does not prove what it says.
    #[error("it does not prove what it says")]
    Unproved,
}

/// What the state answers to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It made the entry of this number.
    Entered(u64),
    /// It was noted.
    Noted,
    /// It had no effect.
    Void(Hash, Void),
}

impl Answer {
    pub fn decode(bytes: &[u8]) -> Option<Answer> {
        hamlet_consensus::wire::decode(bytes).ok()
    }

    pub fn encode(self) -> Vec<u8> {
        wire::encode(&self)
    }
}
