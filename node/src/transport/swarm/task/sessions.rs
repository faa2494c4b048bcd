//! Sessions with connected neighbours: begun, replaced, ended.

use super::Task;
use crate::transport::{
    TransportEvent,
    counters::add,
    framing::FramingError,
    link::Writer,
    queue::Lane,
    swarm::{
        incoming::Opened,
        neighbour::{LinkTasks, Neighbour},
        session::Session,
    },
};
use hamlet_overlay::identity::PeerId;
use rand_core::Rng;
use std::sync::atomic::Ordering::Relaxed;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// What a session has to report: of which peer, and its place among all sessions.
pub enum Report {
    /// All its streams are there; frames pass once this is answered.
    Up(PeerId, u64, oneshot::Sender<()>),
    /// It has ended.
    Down(PeerId, u64, FramingError),
}

impl Task {
    /// Begins a session with a connected peer under a new number, if it is on us to lead.
    pub(super) fn lead(&mut self, peer: PeerId) {
        if self.neighbours.get(&peer).is_some_and(|n| n.leads) {
            let number = self.random.next_u64();
            self.start_session(peer, number);
        }
    }

    fn start_session(&mut self, peer: PeerId, number: u64) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        self.generation += 1;
        let generation = self.generation;
        neighbour.outbox.clear();
        let writers = Lane::ALL.map(|lane| {
            let mut seed = [0; 32];
            self.random.fill_bytes(&mut seed);
            Writer {
                outbox: neighbour.outbox.clone(),
                lane,
                gates: neighbour.gates.clone(),
                counters: self.inbox.counters.clone(),
                seed,
            }
        });
        let (streams, opened) = mpsc::channel(Lane::ALL.len());
        let session = Session {
            peer,
            name: neighbour.name,
            number,
            control: self.control.clone(),
            protocols: self.protocols.clone(),
            opened,
            writers,
            inbox: self.inbox.clone(),
        };
        let reports = self.report_sender.clone();
        let task = tokio::spawn(async move {
            let up = async {
                let (go, gone) = oneshot::channel();
                // The swarm's task ends after its sessions do.
                let _ = reports.send(Report::Up(peer, generation, go)).await;
                let _ = gone.await;
            };
            let why = session.run(up).await;
            let _ = reports.send(Report::Down(peer, generation, why)).await;
        });
        neighbour.link = Some(LinkTasks {
            generation,
            session: number,
            streams,
            up_since: None,
            abort: task.abort_handle(),
        });
    }

    /// Gives a stream to the session that it belongs to, which it may begin.
    pub(super) async fn opened(&mut self, opened: Opened) {
        let Opened {
            peer,
            lane,
            session,
            stream,
        } = opened;
        let current = |neighbour: &Neighbour| neighbour.link.as_ref().map(|link| link.session);
        let Some(neighbour) = self.neighbours.get(&peer).filter(|n| !n.punished) else {
            return;
        };
        if current(neighbour) != Some(session) {
            // Only the side that leads begins a session, and with this lane.
            if neighbour.leads || lane != Lane::Live {
                return;
            }
            self.take_down(peer).await;
            self.start_session(peer, session);
        }
        let link = self.neighbours.get(&peer).and_then(|n| n.link.as_ref());
        if let Some(link) = link {
            // There is room for one per lane; more than that nobody needs.
            let _ = link.streams.try_send((lane, stream));
        }
    }

    pub(super) async fn session_report(&mut self, report: Report) {
        let (Report::Up(peer, generation, _) | Report::Down(peer, generation, _)) = report;
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let Some(link) = neighbour
            .link
            .as_mut()
            .filter(|link| link.generation == generation)
        else {
            // Of a session that was replaced meanwhile.
            return;
        };
        match report {
            Report::Up(_, _, go) => {
                link.up_since = Some(Instant::now());
                self.connected.fetch_add(1, Relaxed);
                self.tell(TransportEvent::Connected(peer)).await;
                // Afterwards, so that no frame comes before.
                let _ = go.send(());
            }
            Report::Down(_, _, FramingError::Length(length)) => {
                tracing::debug!(%peer, length, "a stream is not framed as agreed; closing the connection");
                add(&self.inbox.counters.broken_streams, 1);
                self.punish(peer).await;
            }
            Report::Down(_, _, FramingError::Io(error)) => {
                tracing::debug!(%peer, %error, "a session ended");
                neighbour.failed(&mut self.random);
                self.take_down(peer).await;
            }
        }
    }

    pub(super) async fn take_down(&mut self, peer: PeerId) {
        let was_up = self
            .neighbours
            .get_mut(&peer)
            .is_some_and(Neighbour::take_down);
        if was_up {
            self.connected.fetch_sub(1, Relaxed);
            self.tell(TransportEvent::Disconnected(peer)).await;
        }
    }

    pub(super) async fn tell(&mut self, event: TransportEvent) {
        // A driver that is gone has dropped the commands too, by which the task ends.
        let _ = self.inbox.events.send(event).await;
    }
}
