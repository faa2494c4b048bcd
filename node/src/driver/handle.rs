//! What the rest of a process holds of a running peer.

use super::{Clock, config::Fault, passage::Passage};
use crate::transport::counters::TransportReport;
use hamlet_overlay::{
    agreement::{
        Standing,
        entry::Entry,
        order::{Order, Saying},
        state::Bar,
    },
    evidence::Evidence,
    identity::PeerId,
    io::{self, Cut, Event, Segment},
    membership::cycle::Place,
    report::Report,
    time::Time,
    view::{self, SegmentNumber, StreamNumber},
};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// The peer has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer has stopped")]
pub struct Stopped;

/// Why a segment was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The peer refused it.
    #[error(transparent)]
    Refused(#[from] io::PublishError),
    /// The peer has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What a running peer says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct PeerStatus {
    /// Its key, in hexadecimal.
    pub peer: String,
    /// Where it listens.
    pub listening: Vec<String>,
    /// The links that it wants.
    pub links: Vec<LinkStatus>,
    /// Its cluster and those around, in the newest epochs that it knows.
    #[serde(skip)]
    pub around: Arc<view::Epoch>,
    /// Where its cluster lies on the cycles, if the peer holds its cluster's state.
    #[serde(skip)]
    pub places: Option<Vec<Place>>,
    /// How long it has been running, in milliseconds.
    pub running_ms: u64,
    /// What the protocol counted.
    pub report: Report,
    /// What the transport counted.
    pub transport: TransportReport,
}

/// A link that a peer wants.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LinkStatus {
    /// The neighbour.
    pub peer: PeerId,
    /// Whether frames pass.
    pub connected: bool,
}

/// What a running peer knows of its cluster's agreement.
#[derive(Clone, Debug)]
pub struct AgreementStatus {
    /// Where agreement is, if the peer takes part.
    pub standing: Option<Standing>,
    /// The newest entries of the cluster's log, the oldest of them first.
    pub entries: Vec<Entry>,
    /// The evidence that the peer keeps.
    pub evidence: Vec<KnownEvidence>,
    /// Whom its cluster bars at present.
    pub bars: Vec<Bar>,
    /// Why it takes no part any more, if it did.
    pub failed: Option<String>,
    /// The time by the peer's clock.
    pub now: Time,
}

/// Evidence that a peer keeps.
#[derive(Clone, Debug)]
pub struct KnownEvidence {
    /// The evidence.
    pub evidence: Arc<Evidence>,
    /// Whom it is against.
    pub culprit: PeerId,
    /// When the peer heard of it, in milliseconds since 1970.
    pub heard_unix_ms: u64,
}

/// What is asked of the task that owns the peer.
pub(super) enum Request {
    Publish(
        Cut,
        oneshot::Sender<Result<SegmentNumber, io::PublishError>>,
    ),
    Subscribe(
        StreamNumber,
        oneshot::Sender<broadcast::Receiver<Arc<Segment>>>,
    ),
    Status(oneshot::Sender<PeerStatus>),
    Say(Saying, oneshot::Sender<Option<Order>>),
    Agreement(oneshot::Sender<AgreementStatus>),
    Leave,
    Misbehave(Option<Fault>),
    Shutdown(oneshot::Sender<()>),
    /// Stop at once and say nothing to anybody, as after `kill -9`.
    Kill,
}

/// A running peer. Clones are handles of the same peer; it stops when it is told to, or when the last
/// handle is gone.
#[derive(Clone, Debug)]
pub struct PeerHandle {
    pub(super) me: PeerId,
    pub(super) clock: Clock,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) events: broadcast::WeakSender<(Time, Event)>,
    pub(super) passages: broadcast::WeakSender<Passage>,
}

impl PeerHandle {
    /// Who this peer is.
    pub fn id(&self) -> PeerId {
        self.me
    }

    /// The time by the peer's clock, to which the times of its events belong.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Publishes the next segment of this peer's own stream, cut now.
    pub async fn publish(&self, cut: Cut) -> Result<SegmentNumber, PublishError> {
        Ok(self.ask(|answer| Request::Publish(cut, answer)).await??)
    }

    /// The segments of a stream from now on, verified and in order. A reader that falls more than a
    /// minute behind misses some and is told how many.
    pub async fn subscribe(
        &self,
        stream: StreamNumber,
    ) -> Result<broadcast::Receiver<Arc<Segment>>, Stopped> {
        self.ask(|answer| Request::Subscribe(stream, answer)).await
    }

    /// What happens to the peer from now on. A reader that falls far behind misses some.
    pub fn events(&self) -> broadcast::Receiver<(Time, Event)> {
        match self.events.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// The shards of traced segments that pass the peer from now on. A reader that falls far behind
    /// misses some.
    pub fn passages(&self) -> broadcast::Receiver<Passage> {
        match self.passages.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// From now on the peer misbehaves, or no longer does: for demonstrations.
    pub async fn misbehave(&self, fault: Option<Fault>) -> Result<(), Stopped> {
        let asked = self.requests.send(Request::Misbehave(fault)).await;
        asked.map_err(|_| Stopped)
    }

    /// What the peer says of itself.
    pub async fn status(&self) -> Result<PeerStatus, Stopped> {
        self.ask(Request::Status).await
    }

    /// Has something said in the peer's cluster; what was ordered, if the peer is a member.
    pub async fn say(&self, saying: Saying) -> Result<Option<Order>, Stopped> {
        self.ask(|answer| Request::Say(saying, answer)).await
    }

    /// What the peer knows of its cluster's agreement.
    pub async fn agreement(&self) -> Result<AgreementStatus, Stopped> {
        self.ask(Request::Agreement).await
    }

    /// Has the peer leave the network: it asks its cluster to do without it, and for no other place. An
    /// [event](hamlet_overlay::agreement::Agreed::PutOut) says when that is so.
    pub async fn leave(&self) -> Result<(), Stopped> {
        let asked = self.requests.send(Request::Leave).await;
        asked.map_err(|_| Stopped)
    }

    /// Stops the peer: it says farewell and closes its connections.
    pub async fn shutdown(&self) {
        // A peer that is gone already has nothing left to stop.
        let _ = self.ask(Request::Shutdown).await;
    }

    /// Stops the peer at once, without a word to anybody, as `kill -9` would.
    pub async fn kill(&self) {
        let _ = self.requests.send(Request::Kill).await;
        self.requests.closed().await;
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(request(answer))
            .await
            .map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}
