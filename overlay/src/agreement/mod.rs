//! Agreement inside the own cluster: a member's part in the cluster's log, carried over the links of this peer.
//!
//! The engine is [`hamlet_consensus`]: here its members get the keys of the cluster's peers, its messages the frames of
//! this protocol (rule A1 of `docs/protocol.md`), and its log the [state] that it decides on.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`order`], [`card`] | what members may have ordered |
//! | [`entry`] | what the log shows |
//! | [`state`] | the replicated state, rules A2 to A5 |
//! | [`turning`] | when this member ends an epoch, and how it comes back after it lost what it had stored (A6) |
//! | [`drawing`] | what this member does for the next epoch's beacon (A8) |
//! | [`moving`] | when this member asks for a walk, and how walks come from neighbours (W3, W5) |
//! | [`giving`] | when this member finds that fellows give too little (W11) |
//! | [`silence`] | when this member finds that fellows are silent (W8) |
//! | [`stalled`] | when this member asks another cluster for a walk, since its own decides nothing (W10) |
//! | [`around`] | what clusters tell their neighbours (A7) |
//! | [`surroundings`] | what the push's view follows |

mod around;
pub mod card;
mod drawing;
pub mod entry;
mod giving;
mod io;
mod moving;
pub mod order;
mod silence;
mod stalled;
pub mod state;
mod surroundings;
mod turning;

pub use io::{Agreed, Papers, Part, Standing, Start, Step};

use crate::{
    evidence::Votes,
    genesis::Network,
    identity::{PeerId, Signer, Verifier},
    io::{Class, Refusal},
    message::Message,
    time::{Duration, Time},
    wire::encode,
};
use around::Around;
use bytes::Bytes;
use drawing::Draws;
use entry::Answer;
use hamlet_consensus::{
    self as consensus,
    check::Verdict,
    epoch::Charter,
    epoch::Origin,
    replica::StartError,
    succession::{self, Parcel, Stored, Succession, Tag, Transfer},
};
use moving::Moving;
use order::{Nonce, Order, Said, Saying};
use silence::Silence;
use stalled::Stalled;
use state::ClusterState;
use std::{collections::BTreeMap, sync::Arc};

/// What comes out of a handled input.
pub(crate) enum Outcome {
    Step(Step),
    Event(Agreed),
    /// A member contradicted itself.
    Evidence(Box<Votes>),
}

/// One peer's part in its cluster's agreement.
pub(crate) struct Agreement {
    me: PeerId,
    network: crate::hash::Hash,
    signer: Arc<dyn Signer>,
    verifier: Arc<dyn Verifier>,
    succession: Succession<ClusterState>,
    /// The cluster, or while the way there is followed the one that it leads to.
    cluster: u64,
    has_arrived: bool,
    /// The newest epoch that it was told from.
    looked_at: Option<crate::hash::Hash>,
    /// The cluster that this one split from while the peer was its member, and the last epoch of that.
    parted: Option<(u64, u64)>,
    wake_at: Time,
    now: Time,
    asynchrony: Option<Time>,
    lease_ms: Option<u32>,
    /// How long an epoch lasts at least, and since when this one lasts here.
    epoch_min: Duration,
    since: Time,
    /// Until when it does not say the same again.
    said_until: Time,
    nonce: Nonce,
    /// Whether it may have forgotten where it took part, and if not, in which epoch of this cluster it may have done so without
    /// having it stored.
    forgetful: bool,
    left: Option<u64>,
    /// When peers asked last that something be ordered for them.
    petitions: BTreeMap<PeerId, Time>,
    around: Around,
    draws: Draws,
    moving: Moving,
    silence: Silence,
    /// When it may say next what fellows gave.
    report_at: Time,
    stalled: Stalled,
    /// What the wall clock showed at [`Time::ZERO`].
    unix_ms: u64,
    /// Whether the surroundings may have changed.
    changed: bool,
}

impl Agreement {
    /// Takes part in the cluster of this number from now on, as far as this peer is a member.
    pub fn start(
        network: &Network,
        cluster: u64,
        signer: Arc<dyn Signer>,
        verifier: Arc<dyn Verifier>,
        start: &Start,
        now: Time,
    ) -> Result<Agreement, StartError> {
        let root = network.root_of(cluster).ok_or(StartError::NotAMember)?;
        let charter = state::founding_charter(network.id(), network.parameters(), root);
        // A cluster has between 1 and 64 members, each once.
        let founding = charter.found(network.id(), Origin::default());
        let founding = Arc::new(founding.map_err(|_| StartError::NotAMember)?);
        let state = ClusterState::founding(network, root, verifier.clone());
        let stored = Stored {
            lineage: network.way_to(cluster),
            ..start.stored.clone()
        };
        let signs = signer.clone();
        let succession = Succession::start(founding, signs, state, start.settings, &stored, now)?;
        let mut silence = Silence::new(network.parameters().silence_ms);
        silence.begin(succession.newest().members(), now);
        let mut agreement = Agreement {
            me: signer.id(),
            network: network.id(),
            signer,
            verifier,
            succession,
            cluster,
            has_arrived: false,
            looked_at: None,
            parted: None,
            wake_at: Time::ZERO,
            now,
            asynchrony: None,
            lease_ms: network.parameters().lease_ms,
            epoch_min: network.parameters().epoch(),
            since: now,
            said_until: Time::ZERO,
            nonce: start.nonce,
            forgetful: start.forgetful,
            left: start.left.get(&cluster).copied(),
            petitions: BTreeMap::new(),
            around: Around::default(),
            draws: Draws::new(start.beacon.clone()),
            moving: Moving::new(start.papers.clone()),
            silence,
            report_at: giving::first_report(network.parameters()),
            stalled: Stalled::default(),
            unix_ms: start.unix_ms,
            changed: true,
        };
        agreement.look_where();
        Ok(agreement)
    }

