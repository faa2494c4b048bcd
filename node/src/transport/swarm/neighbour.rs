//! What the swarm's task knows of one wanted peer.

use crate::transport::{
    link::{Gates, Outbox},
    queue::Lane,
};
use libp2p::{Multiaddr, Stream, swarm::ConnectionId};
use rand_core::Rng;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::AbortHandle, time::Instant};

/// The first pause before something is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the peer with the higher key waits for the other's dial.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections made within this time of each other come from both sides having dialled at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A link that was up for so long has proved itself: the next failure is the first again.
const PROVED: Duration = Duration::from_secs(20);

/// Which side made a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialer {
    /// The peer with the lower key, as agreed.
    Lower,
    /// The other one.
    Higher,
}

/// A wanted peer.
pub struct Neighbour {
    /// Its libp2p name.
    pub name: libp2p::PeerId,
    /// Where to dial it, the preferred protocol first.
    pub addresses: Vec<Multiaddr>,
    /// What waits for it.
    pub outbox: Arc<Outbox>,
    /// What limits sending to it.
    pub gates: Gates,
    /// Whether it is on us to dial and to begin sessions: whether our key is the lower one.
    pub leads: bool,
    /// The connections with it.
    connections: BTreeMap<ConnectionId, (Dialer, Instant)>,
    /// Whether a dial is under way.
    pub dialing: bool,
    /// Whether it may not connect before the next attempt.
    pub punished: bool,
    /// The session, if there is one.
    pub link: Option<LinkTasks>,
    /// What was tried in vain since the link last proved itself.
    failures: u32,
    next_attempt: Instant,
}

/// The running tasks of a session, which end with this value.
pub struct LinkTasks {
    /// Tells this session from the ones before, whoever began them.
    pub generation: u64,
    /// The number under which its streams are opened.
    pub session: u64,
    /// Where the streams go that the other side opens.
    pub streams: mpsc::Sender<(Lane, Stream)>,
    /// When frames began to pass, if they do.
    pub up_since: Option<Instant>,
    /// Ends the tasks.
    pub abort: AbortHandle,
}

impl Drop for LinkTasks {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Neighbour {
    /// A peer that is wanted from now on.
    pub fn new(
        name: libp2p::PeerId,
        addresses: Vec<Multiaddr>,
        outbox: Arc<Outbox>,
        gates: Gates,
        leads: bool,
    ) -> Neighbour {
        Neighbour {
            name,
            addresses,
            outbox,
            gates,
            leads,
            connections: BTreeMap::new(),
            dialing: false,
            punished: false,
            link: None,
            failures: 0,
            next_attempt: Instant::now() + if leads { Duration::ZERO } else { PATIENCE },
        }
    }

    /// When something is to be done for it: a dial, a session over a connection that has none, a pardon.
    pub fn due(&self) -> Option<Instant> {
        let waits = self.punished
            || match self.connections.is_empty() {
                true => !self.dialing && !self.addresses.is_empty(),
                false => self.leads && self.link.is_none(),
            };
        waits.then_some(self.next_attempt)
    }

    /// Sets the next attempt after a failure.
    pub fn failed(&mut self, random: &mut impl Rng) {
        let pause = pause(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        // The side that does not lead leaves the other the time to dial.
        let patience = match self.leads || self.is_connected() {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        self.next_attempt = Instant::now() + pause + patience;
    }

    /// Ends the session; whether frames passed in it.
    pub fn take_down(&mut self) -> bool {
        let Some(link) = self.link.take() else {
            return false;
        };
        let up_since = link.up_since;
        if up_since.is_some_and(|since| since.elapsed() >= PROVED) {
            self.failures = 0;
        }
        self.outbox.clear();
        up_since.is_some()
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        !self.connections.is_empty()
    }

    /// Takes note of a connection, and says which ones to close. Of connections made at once the side that
    /// leads keeps the one made as agreed. Otherwise a peer that connects again has lost what was there
    /// before, though we may not have noticed yet.
    pub fn connected(&mut self, id: ConnectionId, dialer: Dialer) -> Vec<ConnectionId> {
        let now = Instant::now();
        self.connections.insert(id, (dialer, now));
        let old = |since: Instant| now.duration_since(since) > AT_ONCE;
        let mut surplus: Vec<ConnectionId> = Vec::new();
        let mut fresh: Vec<(Dialer, ConnectionId)> = Vec::new();
        for (&id, &(dialer, since)) in &self.connections {
            match old(since) {
                true => surplus.push(id),
                false => fresh.push((dialer, id)),
            }
        }
        if self.leads {
            // Of two that the same side made, the newer one is the one that it still knows.
            fresh.sort_unstable_by_key(|&(dialer, id)| (dialer, Reverse(id)));
            surplus.extend(fresh.into_iter().skip(1).map(|(_, id)| id));
        }
        surplus
    }

    /// Takes note that a connection is gone.
    pub fn disconnected(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
    }
}

/// The pause after so many failures, with jitter, so that peers do not come back all at once.
fn pause(failures: u32, random: &mut impl Rng) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let jitter = 0.5 + f64::from(random.next_u32()) / f64::from(u32::MAX);
    doubled.min(LONGEST_PAUSE).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ() {
        let mut random = ChaCha12Rng::seed_from_u64(1);
        for failures in 0..40 {
            let middle = FIRST_PAUSE
                .saturating_mul(1 << failures.min(10))
                .min(LONGEST_PAUSE);
            let (one, other) = (pause(failures, &mut random), pause(failures, &mut random));
            assert!(one >= middle / 2 && one <= middle * 3 / 2);
            assert_ne!(one, other);
        }
    }
}
