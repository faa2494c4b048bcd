//! Agreement inside the own cluster: a replica of the cluster's log, carried over the links with fellow members.
//!
//! The engine is [`hamlet_consensus`]; here its members get the keys of the cluster's peers, its messages the frames
//! of this protocol (rule A1 of `docs/protocol.md`), and its log the [state](state::ClusterState) that it decides on.

pub mod state;

use crate::{
    hash::Domain,
    identity::{PeerId, Signer},
    io::{Class, Refusal},
    message::Message,
    time::Time,
    view::{Cluster, View},
    wire::{Frame, encode},
};
use bytes::Bytes;
use hamlet_consensus::{
    self as consensus, Model, Replica, Settings, Terms,
    check::{Check, Verdict},
    epoch::Height,
    io::Refusal as CommandRefusal,
    member::MemberSet,
    replica::StartError,
};
use state::{ClusterState, Entry, Order};
use std::sync::Arc;

/// What the driver knows and the protocol does not.
#[derive(Clone, Debug)]
pub struct Start {
    /// The driver's choices.
    pub settings: Settings,
    /// What was recorded before, by [`Step::Record`] and [`Step::Rewrite`]; nothing at the first start.
    pub records: Vec<Vec<u8>>,
}

/// Something that agreement wants done. Steps are to be carried out in their order; nothing else has to wait for them.
#[derive(Clone, Debug)]
pub enum Step {
    /// Write this record after the others.
    Record(Vec<u8>),
    /// Go on only when all that was written survives a crash.
    Sync,
    /// Replace all records by these, as a whole or not at all, and sync.
    Rewrite(Vec<Vec<u8>>),
    /// Send a frame to those of these peers that are connected.
    Send {
        /// The receivers.
        to: Vec<PeerId>,
        /// What to send.
        frame: Frame,
        /// How urgent it is: what members who are behind catch up with gives way to the streams.
        class: Class,
    },
    /// Check these signatures, on whatever thread, and hand back [`Input::Checked`](crate::io::Input::Checked).
    Check(Check),
}

/// Something that agreement came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Agreed {
    /// The cluster decided on this, as the next entry of its log. After a restart this is told again from the last
    /// snapshot on.
    Entry(Entry),
    /// The state was replaced by that of a certified snapshot of this height.
    Restored(Height),
    /// An order of this member's own was not accepted, or expired before it was decided.
    Rejected(CommandRefusal),
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

/// What a member knows of its cluster's agreement.
#[derive(Clone, Debug)]
pub struct Standing {
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
}

/// What comes out of a handled input.
pub(crate) enum Outcome {
    Step(Step),
    Event(Agreed),
}

/// One member's part in its cluster's agreement.
pub(crate) struct Agreement {
    replica: Replica<ClusterState>,
    /// The number of the epoch, which every frame names.
    epoch: u64,
    wake_at: Time,
    now: Time,
    asynchrony: Option<Time>,
}

impl Agreement {
    /// Takes part from now on.
    pub fn start(
        view: &View,
        signer: Arc<dyn Signer>,
        verifier: Arc<dyn crate::identity::Verifier>,
        start: &Start,
        now: Time,
    ) -> Result<Agreement, StartError> {
        let cluster = view.newest().own.clone();
        let epoch = epoch_of(view, &cluster)?;
        let state = ClusterState::new(view.network, verifier, cluster.members().to_vec());
        let replica = Replica::new(epoch, signer, state, start.settings, &start.records, now)?;
        Ok(Agreement {
            replica,
            epoch: cluster.epoch,
            wake_at: Time::ZERO,
            now,
            asynchrony: None,
        })
    }

    /// Takes an input of the engine.
    pub fn handle(&mut self, now: Time, input: consensus::Input) {
        self.now = now;
        self.replica.handle(now, input);
    }

    /// The signatures that were to be checked are.
    pub fn checked(&mut self, now: Time, verdict: Verdict) {
        self.handle(now, consensus::Input::Checked(verdict));
    }

    /// Wants an order decided.
    pub fn propose(&mut self, now: Time, order: &Order) {
        let payload = Bytes::from(encode(order));
        self.handle(now, consensus::Input::Submit(vec![payload]));
    }

