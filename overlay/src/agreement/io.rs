//! What goes into a peer's part in agreement, and what comes out.

use super::{
    card::Card,
    entry::{Entry, Void},
    order::Nonce,
};
use crate::{
    evidence::Evidence, identity::PeerId, io::Class, membership::admission::Credential, time::Time,
    wire::Frame,
};
use hamlet_consensus::{
    Model, Settings,
    beacon::SecretKey,
    check::Check,
    epoch::Height,
    io::Refusal as CommandRefusal,
    replica::StartError,
    succession::{Stored, Tag},
};
use std::{collections::BTreeMap, sync::Arc};

/// What the driver knows and the protocol does not.
#[derive(Clone)]
pub struct Start {
    /// The peer's secret for beacons.
    pub beacon: SecretKey,
    /// The driver's choices.
    pub settings: Settings,
    /// What was stored before, as the [`Step`]s said.
    pub stored: Stored,
    /// The clusters that this peer has left, and the newest epoch of each that it may have taken part in.
    pub left: BTreeMap<u64, u64>,
    /// What the wall clock showed at the driver's [`Time::ZERO`], in milliseconds since 1970.
    pub unix_ms: u64,
    /// What the peer shows when it asks for a walk; without it, it never does.
    pub papers: Option<Papers>,
    /// A random number, chosen when it was found that what had been stored is lost: the one until the first [`Step::Open`] after
    /// that, or where there is none any more, that of the last loss.
    pub nonce: Nonce,
    /// Whether anything that was stored was ever lost, `left` with it. Then the peer takes part, wherever it comes to, only in
    /// epochs that began after it said there that it lost it.
    pub forgetful: bool,
}

/// What a peer shows when it asks for a walk.
#[derive(Clone, Debug)]
pub struct Papers {
    /// Where it can be reached.
    pub card: Card,
    /// What it is admitted by.
    pub credential: Credential,
}

/// Something that agreement wants done. Steps are to be carried out in their order; nothing else has to wait for them.
#[derive(Clone, Debug)]
pub enum Step {
    /// What follows is about another cluster, where this peer has or looks for its place from now on; what was stored of the one
    /// before is not needed any more.
    Settle {
        /// The cluster, to be started with.
        cluster: u64,
        /// What [`Start::left`] has to be from now on.
        left: BTreeMap<u64, u64>,
    },
    /// The cluster has split, and this peer is with the one that began. What is stored stays, and so does what follows.
    Part {
        /// The cluster, to be started with.
        cluster: u64,
        /// What [`Start::left`] has to be from now on.
        left: BTreeMap<u64, u64>,
    },
    /// Remember, after the others, how an epoch ended.
    Link(Vec<u8>),
    /// Begin an empty store for an epoch, and keep this with it. What was stored is not lost any more.
    Open(Tag, Vec<u8>),
    /// Write this record after the others of an epoch's store.
    Record(Tag, Vec<u8>),
    /// Go on only when all that was written to an epoch's store survives a crash.
    Sync(Tag),
    /// Replace all records of an epoch's store by these, as a whole or not at all, and sync.
    Rewrite(Tag, Vec<Vec<u8>>),
    /// An epoch's store is not needed any more.
    Drop(Tag),
    /// Keep this evidence, whatever becomes of the stores.
    Keep(Arc<Evidence>),
    /// Send a frame to those of these peers that are connected.
    Send {
        /// The receivers.
        to: Vec<PeerId>,
        /// What to send.
        frame: Frame,
        /// How urgent it is: what members who are behind catch up with gives way to the streams.
        class: Class,
    },
    /// Check these signatures, on whatever thread, and hand back [`Input::Checked`](crate::io::Input::Checked) with the
    /// same name.
    Check(Option<Tag>, Check),
}

/// Something that agreement came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Agreed {
    /// The cluster decided on this, as the next entry of its log. After a restart this is told again from the last
    /// snapshot on.
    Entry(Entry),
    /// This order had no effect.
    Void(crate::hash::Hash, Void),
    /// The state was replaced by that of a certified snapshot of this height.
    Restored(Height),
    /// An order of this member's own was not accepted, or expired before it was decided.
    Rejected(CommandRefusal),
    /// This peer takes part in the epoch of this number from now on.
    Began(u64),
    /// This peer is no member any more, from the epoch of this number on.
    PutOut(u64),
    /// A walk of this peer ended in the cluster of this number: it goes there.
    Moved(u64),
    /// An epoch of which it is a member cannot be begun.
    Failed(u64, StartError),
    /// A member is proved to have contradicted itself.
    Proved(PeerId),
    /// Under synchrony: more members than may be faulty were not heard of within the bound on delays. While that
    /// lasts, what is decided may not hold (*When Δ does not hold* in `docs/protocol.md`).
    Asynchrony {
        /// The view of agreement in which it was noticed.
        view: u64,
        /// Who was not heard of.
        absent: Vec<PeerId>,
    },
    /// More members are faulty than the fault model allows: the cluster's log cannot be relied on any more.
    Forked,
}

/// What a peer knows of its cluster's agreement.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The cluster's number, and that of its newest epoch that is known.
    pub cluster: u64,
    /// The number of the newest epoch that is known.
    pub epoch: u64,
    /// The height of the log that this member has executed.
    pub height: Height,
    /// The view that it is in.
    pub view: u64,
    /// Who leads that view.
    pub leader: PeerId,
    /// How many members may be faulty.
    pub faults: usize,
    /// How many members' votes decide.
    pub quorum: usize,
    /// What is assumed of members and network.
    pub model: Model,
    /// When more members than may be faulty were last found not to be heard of within the bound on delays.
    pub asynchrony: Option<Time>,
    /// The members, and when each was last heard of.
    pub members: Vec<(PeerId, Option<Time>)>,
    /// What this peer does in that epoch.
    pub part: Part,
}

/// What a peer does in the newest epoch of its cluster that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is a member.
    Member,
    /// It is a member, and fetches the state that the epoch begins with.
    Joining,
    /// It lost what it had stored, and takes part again from the next epoch on.
    Waiting,
    /// It is no member.
    Outside,
}
