//! The task that owns the libp2p swarm: what the driver asks for, and what is due.

mod connections;
mod sessions;

use super::{
    Protocols, SwarmConfig,
    build::{self, Behaviour},
    identity,
    incoming::{self, Opened},
    listen::{kind, listen},
    neighbour::Neighbour,
    wire::Silence,
};
use crate::transport::{
    TransportError, TransportKind,
    counters::add,
    link::{Gates, Inbox, Outbox},
    queue::Lane,
};
use futures::StreamExt;
use hamlet_overlay::identity::PeerId;
use libp2p::{Multiaddr, Swarm, metrics::Metrics, swarm::ConnectionId};
use libp2p_stream::Control;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use sessions::Report;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

/// How long what is urgent may take to leave before a farewell.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(300);
/// What sessions and streams that are opened may have to report at once.
const REPORTS: usize = 64;

/// Who came without being asked for.
struct Visit {
    connection: ConnectionId,
    /// Whether we dialled it, before it was released.
    dialed: bool,
    until: Instant,
}

/// What the driver asks of the task.
pub enum Command {
    Learn(PeerId, Vec<String>),
    Connect(PeerId, Arc<Outbox>, Gates),
    Release(PeerId),
    Punish(PeerId),
    Close(oneshot::Sender<()>),
}

/// The task.
pub struct Task {
    me: PeerId,
    swarm: Swarm<Behaviour>,
    control: Control,
    protocols: Protocols,
    addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
    /// Whose addresses did not come with the configuration; they are forgotten when the peer is released.
    learned: BTreeSet<PeerId>,
    prefer: TransportKind,
    neighbours: BTreeMap<PeerId, Neighbour>,
    /// Whether visitors may come.
    open: bool,
    /// Who came and nobody asked for yet.
    visitors: BTreeMap<PeerId, Visit>,
    inbox: Inbox,
    commands: mpsc::UnboundedReceiver<Command>,
    connected: Arc<AtomicUsize>,
    report_sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    opened: mpsc::Receiver<Opened>,
    /// Takes the streams that others open; ends with the task.
    _taker: JoinSet<()>,
    metrics: Option<Arc<Metrics>>,
    random: ChaCha12Rng,
    generation: u64,
}

impl Task {
    /// Opens the listeners; where they listen comes with the task.
    pub async fn start(
        config: SwarmConfig,
        inbox: Inbox,
        commands: mpsc::UnboundedReceiver<Command>,
        connected: Arc<AtomicUsize>,
        silence: &Silence,
    ) -> Result<(Task, Vec<String>), TransportError> {
        let mut swarm = build::build(&config, &inbox.counters, silence)?;
        let mut addresses = BTreeMap::new();
        for (&peer, texts) in &config.addresses {
            let mut parsed: Vec<Multiaddr> = Vec::with_capacity(texts.len());
            for text in texts {
                parsed.push(build::parse(text)?);
            }
            addresses.insert(peer, preferred(parsed, config.prefer));
        }
        let listening = listen(&mut swarm, &config.listen).await?;
        let control = swarm.behaviour().streams.new_control();
        let accept = |lane: Lane| {
            control
                .clone()
                .accept(config.protocols[lane as usize].clone())
                .map_err(|_| io::Error::other("two lanes under one protocol name"))
        };
        let incoming = [accept(Lane::Live)?, accept(Lane::Repair)?];
        let (opened_sender, opened) = mpsc::channel(REPORTS);
        let mut taker = JoinSet::new();
        taker.spawn(incoming::take_all(incoming, opened_sender));
        let (report_sender, reports) = mpsc::channel(REPORTS);
        let task = Task {
            me: config.me,
            swarm,
            control,
            protocols: config.protocols,
            addresses,
            learned: BTreeSet::new(),
            prefer: config.prefer,
            neighbours: BTreeMap::new(),
            open: config.visitors,
            visitors: BTreeMap::new(),
            inbox,
            commands,
            connected,
            report_sender,
            reports,
            opened,
            _taker: taker,
            metrics: config.metrics,
            random: ChaCha12Rng::from_seed(config.seed),
            generation: 0,
        };
        Ok((task, listening))
    }

