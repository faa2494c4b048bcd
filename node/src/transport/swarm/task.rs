//! The task that owns the libp2p swarm: it dials, takes connections, and starts and ends links.

use super::{
    Protocols, SwarmConfig,
    build::{self, Behaviour, BehaviourEvent},
    identity, incoming,
    listen::{kind, listen},
    neighbour::{Dialer, LinkTasks, Neighbour},
    wire::Silence,
};
use crate::transport::{
    TransportError, TransportEvent,
    counters::add,
    link::{self, Gates, Inbox, Outbox, Writer},
    queue::Lane,
};
use futures::StreamExt;
use hamlet_overlay::identity::PeerId;
use libp2p::{
    Multiaddr, Stream, Swarm,
    core::ConnectedPoint,
    swarm::{
        ConnectionId, DialError, ListenError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use libp2p_stream::Control;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::{
    collections::BTreeMap,
    io,
    num::NonZeroU8,
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
/// What links and readers may have to report at once.
const REPORTS: usize = 64;

/// What the driver asks of the task.
pub enum Command {
    Connect(PeerId, Arc<Outbox>, Gates),
    Release(PeerId),
    Punish(PeerId),
    Close(oneshot::Sender<()>),
}

/// What a link has to report.
enum LinkReport {
    Up(PeerId, u64),
    Down(PeerId, u64, io::Error),
}

/// The task.
pub struct Task {
    me: PeerId,
    swarm: Swarm<Behaviour>,
    control: Control,
    protocols: Protocols,
    addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
    neighbours: BTreeMap<PeerId, Neighbour>,
    inbox: Inbox,
    commands: mpsc::UnboundedReceiver<Command>,
    connected: Arc<AtomicUsize>,
    link_sender: mpsc::Sender<LinkReport>,
    links: mpsc::Receiver<LinkReport>,
    offenders: mpsc::Receiver<PeerId>,
    /// The reader of what others send; ends with the task.
    _readers: JoinSet<()>,
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
            parsed.sort_by_key(|address| kind(address) != config.prefer);
            addresses.insert(peer, parsed);
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
        let (offender_sender, offenders) = mpsc::channel(REPORTS);
        let mut readers = JoinSet::new();
        readers.spawn(incoming::read_all(incoming, inbox.clone(), offender_sender));
        let (link_sender, links) = mpsc::channel(REPORTS);
        let task = Task {
            me: config.me,
            swarm,
            control,
            protocols: config.protocols,
            addresses,
            neighbours: BTreeMap::new(),
            inbox,
            commands,
            connected,
            link_sender,
            links,
            offenders,
            _readers: readers,
            random: ChaCha12Rng::from_seed(config.seed),
            generation: 0,
        };
        Ok((task, listening))
    }

    /// Runs until it is told to close, or the driver is gone.
    pub async fn run(mut self) {
        loop {
            let due = self.neighbours.values().filter_map(Neighbour::due).min();
            let alarm = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.swarm_event(event).await,
                command = self.commands.recv() => match command {
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
                Some(report) = self.links.recv() => self.link_report(report).await,
                Some(peer) = self.offenders.recv() => self.punish(peer).await,
                () = alarm => self.attempt(),
            }
        }
    }

    /// Whether it is on us to dial this peer.
    fn dials_first(&self, peer: PeerId) -> bool {
        self.me < peer
    }

    fn connect(&mut self, peer: PeerId, outbox: Arc<Outbox>, gates: Gates) {
        let Some(name) = identity::to_libp2p(peer) else {
            tracing::warn!(%peer, "this key is no Ed25519 key; nobody can have it");
            return;
        };
        let addresses = self.addresses.get(&peer).cloned().unwrap_or_default();
        self.swarm.behaviour_mut().wanted.allow_peer(name);
        let neighbour = Neighbour::new(name, addresses, outbox, gates, self.dials_first(peer));
        self.neighbours.insert(peer, neighbour);
    }

    fn release(&mut self, peer: PeerId) {
        if let Some(mut neighbour) = self.neighbours.remove(&peer) {
            if neighbour.take_down() {
                self.connected.fetch_sub(1, Relaxed);
            }
            self.swarm
                .behaviour_mut()
                .wanted
                .disallow_peer(neighbour.name);
        }
    }

    /// Closes the connection with a peer and refuses it until its next attempt.
    async fn punish(&mut self, peer: PeerId) {
        let first = self.dials_first(peer);
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        if neighbour.punished {
            return;
        }
        add(&self.inbox.counters.punished, 1);
        neighbour.punished = true;
        self.swarm
            .behaviour_mut()
            .wanted
            .disallow_peer(neighbour.name);
        neighbour.failed(first, &mut self.random);
        self.take_down(peer).await;
    }

    /// Does what is due.
    fn attempt(&mut self) {
        let now = Instant::now();
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
                self.swarm.behaviour_mut().wanted.allow_peer(neighbour.name);
            } else if neighbour.is_connected() {
                self.start_link(peer);
            } else {
                self.dial(peer);
            }
        }
    }

    fn dial(&mut self, peer: PeerId) {
        let first = self.dials_first(peer);
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
                neighbour.failed(first, &mut self.random);
            }
        }
    }

    async fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.established(peer_id, connection_id, &endpoint),
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

    fn established(&mut self, name: libp2p::PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let wanted = identity::from_libp2p(&name)
            .and_then(|peer| Some((peer, self.neighbours.get_mut(&peer)?)));
        let Some((peer, neighbour)) = wanted else {
            // Released while the connection was being made.
            self.swarm.close_connection(id);
            return;
        };
        add(&self.inbox.counters.connections_made, 1);
        neighbour.dialing = false;
        let lower = self.me < peer;
        let dialer = match endpoint.is_dialer() == lower {
            true => Dialer::Lower,
            false => Dialer::Higher,
        };
        tracing::debug!(%peer, address = %endpoint.get_remote_address(), "connected");
        let surplus = neighbour.connected(id, dialer, lower);
        // Streams open on any connection; where one is being closed, the link begins once it is gone.
        let ready = neighbour.link.is_none() && surplus.is_empty();
        for id in surplus {
            self.swarm.close_connection(id);
        }
        if ready {
            self.start_link(peer);
        }
    }

    async fn closed(&mut self, peer: PeerId, id: ConnectionId) {
        let first = self.dials_first(peer);
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        neighbour.disconnected(id);
        let left = neighbour.is_connected();
        if !left && !neighbour.punished {
            neighbour.failed(first, &mut self.random);
        }
        // The link's streams may have been on the connection that is gone.
        self.take_down(peer).await;
        if left {
            self.start_link(peer);
        }
    }

    fn dial_failed(&mut self, name: &libp2p::PeerId, error: &DialError) {
        let Some(peer) = identity::from_libp2p(name) else {
            return;
        };
        let first = self.dials_first(peer);
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
            neighbour.failed(first, &mut self.random);
        }
    }

    /// Opens the streams to a connected peer and writes to them.
    fn start_link(&mut self, peer: PeerId) {
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
        let open = open_streams(self.control.clone(), neighbour.name, self.protocols.clone());
        let reports = self.link_sender.clone();
        let task = tokio::spawn(async move {
            let error = match open.await {
                Ok([live, repair]) => {
                    // The swarm's task ends after its links do.
                    let _ = reports.send(LinkReport::Up(peer, generation)).await;
                    let [live_writer, repair_writer] = writers;
                    tokio::select! {
                        error = live_writer.run(live) => error,
                        error = repair_writer.run(repair) => error,
                    }
                }
                Err(error) => error,
            };
            let _ = reports
                .send(LinkReport::Down(peer, generation, error))
                .await;
        });
        neighbour.link = Some(LinkTasks {
            generation,
            up_since: None,
            abort: task.abort_handle(),
        });
    }

    async fn link_report(&mut self, report: LinkReport) {
        let (LinkReport::Up(peer, generation) | LinkReport::Down(peer, generation, _)) = report;
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let Some(link) = neighbour
            .link
            .as_mut()
            .filter(|link| link.generation == generation)
        else {
            // Of a link that was replaced meanwhile.
            return;
        };
        match report {
            LinkReport::Up(..) => {
                link.up_since = Some(Instant::now());
                self.connected.fetch_add(1, Relaxed);
                self.tell(TransportEvent::Connected(peer)).await;
            }
            LinkReport::Down(_, _, error) => {
                tracing::debug!(%peer, %error, "a link broke");
                // The connection is there; nobody needs to leave the other side time to dial.
                neighbour.failed(true, &mut self.random);
                self.take_down(peer).await;
            }
        }
    }

    async fn take_down(&mut self, peer: PeerId) {
        let was_up = self
            .neighbours
            .get_mut(&peer)
            .is_some_and(Neighbour::take_down);
        if was_up {
            self.connected.fetch_sub(1, Relaxed);
            self.tell(TransportEvent::Disconnected(peer)).await;
        }
    }

    async fn tell(&mut self, event: TransportEvent) {
        // A driver that is gone has dropped the commands too, by which the task ends.
        let _ = self.inbox.events.send(event).await;
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

/// Opens a stream per lane, and waits until the other side reads them.
async fn open_streams(
    mut control: Control,
    name: libp2p::PeerId,
    protocols: Protocols,
) -> io::Result<[Stream; Lane::ALL.len()]> {
    let [live, repair] = protocols;
    let mut opened = Vec::with_capacity(Lane::ALL.len());
    for protocol in [live, repair] {
        let mut stream = control
            .open_stream(name, protocol)
            .await
            .map_err(io::Error::other)?;
        link::await_reader(&mut stream).await?;
        opened.push(stream);
    }
    opened
        .try_into()
        .map_err(|_| io::Error::other("a stream per lane was opened"))
}