    fn handle(&mut self, now: Time, input: succession::Input) {
        self.now = now;
        self.succession.handle(now, input);
        self.look_where();
    }

    /// Finds in which cluster the newest epoch is: one may have split off, and this peer with it.
    fn look_where(&mut self) {
        let newest = self.succession.newest();
        if self.looked_at.replace(newest.id()) == Some(newest.id()) {
            return;
        }
        let Some(cluster) = state::number_of(self.network, newest.charter()) else {
            return;
        };
        self.has_arrived |= cluster == self.cluster;
        if !self.has_arrived || cluster == self.cluster {
            return;
        }
        let left = std::mem::replace(&mut self.cluster, cluster);
        let charters = self.succession.chain().charters();
        let is_left = |charter: &&Charter| state::number_of(self.network, charter) == Some(left);
        let last = charters
            .filter(is_left)
            .last()
            .map(|charter| charter.number);
        self.parted = last.map(|last| (left, last));
        self.left = None;
        self.changed = true;
    }

    /// The cluster that the own one split from since this was asked last, and the last epoch of it that this peer may have taken part in.
    pub fn take_parted(&mut self) -> Option<(u64, u64)> {
        self.parted.take()
    }

    /// The signatures that were to be checked are.
    pub fn checked(&mut self, now: Time, name: Option<Tag>, verdict: Verdict) {
        self.handle(now, succession::Input::Checked(name, verdict));
    }

    /// Says something as this member, in the epoch that it knows.
    pub fn say(&self, saying: Saying) -> Order {
        let epoch = self.succession.newest().number();
        let (network, signer) = (self.network, &*self.signer);
        Order::Said(Box::new(Said::sign(
            network,
            signer,
            self.cluster,
            epoch,
            saying,
        )))
    }

    /// Wants an order decided.
    pub fn propose(&mut self, now: Time, order: &Order) {
        let payload = Bytes::from(encode(order));
        self.handle(now, succession::Input::Submit(vec![payload]));
    }

    /// A message of agreement came from a member of this epoch.
    pub fn receive(
        &mut self,
        now: Time,
        from: PeerId,
        name: Tag,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let message = consensus::Message::decode(body).map_err(|_| Refusal::Malformed)?;
        self.silence.hear(from, now);
        let parcel = Parcel::Agreement(name, Arc::new(message));
        self.handle(now, succession::Input::Parcel { from, parcel });
        Ok(())
    }

    /// A message across epochs came.
    pub fn transfer(&mut self, now: Time, from: PeerId, transfer: Transfer) {
        self.silence.hear(from, now);
        let parcel = Parcel::Transfer(transfer);
        self.handle(now, succession::Input::Parcel { from, parcel });
    }

    /// When it wants to be woken.
    pub fn wake_at(&self) -> Time {
        let due = self
            .around
            .due()
            .min(self.draws.due())
            .min(self.moving_at())
            .min(self.silence_at())
            .min(self.stalled_at());
        self.wake_at.min(self.turning_at()).min(due)
    }

    /// Wakes it, if it is time.
    pub fn wake(&mut self, now: Time) {
        self.now = now;
        if self.wake_at <= now {
            self.wake_at = Time::NEVER;
            self.handle(now, succession::Input::Wake);
        }
    }