    /// Runs until it is told to close, or the driver is gone.
    pub async fn run(mut self) {
        loop {
            let due = self.neighbours.values().filter_map(Neighbour::due);
            let due = due
                .chain(self.visitors.values().map(|visit| visit.until))
                .min();
            let alarm = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.swarm_event(event).await,
                command = self.commands.recv() => match command {
                    Some(Command::Learn(peer, addresses)) => self.learn(peer, &addresses),
                    Some(Command::Connect(peer, outbox, gates)) => self.connect(peer, outbox, gates),
                    Some(Command::Release(peer)) => self.release(peer),
                    Some(Command::Punish(peer)) => self.punish(peer).await,
                    Some(Command::Close(done)) => {
                        self.close().await;
                        // Whoever asked may have lost patience.
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                Some(opened) = self.opened.recv() => self.opened(opened).await,
                Some(report) = self.reports.recv() => self.session_report(report).await,
                () = alarm => self.attempt(),
            }
        }
    }

    /// A peer can be reached at these addresses; those that are none are left out.
    fn learn(&mut self, peer: PeerId, addresses: &[String]) {
        let parsed = addresses.iter().filter_map(|text| build::parse(text).ok());
        let addresses = preferred(parsed.collect(), self.prefer);
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.addresses.clone_from(&addresses);
        }
        self.addresses.insert(peer, addresses);
        self.learned.insert(peer);
    }

    fn connect(&mut self, peer: PeerId, outbox: Arc<Outbox>, gates: Gates) {
        let Some(name) = identity::to_libp2p(peer) else {
            tracing::warn!(%peer, "this key is no Ed25519 key; nobody can have it");
            return;
        };
        let addresses = self.addresses.get(&peer).cloned().unwrap_or_default();
        self.swarm.behaviour_mut().allow(name);
        let neighbour = Neighbour::new(name, addresses, outbox, gates, self.me < peer);
        self.neighbours.insert(peer, neighbour);
        if let Some(visit) = self.visitors.remove(&peer) {
            self.take_up(peer, visit.connection, visit.dialed);
        }
    }

    fn release(&mut self, peer: PeerId) {
        if self.learned.remove(&peer) {
            self.addresses.remove(&peer);
        }
        if let Some(mut neighbour) = self.neighbours.remove(&peer) {
            if neighbour.take_down() {
                self.connected.fetch_sub(1, Relaxed);
            }
            self.refuse(neighbour.name);
        }
    }

    /// Takes no connection with a peer any more.
    fn refuse(&mut self, name: libp2p::PeerId) {
        self.swarm.behaviour_mut().disallow(name);
        // Where visitors may come nobody else does it; it may have gone by itself.
        let _ = self.swarm.disconnect_peer_id(name);
    }

    /// Closes the connection with a peer and refuses it until its next attempt.
    async fn punish(&mut self, peer: PeerId) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        if neighbour.punished {
            return;
        }
        add(&self.inbox.counters.punished, 1);
        neighbour.punished = true;
        let name = neighbour.name;
        neighbour.failed(&mut self.random);
        self.refuse(name);
        self.take_down(peer).await;
    }

    /// Does what is due.
    fn attempt(&mut self) {
        let now = Instant::now();
        let over = self.visitors.extract_if(.., |_, visit| visit.until <= now);
        for (_, visit) in over {
            self.swarm.close_connection(visit.connection);
        }
        let due: Vec<PeerId> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.due().is_some_and(|due| due <= now))
            .map(|(&peer, _)| peer)
            .collect();
        for peer in due {
            let Some(neighbour) = self.neighbours.get_mut(&peer) else {
                continue;
            };
            if neighbour.punished {
                neighbour.punished = false;
                self.swarm.behaviour_mut().allow(neighbour.name);
            } else if neighbour.is_connected() {
                self.lead(peer);
            } else {
                self.dial(peer);
            }
        }
    }

    /// Lets what is urgent leave, then closes all connections in an orderly way.
    async fn close(&mut self) {
        let until = Instant::now() + DRAIN_TIMEOUT;
        while Instant::now() < until && !self.neighbours.values().all(|n| n.outbox.is_empty()) {
            // The swarm's own housekeeping goes on meanwhile.
            let _ = timeout(Duration::from_millis(10), self.swarm.select_next_some()).await;
        }
        let names: Vec<libp2p::PeerId> = self.swarm.connected_peers().copied().collect();
        for name in names {
            // It may have gone by itself.
            let _ = self.swarm.disconnect_peer_id(name);
        }
        let until = Instant::now() + DRAIN_TIMEOUT;
        while self.swarm.connected_peers().next().is_some() && Instant::now() < until {
            let _ = timeout(Duration::from_millis(10), self.swarm.select_next_some()).await;
        }
    }
}

/// Addresses, those of the preferred protocol first.
fn preferred(mut addresses: Vec<Multiaddr>, prefer: TransportKind) -> Vec<Multiaddr> {
    addresses.sort_by_key(|address| kind(address) != prefer);
    addresses
}
