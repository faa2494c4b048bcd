//! The transport over libp2p: QUIC, and TCP with Noise and Yamux.
//!
//! S1. Peer ids are the peers' own Ed25519 keys, and connections are encrypted and authenticated by them.
//! S2. A connection is taken only from, and made only to, a peer that the driver asked for. Where visitors may come, others
//!     are told to the driver, a few at a time, and are sent away if it does not ask for them soon.
//! S3. Of two peers the one with the lower key dials; the other waits a little and dials too if nothing
//!     came. Should both get through, the lower one closes the surplus.
//! S4. A link is a session of four one-way streams, one per [`Lane`] and direction, that begin and end
//!     together ([`session`]); the side that dials begins it. Their protocol names contain a version and
//!     the network's identity, so nobody of another network takes them.
//! S5. What fails is tried again after a pause that doubles from a quarter of a second to half a minute,
//!     give or take half; a peer that broke the framing or sent what is no message is refused meanwhile.

mod build;
mod identity;
mod incoming;
mod listen;
mod neighbour;
mod quic;
mod session;
mod task;
mod wire;

use super::{
    Parcel, Transport, TransportError, TransportEvent, TransportKind,
    cap::Bucket,
    counters::{Counters, TransportReport},
    limits,
    link::{Gates, Inbox, Outbox},
    queue::Lane,
    shape::LinkShape,
};
use hamlet_overlay::{hash::Hash, identity::PeerId};
use libp2p::StreamProtocol;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use task::{Command, Task};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::AbortHandle,
    time::Instant,
};
use wire::Silence;

/// Events that may wait for the driver.
const EVENTS: usize = 1024;
/// The memory for frames that wait for the driver, in bytes.
const ROOM_BYTES: usize = 16 << 20;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The protocol names of the two lanes in a network.
pub type Protocols = [StreamProtocol; Lane::ALL.len()];

/// The protocol names of a network: version, network, and what travels on the stream.
pub fn protocol_names(network: Hash) -> Protocols {
    ["live", "repair"].map(|lane| {
        match StreamProtocol::try_from_owned(format!("/hamlet/1/{network}/{lane}")) {
            Ok(name) => name,
            Err(_) => unreachable!("the name begins with a slash"),
        }
    })
}

/// What the transport is started with.
pub struct SwarmConfig {
    /// This peer.
    pub me: PeerId,
    /// Its 32-byte Ed25519 secret.
    pub secret: [u8; 32],
    /// The seed of jitter and of shaping.
    pub seed: [u8; 32],
    /// The protocol names of the network.
    pub protocols: Protocols,
    /// Where to listen, as multiaddresses.
    pub listen: Vec<String>,
    /// Where to find others.
    pub addresses: BTreeMap<PeerId, Vec<String>>,
    /// The most that is uploaded over all links, in bits per second.
    pub upload_bits_per_s: Option<u64>,
    /// Which protocol is tried first.
    pub prefer: TransportKind,
    /// What every link suffers.
    pub shape: LinkShape,
    /// Whether peers may connect for whom the driver did not ask.
    pub visitors: bool,
    /// Where libp2p's events are counted, if anywhere.
    pub metrics: Option<Arc<libp2p::metrics::Metrics>>,
}

/// The transport over libp2p. The swarm itself runs in a task of its own, which ends with this value.
pub struct Swarm {
    links: BTreeMap<PeerId, Link>,
    /// The links to which something was queued since the last flush.
    filled: Vec<PeerId>,
    /// Unbounded, since only the driver sends, a few per neighbour and change of membership.
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::Receiver<TransportEvent>,
    counters: Arc<Counters>,
    connected: Arc<AtomicUsize>,
    cap: Option<Arc<Bucket>>,
    shape: LinkShape,
    listening: Vec<String>,
    silence: Silence,
    task: AbortHandle,
}

struct Link {
    outbox: Arc<Outbox>,
    filled: [bool; Lane::ALL.len()],
}

impl Swarm {
    /// Opens the listeners and starts.
    ///
    /// # Errors
    /// If an address cannot be listened on, or the process may not open enough files.
    pub async fn start(config: SwarmConfig) -> Result<Swarm, TransportError> {
        limits::require_files_for(config.addresses.len().min(256))?;
        let counters = Arc::new(Counters::default());
        let connected = Arc::new(AtomicUsize::new(0));
        let (commands, command_receiver) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::channel(EVENTS);
        let inbox = Inbox {
            events: event_sender,
            room: Arc::new(Semaphore::new(ROOM_BYTES)),
            counters: counters.clone(),
        };
        let (shape, cap) = (
            config.shape,
            config
                .upload_bits_per_s
                .map(|rate| Arc::new(Bucket::new(rate))),
        );
        let silence = Silence::default();
        let (task, listening) =
            Task::start(config, inbox, command_receiver, connected.clone(), &silence).await?;
        Ok(Swarm {
            links: BTreeMap::new(),
            filled: Vec::new(),
            commands,
            events,
            counters,
            connected,
            cap,
            shape,
            listening,
            silence,
            task: tokio::spawn(task.run()).abort_handle(),
        })
    }

    /// Where it listens, as multiaddresses.
    pub fn listening(&self) -> &[String] {
        &self.listening
    }

    fn command(&self, command: Command) {
        // A task that is gone has closed the events too, by which the driver hears of it.
        let _ = self.commands.send(command);
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Transport for Swarm {
    fn learn(&mut self, peer: PeerId, addresses: &[String]) {
        self.command(Command::Learn(peer, addresses.to_vec()));
    }

    fn connect(&mut self, peer: PeerId) {
        if self.links.contains_key(&peer) {
            return;
        }
        let outbox = Arc::new(Outbox::default());
        self.links.insert(
            peer,
            Link {
                outbox: outbox.clone(),
                filled: [false; Lane::ALL.len()],
            },
        );
        let gates = Gates::new(self.cap.clone(), &self.shape);
        self.command(Command::Connect(peer, outbox, gates));
    }

    fn release(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        self.command(Command::Release(peer));
    }

    fn punish(&mut self, peer: PeerId) {
        self.command(Command::Punish(peer));
    }

    fn send(&mut self, to: &[PeerId], parcel: Parcel) {
        let due = Instant::now() + self.shape.delay;
        let lane = Lane::of(parcel.class) as usize;
        for peer in to {
            let Some(link) = self.links.get_mut(peer) else {
                continue;
            };
            if link.filled.iter().all(|filled| !filled) {
                self.filled.push(*peer);
            }
            link.filled[lane] = true;
            link.outbox.push(parcel.clone(), due, &self.counters);
        }
    }

    fn flush(&mut self) {
        for peer in self.filled.drain(..) {
            let Some(link) = self.links.get_mut(&peer) else {
                continue;
            };
            for lane in Lane::ALL {
                if std::mem::take(&mut link.filled[lane as usize]) {
                    link.outbox.notify(lane);
                }
            }
        }
    }

    async fn next(&mut self) -> Option<TransportEvent> {
        self.events.recv().await
    }

    fn try_next(&mut self) -> Option<TransportEvent> {
        self.events.try_recv().ok()
    }

    fn report(&self) -> TransportReport {
        self.counters.report(self.connected.load(Relaxed))
    }

    fn vanish(self) {
        self.silence.fall();
    }

    async fn close(mut self) {
        let (done, closed) = oneshot::channel();
        self.command(Command::Close(done));
        // Whatever still comes must not stand in the way of the farewell.
        let farewell = async { while self.events.recv().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, async {
            tokio::select! {
                _ = closed => {}
                () = farewell => {}
            }
        })
        .await;
    }
}
