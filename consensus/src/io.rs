//! What goes into a replica and what comes out: the whole of its contact with the world.

use crate::{
    certificate::Certificate,
    check::{Check, Verdict},
    command::{Command, CommandId},
    epoch::{Height, View},
    evidence::Evidence,
    identity::PeerId,
    member::{Member, MemberSet},
    message::Message,
    outcome::{Outcome, OutcomeProof},
    time::Time,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// What is left to the driver's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How long a message between members usually takes at most; time-outs begin with three times this.
    pub delay: Duration,
    /// The longest time-out of a view.
    pub timeout_max: Duration,
    /// The time between two beats.
    pub beat: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            delay: Duration::from_millis(150),
            timeout_max: Duration::from_secs(20),
            beat: Duration::from_secs(1),
        }
    }
}

/// Something that happened to a replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// The wake-up that the replica asked for has come.
    Wake,
    /// A message came over the link with a fellow member, whose key the transport has checked.
    Message {
        /// Who sent it.
        from: Member,
        /// What came, from [`Message::decode`].
        message: Arc<Message>,
    },
    /// A [`Check`] was carried out.
    Checked(Verdict),
    /// This member itself wants these payloads ordered.
    Submit(Vec<Bytes>),
    /// Commands of this member's own that an epoch before did not execute.
    Carry(Vec<Command>),
    /// A peer outside wants a command ordered and a certificate of its outcome.
    Client {
        /// Who, as the transport has checked.
        client: PeerId,
        /// The command.
        command: Command,
    },
}

/// Something that a replica wants done. Outputs are to be carried out in their order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Write this record: [`Storage::append`](crate::storage::Storage::append).
    Record(Vec<u8>),
    /// Go on only when all that was written survives a crash: [`Storage::sync`](crate::storage::Storage::sync).
    Sync,
    /// Replace all records: [`Storage::rewrite`](crate::storage::Storage::rewrite).
    Rewrite(Vec<Vec<u8>>),
    /// Send a message to each of these members.
    Send {
        /// The receivers.
        to: MemberSet,
        /// What to send.
        message: Arc<Message>,
    },
    /// Check these signatures, on whatever thread, and hand back [`Input::Checked`].
    Check(Check),
    /// Give [`Input::Wake`] at this time; replaces the wake-up asked for before.
    WakeAt(Time),
    /// A command was executed, in the order of the log. After a restart this is told again from the last
    /// [`Output::Restored`] on.
    Executed(Outcome),
    /// The state was replaced by that of a certified snapshot; what was executed until this height is skipped.
    Restored(Height),
    /// A command of this member's own was not accepted, or expired before it was ordered.
    Rejected {
        /// The command.
        command: CommandId,
        /// Why.
        why: Refusal,
    },
    /// Answer a client.
    Reply {
        /// The client.
        client: PeerId,
        /// The answer.
        reply: Reply,
    },
    /// A member is proved to have misbehaved.
    Evidence(Box<Evidence>),
    /// Under synchrony: more members than may be faulty were not heard of within the bound on delays (S8). Either the
    /// bound is too short for this network, or somebody holds messages up, or more members are faulty. While that
    /// lasts, agreement is only safe as `docs/protocol.md` says (*When Δ does not hold*).
    Asynchrony {
        /// The view in which it was noticed.
        view: View,
        /// Who was not heard of.
        absent: MemberSet,
    },
    /// This certificate commits something else than what this member executed: more members are faulty than the
    /// fault model allows, or members run different programs. The cluster cannot be relied on any more.
    Forked(Box<Certificate>),
}

/// An answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The command was executed; here is the proof.
    Outcome(Box<OutcomeProof>),
    /// The command was not accepted.
    Refused {
        /// The command.
        command: CommandId,
        /// Why.
        why: Refusal,
        /// The height of this member, from which a client sets the expiry of its next command.
        height: Height,
    },
}

/// Why a command was not accepted.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
pub enum Refusal {
    /// Longer than a command may be.
    #[error("a command has at most 16 KiB")]
    TooLong,
    /// Its height has passed: it was not and will not be executed, unless it was before.
    #[error("the command has expired; submit it with a later expiry")]
    Expired,
    /// It expires too far ahead.
    #[error("a command may expire at most 256 heights ahead")]
    TooFarAhead,
    /// It was executed, but this member cannot prove with what outcome.
    #[error("the command was executed, but this member cannot prove its outcome; ask another")]
    Unproved,
    /// The epoch is over.
    #[error("the epoch is over; submit the command in the next")]
    EpochOver,
    /// Too many commands wait.
    #[error("too many commands wait; submit it later or to another member")]
    Full,
}
