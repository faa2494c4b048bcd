//! Connections: dialled, taken, chosen among, lost.

use super::{Task, Visit};
use crate::transport::{
    TransportEvent,
    counters::add,
    swarm::{build::BehaviourEvent, identity, neighbour::Dialer},
};
use hamlet_overlay::identity::PeerId;
use libp2p::{
    core::ConnectedPoint,
    metrics::Recorder,
    swarm::{
        ConnectionId, DialError, ListenError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{num::NonZeroU8, time::Duration};
use tokio::time::Instant;

/// The most visitors that wait to be asked for, and how long they may.
const MAX_VISITORS: usize = 32;
const VISIT: Duration = Duration::from_secs(5);

impl Task {
    pub(super) fn dial(&mut self, peer: PeerId) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let options = DialOpts::peer_id(neighbour.name)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(neighbour.addresses.clone())
            // One after the other: the preferred protocol first.
            .override_dial_concurrency_factor(NonZeroU8::MIN)
            .build();
        match self.swarm.dial(options) {
            Ok(()) => neighbour.dialing = true,
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot dial");
                neighbour.failed(&mut self.random);
            }
        }
    }

    pub(super) async fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        if let Some(metrics) = &self.metrics {
            metrics.record(&event);
        }
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.established(peer_id, connection_id, &endpoint).await,
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                add(&self.inbox.counters.connections_closed, 1);
                let Some(peer) = identity::from_libp2p(&peer_id) else {
                    return;
                };
                tracing::debug!(%peer, cause = cause.map(tracing::field::display), "a connection is closed");
                self.closed(peer, connection_id).await;
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(name),
                error,
                ..
            } => self.dial_failed(&name, &error),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                if let ListenError::Denied { cause } = &error {
                    tracing::debug!(%cause, "refused a connection");
                    add(&self.inbox.counters.strangers_refused, 1);
                } else {
                    tracing::debug!(%error, "an incoming connection failed");
                }
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => tracing::error!(?addresses, ?reason, "a listener has closed"),
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener reports an error");
            }
            _ => {}
        }
    }

    async fn established(
        &mut self,
        name: libp2p::PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let peer = identity::from_libp2p(&name);
        let known = peer.and_then(|peer| self.neighbours.get(&peer));
        match (peer, known) {
            (Some(peer), Some(neighbour)) if !neighbour.punished => {
                tracing::debug!(%peer, address = %endpoint.get_remote_address(), "connected");
                self.take_up(peer, id, endpoint.is_dialer());
            }
            (Some(peer), None)
                if self.open
                    && self.visitors.len() < MAX_VISITORS
                    && !self.visitors.contains_key(&peer) =>
            {
                let visit = Visit {
                    connection: id,
                    dialed: endpoint.is_dialer(),
                    until: Instant::now() + VISIT,
                };
                self.visitors.insert(peer, visit);
                self.tell(TransportEvent::Visitor(peer)).await;
            }
            // Nobody is wanted whose key is none of ours; or it was released while the connection was being made.
            _ => drop(self.swarm.close_connection(id)),
        }
    }

    /// Takes note of a connection with a wanted peer.
    pub(super) fn take_up(&mut self, peer: PeerId, id: ConnectionId, dialed: bool) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        add(&self.inbox.counters.connections_made, 1);
        neighbour.dialing = false;
        let dialer = match dialed == neighbour.leads {
            true => Dialer::Lower,
            false => Dialer::Higher,
        };
        let surplus = neighbour.connected(id, dialer);
        // Streams open on any connection; where one is being closed, the session begins once it is gone.
        let ready = neighbour.link.is_none() && surplus.is_empty();
        for id in surplus {
            self.swarm.close_connection(id);
        }
        if ready {
            self.lead(peer);
        }
    }

    async fn closed(&mut self, peer: PeerId, id: ConnectionId) {
        self.visitors.retain(|_, visit| visit.connection != id);
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        neighbour.disconnected(id);
        let left = neighbour.is_connected();
        if !left && !neighbour.punished {
            neighbour.failed(&mut self.random);
        }
        // The session's streams may have been on the connection that is gone: the side that leads begins
        // anew, and the other side hears of it.
        if !left || neighbour.leads {
            self.take_down(peer).await;
        }
        if left {
            self.lead(peer);
        }
    }

    fn dial_failed(&mut self, name: &libp2p::PeerId, error: &DialError) {
        let Some(peer) = identity::from_libp2p(name) else {
            return;
        };
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        neighbour.dialing = false;
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        tracing::debug!(%peer, %error, "a dial failed");
        add(&self.inbox.counters.dials_failed, 1);
        if !neighbour.is_connected() {
            neighbour.failed(&mut self.random);
        }
    }
}
