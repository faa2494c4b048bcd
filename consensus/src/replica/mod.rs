//! One member of one epoch: the rules of `docs/protocol.md`.
//!
//! Everything that comes is bounded by its decoder, matched with the epoch, then with what this member waits
//! for, then its signatures are checked, and only then does it count.

mod catch_up;
mod certify;
mod commands;
mod commit;
mod inspect;
#[cfg(test)]
mod model;
mod peers;
mod propose;
mod recovery;
mod sealing;
mod serve;
mod synchrony;
mod timing;
mod voting;

use crate::{
    application::Application,
    block::SoundBlock,
    certificate::Certificate,
    command::Command,
    epoch::{Epoch, Origin, View},
    hash::Hash,
    identity::Signer,
    io::{Input, Output, Settings},
    log::Log,
    member::{Member, MemberSet},
    message::Message,
    mutant::Mutant,
    pool::Pool,
    storage::{Framing, Record, StorageError},
    time::Time,
    view::OpenView,
    vote::Vote,
};
use bytes::Bytes;
use catch_up::CatchUp;
use certify::Checks;
use commands::Waiters;
pub use inspect::Ending;
use peers::Peers;
use sealing::Seals;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use synchrony::Synchrony;
pub use synchrony::{MAX_PAST, VIEWS_PER_BOUND};
use timing::Timing;

/// How many views ahead of the own votes are listened to.
pub const VIEWS_AHEAD: View = 64;
/// How many views ahead of the own blocks are kept.
const PROPOSALS_AHEAD: View = 8;
/// After how many views without a commit haste is of no use: then suspected leaders are waited for too, and the
/// longest time-out doubles for every [`VIEWS_AHEAD`] more. So an outage, however long, leaves few views open.
pub const OPEN_VIEWS: View = 256;
/// How many blocks with commands may wait for a commit before leaders propose empty ones.
const OPEN_BLOCKS: usize = 64;

/// A replica cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The key is not a member's.
    #[error("the key is not that of a member of this epoch")]
    NotAMember,
    /// The stored records cannot be relied on.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The state that the epoch begins with is missing, or another.
    #[error(
        "the state that the epoch begins with is not there, or not what the epoch before sealed"
    )]
    Origin,
}

/// One member of one epoch.
#[derive(Clone)]
pub struct Replica<A> {
    epoch: Arc<Epoch>,
    me: Member,
    signer: Arc<dyn Signer>,
    settings: Settings,
    now: Time,
    /// What is executed.
    log: Log<A>,
    /// Blocks that are not executed.
    blocks: BTreeMap<Hash, SoundBlock>,
    /// The views after that of the last executed block.
    views: BTreeMap<View, OpenView>,
    /// The view that this member is in.
    view: View,
    /// The highest commit that is known and not executed.
    target: Option<Certificate>,
    pool: Pool,
    /// Own commands that were not executed when the epoch ended.
    left_over: Vec<Command>,
    /// Open blocks all of whose commands went into the pool (R2).
    taken_in: BTreeSet<Hash>,
    waiters: Waiters,
    seals: Seals,
    catch_up: CatchUp,
    peers: Peers,
    checks: Checks,
    timing: Timing,
    /// What only synchrony needs.
    synchrony: Option<Synchrony>,
    framing: Framing,
    outputs: VecDeque<Output>,
    /// What is sent at the end of the present input, after what must be on disk is.
    outbox: Vec<Output>,
    must_sync: bool,
    /// Whether the records are to begin anew with the last snapshot.
    must_rewrite: bool,
    /// Whether this is the repetition of what is on disk.
    recovering: bool,
}

impl<A: Application> Replica<A> {
    /// The member of `epoch` that `signer` signs for. `stored` is what [`Storage::load`](crate::storage::Storage::load)
    /// gave: nothing if the member starts in this epoch for the first time. `application` is in its first state.
    ///
    /// # Errors
    /// If the key is no member's, or the records are damaged. Then nothing was done.
    pub fn new(
        epoch: Arc<Epoch>,
        signer: Arc<dyn Signer>,
        application: A,
        settings: Settings,
        stored: &[Vec<u8>],
        now: Time,
    ) -> Result<Replica<A>, StartError> {
        let mut replica = Replica::blank(epoch, signer, application, settings, now)?;
        replica.recover(stored)?;
        if replica.epoch.origin() != Origin::default() {
            if replica.log.origin().is_none() {
                return Err(StartError::Origin);
            }
            replica.share_origin();
        }
        Ok(replica)
    }

    /// The member of `epoch` that `signer` signs for, which begins with the state in which the epoch before ended
    /// (E5). `application` is in its first state.
    ///
    /// # Errors
    /// If the key is no member's, the fault model is not that of these rules, or the snapshot is not the one that
    /// the epoch names. Then nothing was done.
    pub fn succeed(
        epoch: Arc<Epoch>,
        signer: Arc<dyn Signer>,
        application: A,
        settings: Settings,
        snapshot: Bytes,
        now: Time,
    ) -> Result<Replica<A>, StartError> {
        let mut replica = Replica::blank(epoch, signer, application, settings, now)?;
        let begun = replica.log.begin(&replica.epoch, snapshot.clone());
        begun.map_err(|_| StartError::Origin)?;
        if !replica.epoch.mutants.has(Mutant::BeginUnwritten) {
            replica.record(&Record::Origin { snapshot });
            replica.must_sync = true;
        }
        (replica.outbox).push(Output::Restored(replica.log.height()));
        replica.share_origin();
        Ok(replica)
    }