    /// A frame came from a peer.
    pub fn receive(
        &mut self,
        now: Time,
        from: PeerId,
        epoch: u64,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let from = self.replica.epoch().position(from);
        let from = from.ok_or(Refusal::Stranger)?;
        if epoch != self.epoch {
            return Err(Refusal::OutOfWindow);
        }
        let message = consensus::Message::decode(body).map_err(|_| Refusal::Malformed)?;
        let message = Arc::new(message);
        self.handle(now, consensus::Input::Message { from, message });
        Ok(())
    }

    /// When it wants to be woken.
    pub fn wake_at(&self) -> Time {
        self.wake_at
    }

    /// Wakes it, if it is time.
    pub fn wake(&mut self, now: Time) {
        if self.wake_at <= now {
            self.wake_at = Time::NEVER;
            self.handle(now, consensus::Input::Wake);
        }
    }

    /// What came of the inputs, in order.
    pub fn poll(&mut self) -> Option<Outcome> {
        loop {
            let outcome = match self.replica.poll()? {
                consensus::Output::Record(record) => Outcome::Step(Step::Record(record)),
                consensus::Output::Sync => Outcome::Step(Step::Sync),
                consensus::Output::Rewrite(records) => Outcome::Step(Step::Rewrite(records)),
                consensus::Output::Check(check) => Outcome::Step(Step::Check(check)),
                consensus::Output::Send { to, message } => Outcome::Step(Step::Send {
                    to: self.peers(to),
                    class: class(&message),
                    frame: Message::Agreement { epoch: self.epoch }
                        .frame_with(message.encode().into()),
                }),
                consensus::Output::WakeAt(time) => {
                    self.wake_at = time;
                    continue;
                }
                consensus::Output::Executed(outcome) => {
                    match Entry::of(self.replica.application(), &outcome) {
                        Some(entry) => Outcome::Event(Agreed::Entry(entry)),
                        None => continue,
                    }
                }
                consensus::Output::Restored(height) => Outcome::Event(Agreed::Restored(height)),
                consensus::Output::Rejected { why, .. } => Outcome::Event(Agreed::Rejected(why)),
                consensus::Output::Evidence(evidence) => {
                    Outcome::Event(Agreed::Proved(evidence.culprit))
                }
                consensus::Output::Asynchrony { view, absent } => {
                    self.asynchrony = Some(self.now);
                    let absent = self.peers(absent);
                    Outcome::Event(Agreed::Asynchrony { view, absent })
                }
                consensus::Output::Forked(_) => Outcome::Event(Agreed::Forked),
                // Nobody outside asks a member over these links.
                consensus::Output::Reply { .. } => continue,
            };
            return Some(outcome);
        }
    }

    /// The replicated state.
    pub fn state(&self) -> &ClusterState {
        self.replica.application()
    }

    /// What it knows of its cluster's agreement.
    pub fn standing(&self) -> Standing {
        let epoch = self.replica.epoch();
        let members = (0..).zip(epoch.members());
        Standing {
            height: self.replica.height(),
            view: self.replica.view(),
            leader: epoch.members()[usize::from(epoch.leader(self.replica.view()))],
            faults: epoch.faults(),
            quorum: epoch.quorum(),
            model: epoch.terms().model,
            asynchrony: self.asynchrony,
            members: members
                .map(|(place, &peer)| (peer, self.replica.last_heard(place)))
                .collect(),
        }
    }

    fn peers(&self, members: MemberSet) -> Vec<PeerId> {
        let epoch = self.replica.epoch();
        members
            .iter()
            .filter_map(|member| epoch.peer(member))
            .collect()
    }
}

fn class(message: &consensus::Message) -> Class {
    use consensus::Message::{Block, Piece, Snapshot, Tail};
    match message {
        Block(_) | Tail(_) | Snapshot(_) | Piece { .. } => Class::Backlog,
        _ => Class::Control,
    }
}

/// The engine's epoch of a cluster: its members in the order of their keys.
fn epoch_of(view: &View, cluster: &Cluster) -> Result<Arc<consensus::Epoch>, StartError> {
    let terms = Terms {
        model: view.parameters.fault_model,
        ..Terms::default()
    };
    let id = Domain::Cluster.hash(&[&view.network.0, &cluster.id.to_le_bytes()]);
    let epoch = consensus::Epoch::new(
        view.network,
        id,
        cluster.epoch,
        terms,
        cluster.members().to_vec(),
    );
    // A cluster of the view has between 1 and 64 members, each once.
    epoch.map(Arc::new).map_err(|_| StartError::NotAMember)
}

#[cfg(test)]
mod tests;