    /// What came of the inputs, in order.
    pub fn poll(&mut self) -> Option<Outcome> {
        use succession::Output;
        loop {
            let outcome = match self.succession.poll()? {
                Output::Link(link) => Outcome::Step(Step::Link(link)),
                Output::Open(name, opening) => Outcome::Step(Step::Open(name, opening)),
                Output::Record(name, record) => Outcome::Step(Step::Record(name, record)),
                Output::Sync(name) => Outcome::Step(Step::Sync(name)),
                Output::Rewrite(name, records) => Outcome::Step(Step::Rewrite(name, records)),
                Output::Drop(name) => Outcome::Step(Step::Drop(name)),
                Output::Check(name, check) => Outcome::Step(Step::Check(name, check)),
                Output::Send(to, parcel) => Outcome::Step(send(to, &parcel)),
                Output::WakeAt(time) => {
                    self.wake_at = time;
                    continue;
                }
                Output::Executed(_, outcome) => match self.executed(&outcome.answer) {
                    Some(agreed) => Outcome::Event(agreed),
                    None => continue,
                },
                Output::Restored(_, height) => {
                    self.changed = true;
                    self.draws.look();
                    self.look_for_batches();
                    Outcome::Event(Agreed::Restored(height))
                }
                Output::Rejected { why, .. } => Outcome::Event(Agreed::Rejected(why)),
                Output::Began(epoch) => {
                    self.begin_epoch();
                    Outcome::Event(Agreed::Began(epoch.number()))
                }
                Output::PutOut(epoch) => {
                    self.changed = true;
                    Outcome::Event(Agreed::PutOut(epoch.number()))
                }
                Output::Failed(epoch, error) => {
                    Outcome::Event(Agreed::Failed(epoch.number(), error))
                }
                Output::Evidence(epoch, evidence) => {
                    let credential = self
                        .state()
                        .map(|state| state.credential_of(evidence.culprit));
                    Outcome::Evidence(Box::new(Votes {
                        epoch: epoch.id(),
                        votes: *evidence,
                        credential: credential.unwrap_or_default(),
                    }))
                }
                Output::Asynchrony {
                    epoch,
                    view,
                    absent,
                } => {
                    self.asynchrony = Some(self.now);
                    let absent = absent.iter().filter_map(|member| epoch.peer(member));
                    let absent = absent.collect();
                    Outcome::Event(Agreed::Asynchrony { view, absent })
                }
                Output::Forked(..) => Outcome::Event(Agreed::Forked),
                // Nobody outside asks a member over these links.
                Output::Reply { .. } => continue,
            };
            return Some(outcome);
        }
    }

    /// What an executed command came to. The last of an epoch are told when the next has begun, in whose state their
    /// entries are as well.
    fn executed(&mut self, answer: &[u8]) -> Option<Agreed> {
        self.changed = true;
        self.draws.look();
        self.look_for_batches();
        match Answer::decode(answer)? {
            Answer::Entered(number) => self.state()?.entry(number).cloned().map(Agreed::Entry),
            Answer::Noted => None,
            Answer::Void(order, why) => Some(Agreed::Void(order, why)),
        }
    }

    /// The replicated state, while this peer is a member.
    pub fn state(&self) -> Option<&ClusterState> {
        self.succession
            .replica()
            .map(|replica| replica.application())
    }

    /// The cluster's number.
    pub fn cluster(&self) -> u64 {
        self.cluster
    }

    /// The number of the newest epoch that is known.
    pub fn epoch(&self) -> u64 {
        self.succession.newest().number()
    }

    /// The short name of that epoch.
    pub fn newest(&self) -> Tag {
        succession::tag(self.succession.newest())
    }

    /// The members of the newest epoch that is known.
    pub fn members(&self) -> &[PeerId] {
        self.succession.newest().members()
    }

    /// Whether this peer is one of them.
    pub fn is_member(&self) -> bool {
        self.succession.newest().position(self.me).is_some()
    }

    /// What this peer does in that epoch.
    pub fn part(&self) -> Part {
        let newest = self.succession.newest().id();
        let replica = self.succession.replica();
        match replica.filter(|replica| replica.epoch().id() == newest) {
            Some(_) => Part::Member,
            None if !self.is_member() => Part::Outside,
            None if self.succession.abstains() => Part::Waiting,
            None => Part::Joining,
        }
    }

    /// How far this member has executed the log.
    fn standing_height(&self) -> u64 {
        let replica = self.succession.replica();
        replica.map_or(0, |replica| replica.height())
    }

    /// What it knows of its cluster's agreement.
    pub fn standing(&self) -> Standing {
        let epoch = self.succession.newest();
        let replica = self.succession.replica();
        let replica = replica.filter(|replica| replica.epoch().id() == epoch.id());
        let view = replica.map_or(0, |replica| replica.view());
        let heard = |place| replica.and_then(|replica| replica.last_heard(place));
        let members = (0..).zip(epoch.members());
        Standing {
            cluster: self.cluster,
            epoch: epoch.number(),
            height: replica.map_or(epoch.origin().height, |replica| replica.height()),
            view,
            leader: epoch.members()[usize::from(epoch.leader(view))],
            faults: epoch.faults(),
            quorum: epoch.quorum(),
            model: epoch.terms().model,
            asynchrony: self.asynchrony,
            members: members.map(|(place, &peer)| (peer, heard(place))).collect(),
            part: self.part(),
        }
    }
}

fn send(to: Vec<PeerId>, parcel: &Parcel) -> Step {
    use consensus::Message::{Block, Piece, Snapshot, Tail};
    let (message, body, backlog) = match parcel {
        Parcel::Agreement(epoch, message) => {
            let backlog = matches!(&**message, Block(_) | Tail(_) | Snapshot(_) | Piece { .. });
            (
                Message::Agreement { epoch: *epoch },
                message.encode(),
                backlog,
            )
        }
        Parcel::Transfer(transfer) => {
            let backlog = matches!(transfer, Transfer::Pieces(..) | Transfer::Piece(..));
            (Message::Transfer, transfer.encode(), backlog)
        }
    };
    Step::Send {
        to,
        frame: message.frame_with(body.into()),
        class: if backlog {
            Class::Backlog
        } else {
            Class::Control
        },
    }
}
