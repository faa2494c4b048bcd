//! Succession: how the epochs of a cluster follow one another.
//!
//! A [`Replica`] is a member of one epoch; a [`Succession`] carries a peer from epoch to epoch. Its rules are E1 to E9 of
//! `docs/protocol.md`:
//!
//! * **E1** An epoch ends with the command after whose execution the application names successors. Later commands are
//!   not executed, and members accept none.
//! * **E2** The last height's seal covers the state and the hash of the successors, so it proves both to anyone who
//!   knows the epoch: a [`Handover`].
//! * **E3** Members of an epoch that ended tell the handover to those who are new in the next, and with every beat to
//!   all who have not been heard there ([`retiring`]).
//! * **E4** Who is new gets the state that the epoch begins with from members of either epoch, piece by piece, each
//!   checked against the handover ([`joining`]).
//! * **E5** A member begins when that state is on its disk, and not before. Heights go on, and what was executed is
//!   remembered; so a command is executed once, whatever epoch it is in. Own commands that were left over are
//!   submitted again, as the same commands.
//! * **E6** Who has begun signs a seal of the state that its epoch begins with. Members of the epoch before serve until
//!   a certificate shows that a quorum of every epoch that follows has begun; then they forget it.
//! * **E7** Who speaks in an epoch that is past is told what followed, and who wants to be a member and is not asks.
//! * **E8** A split has two successors that begin with the same state; each application keeps its own part.
//! * **E9** A peer that lost what it stored abstains: it follows the chain and takes part in no epoch, until the
//!   application knows that the newest epoch began after the loss, so that nothing was signed in it that is forgotten.
//! * **E10** A cluster whose epoch ends can ask an epoch of another, its host, to take it in. Then nothing follows before the
//!   host's epoch has ended, which all members wait for ([`Chain::doubt`]).
//! * **E11** If the host's end says that it takes in just that cluster, what follows is what follows the host's epoch;
//!   otherwise the cluster goes on alone. Left-over commands stay behind: only the cluster itself knows whether it
//!   executed them.

mod chain;
mod handover;
mod io;
mod joining;
mod message;
mod retiring;
mod start;
mod transfer;

pub use chain::{Chain, MAX_CHAIN};
pub use handover::{Doubt, Handover, Tag, tag};
pub use io::{Input, Output, Store, Stored};
pub use message::{MAX_HANDOVERS, Parcel, Transfer};

use crate::{
    Epoch, Replica, Settings,
    application::Application,
    check::{CheckId, Verdict},
    command::Command,
    identity::{PeerId, Signer},
    io as member_io,
    message::Message,
    time::Time,
};
use bytes::Bytes;
use joining::Joining;
use retiring::Retiring;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use transfer::{Pending, Visitors};

/// The most own payloads that wait for an epoch to begin.
const MAX_WAITING: usize = 1024;

/// A replica, and when it wants to be woken.
#[derive(Clone)]
struct Running<A> {
    tag: Tag,
    replica: Replica<A>,
    alarm: Time,
}

/// A peer on its way through the epochs of its cluster.
#[derive(Clone)]
pub struct Succession<A> {
    me: PeerId,
    signer: Arc<dyn Signer>,
    /// In its first state.
    application: A,
    settings: Settings,
    now: Time,
    chain: Chain,
    /// Its part in the newest epoch, once it has begun.
    member: Option<Running<A>>,
    /// Its part in epochs that are over, the oldest first.
    retiring: VecDeque<Retiring<A>>,
    joining: Option<Joining>,
    /// Own payloads that nobody could order yet.
    waiting: VecDeque<Bytes>,
    /// Own commands that the last epoch left over.
    left_over: Vec<Command>,
    /// Whether it only follows (E9).
    abstains: bool,
    visitors: Visitors,
    pending: BTreeMap<CheckId, Pending>,
    next_check: CheckId,
    /// When it asks next what followed, and whom.
    seek: (Time, usize),
    /// Who is no member of the newest epoch perhaps, and may know what followed.
    guide: Option<PeerId>,
    alarm: Time,
    outputs: VecDeque<Output>,
}

