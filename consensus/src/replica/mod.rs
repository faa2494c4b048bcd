//! One member of one epoch: the rules of `docs/protocol.md`.
//!
//! Everything that comes is bounded by its decoder, matched with the epoch, then with what this member waits
//! for, then its signatures are checked, and only then does it count.

mod catch_up;
mod certify;
mod commands;
mod commit;
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
    epoch::{Epoch, Height, View},
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
use catch_up::CatchUp;
use certify::Checks;
use commands::Waiters;
use peers::Peers;
use sealing::Seals;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use synchrony::Synchrony;
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
        let me = epoch.position(signer.id()).ok_or(StartError::NotAMember)?;
        let mut replica = Replica {
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
            waiters: Waiters::default(),
            seals: Seals::default(),
            catch_up: CatchUp::default(),
            peers: Peers::new(epoch.size()),
            checks: Checks::default(),
            timing: Timing::new(now),
            synchrony: (epoch.terms().model.bound())
                .map(|bound| Synchrony::new(bound, now, !stored.is_empty())),
            framing: Framing::new(&epoch),
            outputs: VecDeque::new(),
            outbox: Vec::new(),
            must_sync: false,
            must_rewrite: false,
            recovering: false,
            epoch,
        };
        replica.recover(stored)?;
        Ok(replica)
    }

    /// Takes in what happened. What is to be done then comes from [`Replica::poll`].
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Wake => {}
            Input::Message { from, message } => self.on_message(from, &message),
            Input::Checked(verdict) => self.on_verdict(verdict),
            Input::Submit(payloads) => self.on_submit(payloads),
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
        self.wake_up();
        loop {
            let view = self.view;
            self.propose();
            self.notarize();
            self.keep_time();
            self.second_votes();
            self.keep_clock();
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

    /// The epoch that this is a member of.
    pub fn epoch(&self) -> &Arc<Epoch> {
        &self.epoch
    }

    /// Which member this is.
    pub fn me(&self) -> Member {
        self.me
    }

    /// The view that it is in.
    pub fn view(&self) -> View {
        self.view
    }

    /// The height that it has executed.
    pub fn height(&self) -> Height {
        self.log.height()
    }

    /// The replicated state.
    pub fn application(&self) -> &A {
        &self.log.application
    }

    /// When a member was last heard of.
    pub fn last_heard(&self, member: Member) -> Option<Time> {
        self.peers.last_heard(member)
    }
}