    /// A member that knows nothing yet.
    fn blank(
        epoch: Arc<Epoch>,
        signer: Arc<dyn Signer>,
        application: A,
        settings: Settings,
        now: Time,
    ) -> Result<Replica<A>, StartError> {
        let me = epoch.position(signer.id()).ok_or(StartError::NotAMember)?;
        Ok(Replica {
            me,
            signer,
            settings,
            now,
            log: Log::new(&epoch, application),
            blocks: BTreeMap::new(),
            views: BTreeMap::new(),
            view: 1,
            target: None,
            pool: Pool::default(),
            left_over: Vec::new(),
            taken_in: BTreeSet::new(),
            waiters: Waiters::default(),
            seals: Seals::default(),
            catch_up: CatchUp::default(),
            peers: Peers::new(epoch.size()),
            checks: Checks::default(),
            timing: Timing::new(now),
            synchrony: (epoch.terms().model.bound()).map(Synchrony::new),
            framing: Framing::new(&epoch),
            outputs: VecDeque::new(),
            outbox: Vec::new(),
            must_sync: false,
            must_rewrite: false,
            recovering: false,
            epoch,
        })
    }

    /// Takes in what happened. What is to be done then comes from [`Replica::poll`].
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Wake => {}
            Input::Message { from, message } => self.on_message(from, &message),
            Input::Checked(verdict) => self.on_verdict(verdict),
            Input::Submit(payloads) => self.on_submit(payloads),
            Input::Carry(commands) => self.on_carry(commands),
            Input::Client { client, command } => self.on_client(client, command),
        }
        self.settle();
        self.flush();
    }

    /// The next thing to be done, in this order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn on_message(&mut self, from: Member, message: &Message) {
        if from == self.me || usize::from(from) >= self.epoch.size() {
            return;
        }
        self.peers.heard(from, self.now);
        match message {
            Message::Vote(signed) if matches!(signed.vote, Vote::Seal(_)) => {
                self.on_share(from, *signed);
            }
            Message::Vote(signed) => self.on_vote(from, *signed),
            Message::Proposal(proposal) => self.on_proposal(from, proposal),
            Message::Certificates(certificates) => self.on_certificates(from, certificates),
            Message::Evidence(evidence) => self.on_message_evidence(from, evidence),
            Message::Greeting => self.on_greeting(from),
            Message::Welcome(welcome) => self.on_welcome(from, welcome),
            Message::Commands(commands) => self.on_commands(from, commands),
            Message::Status(status) => self.on_status(from, *status),
            Message::RequestSeal(height) => self.on_request_seal(from, *height),
            Message::Fetch(fetch) => self.on_fetch(from, *fetch),
            Message::FetchPiece { height, index } => self.on_fetch_piece(from, *height, *index),
            Message::Block(block) => self.on_block(from, block),
            Message::Tail(tail) => self.on_tail(from, tail),
            Message::Snapshot(offer) => self.on_snapshot(from, offer),
            Message::Piece {
                height,
                index,
                bytes,
            } => self.on_piece(from, *height, *index, bytes),
        }
    }

    /// Does what the rules say now, until nothing changes any more.
    fn settle(&mut self) {
        self.listen();
        loop {
            self.leave_void();
            let view = self.view;
            self.propose();
            self.notarize();
            self.keep_time();
            self.second_votes();
            self.keep_clocks();
            if self.view == view {
                break;
            }
        }
        self.ask();
        self.set_alarm();
    }

    /// Hands out what is to be sent, after what must be on disk before (R13).
    fn flush(&mut self) {
        let send_first = self.epoch.mutants.has(Mutant::SendFirst);
        if self.must_sync && !send_first {
            self.outputs.push_back(Output::Sync);
        }
        self.outputs.extend(self.outbox.drain(..));
        if self.must_sync && send_first {
            self.outputs.push_back(Output::Sync);
        }
        self.must_sync = false;
        if std::mem::take(&mut self.must_rewrite) {
            self.rewrite();
        }
    }

    fn record(&mut self, record: &Record) {
        let bytes = self.framing.frame(record);
        self.outputs.push_back(Output::Record(bytes));
    }

    fn send(&mut self, to: MemberSet, message: Message) {
        let to = to.without(MemberSet::one(self.me));
        if !to.is_empty() {
            self.outbox.push(Output::Send {
                to,
                message: Arc::new(message),
            });
        }
    }

    fn send_all(&mut self, message: Message) {
        self.send(self.epoch.all(), message);
    }

    fn open(&mut self, view: View) -> &mut OpenView {
        self.views.entry(view).or_default()
    }

    /// The view of the last executed block: everything up to it is settled.
    fn floor(&self) -> View {
        self.log.tip().view
    }
}