impl<A: Application + Clone> Succession<A> {
    /// Takes in what happened. What is to be done then comes from [`Succession::poll`].
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Wake => {}
            Input::Parcel { from, parcel } => match parcel {
                Parcel::Agreement(tag, message) => self.on_message(from, tag, message),
                Parcel::Transfer(transfer) => self.on_transfer(from, transfer),
            },
            Input::Checked(Some(tag), verdict) => self.on_member_verdict(tag, verdict),
            Input::Checked(None, verdict) => self.on_verdict(verdict),
            Input::Submit(payloads) => {
                let room = MAX_WAITING.saturating_sub(self.waiting.len());
                self.waiting.extend(payloads.into_iter().take(room));
            }
            Input::Client { client, command } => {
                self.hand_to_member(member_io::Input::Client { client, command });
            }
            Input::TakePart => self.take_part(),
            Input::Guide(guide) => {
                self.guide = Some(guide);
                self.seek.0 = self.now;
            }
        }
        self.settle();
    }

    /// The next thing to be done, in this order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Does what the rules say now.
    fn settle(&mut self) {
        let now = self.now;
        for running in running(&mut self.member, &mut self.retiring) {
            if running.alarm <= now {
                running.alarm = Time::NEVER;
                running.replica.handle(now, member_io::Input::Wake);
            }
        }
        self.submit_waiting();
        self.carry_out();
        while self.look_for_end() {
            self.submit_waiting();
            self.carry_out();
        }
        self.retire();
        self.hand_over();
        self.join();
        self.seek();
        self.set_alarm();
    }

    fn hand_to_member(&mut self, input: member_io::Input) {
        if let Some(member) = &mut self.member {
            member.replica.handle(self.now, input);
        }
    }

    fn submit_waiting(&mut self) {
        if (self.member.as_ref()).is_none_or(|member| member.replica.is_over()) {
            return;
        }
        let left_over = std::mem::take(&mut self.left_over);
        if !left_over.is_empty() {
            self.hand_to_member(member_io::Input::Carry(left_over));
        }
        let payloads: Vec<Bytes> = self.waiting.drain(..).collect();
        if !payloads.is_empty() {
            self.hand_to_member(member_io::Input::Submit(payloads));
        }
    }

    fn on_message(&mut self, from: PeerId, name: Tag, message: Arc<Message>) {
        for running in running(&mut self.member, &mut self.retiring) {
            if running.tag == name {
                if let Some(from) = running.replica.epoch().position(from) {
                    let input = member_io::Input::Message { from, message };
                    running.replica.handle(self.now, input);
                }
                return;
            }
        }
        self.on_stray(from, name);
    }

    fn on_member_verdict(&mut self, name: Tag, verdict: Verdict) {
        let mut running = running(&mut self.member, &mut self.retiring);
        if let Some(running) = running.find(|running| running.tag == name) {
            (running.replica).handle(self.now, member_io::Input::Checked(verdict));
        }
    }

    /// Hands out what the replicas want done.
    fn carry_out(&mut self) {
        for running in running(&mut self.member, &mut self.retiring) {
            while let Some(output) = running.replica.poll() {
                let tag = running.tag;
                let epoch = running.replica.epoch();
                self.outputs.push_back(match output {
                    member_io::Output::Record(record) => Output::Record(tag, record),
                    member_io::Output::Sync => Output::Sync(tag),
                    member_io::Output::Rewrite(records) => Output::Rewrite(tag, records),
                    member_io::Output::Check(check) => Output::Check(Some(tag), check),
                    member_io::Output::Send { to, message } => Output::Send(
                        to.iter().filter_map(|to| epoch.peer(to)).collect(),
                        Parcel::Agreement(tag, message),
                    ),
                    member_io::Output::WakeAt(time) => {
                        running.alarm = time;
                        continue;
                    }
                    member_io::Output::Executed(outcome) => Output::Executed(tag, outcome),
                    member_io::Output::Restored(height) => Output::Restored(tag, height),
                    member_io::Output::Rejected { command, why } => {
                        Output::Rejected { command, why }
                    }
                    member_io::Output::Reply { client, reply } => Output::Reply { client, reply },
                    member_io::Output::Evidence(evidence) => {
                        Output::Evidence(epoch.clone(), evidence)
                    }
                    member_io::Output::Asynchrony { view, absent } => Output::Asynchrony {
                        epoch: epoch.clone(),
                        view,
                        absent,
                    },
                    member_io::Output::Forked(certificate) => {
                        Output::Forked(epoch.clone(), certificate)
                    }
                });
            }
        }
    }

    fn set_alarm(&mut self) {
        let alarms = [
            self.member.as_ref().map(|member| member.alarm),
            (self.retiring.iter())
                .map(|retiring| retiring.running.alarm.min(retiring.due()))
                .min(),
            (self.joining.as_ref()).map(|joining| joining.due(self.patience())),
            self.wants_to_seek().then_some(self.seek.0),
        ];
        let alarm = alarms.into_iter().flatten().min().unwrap_or(Time::NEVER);
        if alarm != self.alarm {
            self.alarm = alarm;
            self.outputs.push_back(Output::WakeAt(alarm));
        }
    }

    /// The newest epoch that it knows.
    pub fn newest(&self) -> &Arc<Epoch> {
        self.chain.newest()
    }

    /// The epochs that it knows.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its part in the newest epoch, once it has begun.
    pub fn replica(&self) -> Option<&Replica<A>> {
        self.member.as_ref().map(|member| &member.replica)
    }

    /// Whether it follows the chain and takes part in no epoch (E9).
    pub fn abstains(&self) -> bool {
        self.abstains
    }

    /// Whether it still serves epochs that are over.
    pub fn is_retiring(&self) -> bool {
        !self.retiring.is_empty()
    }
}

/// All epochs that a peer takes part in.
fn running<'a, A>(
    member: &'a mut Option<Running<A>>,
    retiring: &'a mut VecDeque<Retiring<A>>,
) -> impl Iterator<Item = &'a mut Running<A>> {
    let retiring = retiring.iter_mut().map(|retiring| &mut retiring.running);
    member.iter_mut().chain(retiring)
}
