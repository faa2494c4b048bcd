//! What goes into a succession and what comes out.

use super::{Parcel, Tag};
use crate::{
    certificate::Certificate,
    check::{Check, Verdict},
    command::{Command, CommandId},
    epoch::{Epoch, Height, View},
    evidence::Evidence,
    hash::Hash,
    identity::PeerId,
    io::{Refusal, Reply},
    member::MemberSet,
    outcome::Outcome,
    replica::StartError,
    time::Time,
};
use bytes::Bytes;
use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The wake-up that was asked for has come.
    Wake,
    /// A peer sent something; the transport has checked who.
    Parcel {
        /// Who.
        from: PeerId,
        /// What.
        parcel: Parcel,
    },
    /// An [`Output::Check`] was carried out.
    Checked(Option<Tag>, Verdict),
    /// This peer itself wants these payloads ordered, in this epoch or the next that it is a member of.
    Submit(Vec<Bytes>),
    /// A peer outside wants a command ordered and a certificate of its outcome.
    Client {
        /// Who, as the transport has checked.
        client: PeerId,
        /// The command.
        command: Command,
    },
    /// The newest epoch that this peer knows began after it lost what it had stored (E9): it abstains no longer.
    TakePart,
    /// This peer may know what followed the newest epoch that is known here: it is asked as well (E7).
    Guide(PeerId),
}

/// Something to be done, in order. Records go to one store for each epoch.
#[derive(Clone, Debug)]
pub enum Output {
    /// Remember, after the others, how an epoch ended. At most the last [`MAX_CHAIN`](super::MAX_CHAIN) are needed.
    Link(Vec<u8>),
    /// Begin an empty store for an epoch, and keep this with it, as [`Store::opening`].
    Open(Tag, Vec<u8>),
    /// Write this record to an epoch's store.
    Record(Tag, Vec<u8>),
    /// Go on only when all that was written to an epoch's store survives a crash.
    Sync(Tag),
    /// Replace all records of an epoch's store, as a whole or not at all, and sync.
    Rewrite(Tag, Vec<Vec<u8>>),
    /// An epoch's store is not needed any more.
    Drop(Tag),
    /// Send this to these peers.
    Send(Vec<PeerId>, Parcel),
    /// Check these signatures, on whatever thread, and hand back [`Input::Checked`] with the same name.
    Check(Option<Tag>, Check),
    /// Give [`Input::Wake`] at this time; replaces the wake-up asked for before.
    WakeAt(Time),
    /// This peer is a member of this epoch from now on.
    Began(Arc<Epoch>),
    /// The epoch in which it took part is over, and this one follows, without it.
    PutOut(Arc<Epoch>),
    /// An epoch of which it is a member cannot be begun.
    Failed(Arc<Epoch>, StartError),
    /// As [`io::Output::Executed`](crate::io::Output::Executed), in this epoch.
    Executed(Tag, Outcome),
    /// As [`io::Output::Restored`](crate::io::Output::Restored), in this epoch.
    Restored(Tag, Height),
    /// As [`io::Output::Rejected`](crate::io::Output::Rejected).
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
    /// A member of this epoch is proved to have misbehaved.
    Evidence(Arc<Epoch>, Box<Evidence>),
    /// As [`io::Output::Asynchrony`](crate::io::Output::Asynchrony).
    Asynchrony {
        /// The epoch.
        epoch: Arc<Epoch>,
        /// The view in which it was noticed.
        view: View,
        /// Who was not heard of.
        absent: MemberSet,
    },
    /// As [`io::Output::Forked`](crate::io::Output::Forked), in this epoch.
    Forked(Arc<Epoch>, Box<Certificate>),
}

/// What a peer stored.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// What [`Output::Link`] said, in order.
    pub links: Vec<Vec<u8>>,
    /// The stores of epochs, in any order.
    pub stores: Vec<Store>,
    /// Whether anything that was stored may have been lost: then the peer abstains (E9).
    pub lost: bool,
    /// The names of the clusters that lead from the one that is trusted to the peer's own, each split from the one before: where
    /// they begin the chain goes on with them.
    pub lineage: Vec<Hash>,
}

/// What an epoch's store holds.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// What [`Output::Open`] said; empty for the epoch that the succession began with.
    pub opening: Vec<u8>,
    /// The records, in order.
    pub records: Vec<Vec<u8>>,
}
