//! The peers of a demonstration, from their start to their end.

use super::{
    Options,
    audience::{self, Audience},
    cast::{Cast, State},
    crowd::Crowd,
    founding::Home,
    summary::Account,
};
use crate::{
    control::{self, Token, roll::PeerNumber},
    data::{Lock, Reservation},
    driver::{self, Clock, DriverConfig, Fault, PeerHandle, StartError},
    failure::{Failure, Kind},
    transport::shape::LinkShape,
    uri::StreamUri,
};
use hamlet_overlay::{genesis::Network, io::Segment};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot,
    },
    task::JoinSet,
    time::sleep,
};

/// The stream of the demonstration.
pub const STREAM: u16 = 0;
/// How long peers may take to connect before the stream begins.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// What receivers saw and nobody counted yet.
const SEEN: usize = 4096;

/// A failure for which nobody but the system is to blame.
pub fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("the demonstration cannot run: {error}"),
    )
}

/// A peer of the demonstration.
pub struct Player {
    /// Its handle.
    pub handle: PeerHandle,
    /// What it does.
    pub role: Role,
    /// What it was started with, for starting it again.
    pub config: DriverConfig,
    /// Holds its data folder.
    _lock: Lock,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It publishes.
    Source,
    /// The receiver with this number in the audience.
    Receiver(usize),
    /// It takes and never gives.
    Silent,
    /// It plays by the rules again after a person made it silent or killed it; it is measured no more.
    Returned,
    /// It was killed.
    Dead,
    /// It was killed and is starting again.
    Returning,
}

/// The running peers and what is known of them.
pub struct Stage {
    /// The network.
    pub network: Arc<Network>,
    /// The clock of all peers.
    pub clock: Clock,
    /// The peers; the first is the source.
    pub peers: Vec<Player>,
    /// What they received.
    pub audience: Audience,
    /// What they saw and nobody counted yet.
    pub seen: mpsc::Receiver<(usize, audience::Seen)>,
    /// The tasks that tell it.
    pub watchers: JoinSet<()>,
    /// The numbers of the source's segments.
    pub numbers: Reservation,
    /// Segments published.
    pub segments: u64,
    /// Their bytes.
    pub stream_bytes: u64,
    /// Honest peers that were killed or silenced, as they were then.
    pub past: Vec<Account>,
    /// What onlookers see.
    pub cast: Arc<Cast>,
    /// Peers that are brought back, once they run.
    pub returning: JoinSet<Returned>,
    /// Who comes and goes by itself.
    pub crowd: Crowd,
    /// Peers that were started and that were killed.
    pub started: usize,
    pub killed: usize,
    seen_sender: mpsc::Sender<(usize, audience::Seen)>,
}

/// A peer that was to be brought back.
pub struct Returned {
    /// Its place among the peers.
    pub place: usize,
    /// Its handle, if it runs.
    pub started: Result<PeerHandle, StartError>,
    /// Whom to tell.
    pub answer: oneshot::Sender<Result<(), String>>,
}

impl Stage {
    /// Starts all peers.
    pub async fn start(
        options: &Options,
        network: Arc<Network>,
        founders: Vec<Home>,
        base: String,
        root: PathBuf,
        random: &mut ChaCha12Rng,
    ) -> Result<Stage, Failure> {
        let count = founders.len();
        let silent = (options.silent * count as f64).round() as usize;
        let killed: usize = options.kill.iter().map(|kill| kill.peers).sum();
        // The source and the peer that serves players stay.
        if silent + killed > count.saturating_sub(2) {
            let (asked, there) = (silent + killed, count.saturating_sub(2));
            let text = format!(
                "{asked} peers are to keep silent or be killed, and {there} can: a source and a player must stay; choose fewer, or more --peers"
            );
            return Err(Failure::new(Kind::Configuration, text));
        }
        let mut others: Vec<usize> = (1..count).collect();
        shuffle(&mut others, random);
        let silent: Vec<usize> = others[..silent].to_vec();
        let clock = Clock::start();
        let cast = Arc::new(Cast::new(network.clone(), clock, base));
        let (seen_sender, seen) = mpsc::channel(SEEN);
        let mut homes = founders.into_iter();
        let source = homes.next().ok_or_else(|| failed("there is no source"))?;
        let source_config = config(&network, clock, options, &source, random);
        let mut stage = Stage {
            network,
            clock,
            peers: Vec::with_capacity(count),
            audience: Audience::new(count - 1 - silent.len()),
            seen,
            watchers: JoinSet::new(),
            numbers: source.numbers,
            segments: 0,
            stream_bytes: 0,
            past: Vec::new(),
            cast,
            returning: JoinSet::new(),
            crowd: Crowd::new(root),
            started: 0,
            killed: 0,
            seen_sender,
        };
        let place = (source.lock, source_config);
        stage.enter(place, Role::Source).await?;
        let mut receivers = 0..;
        for (place, home) in (1..).zip(homes) {
            let config = config(&stage.network, clock, options, &home, random);
            let role = match silent.contains(&place) {
                true => Role::Silent,
                false => Role::Receiver(receivers.next().unwrap_or_default()),
            };
            stage.enter((home.lock, config), role).await?;
        }
        Ok(stage)
    }

    /// Starts a peer.
    pub(super) async fn enter(
        &mut self,
        (lock, mut config): (Lock, DriverConfig),
        role: Role,
    ) -> Result<(), Failure> {
        config.fault = (role == Role::Silent).then_some(Fault::Silent);
        let handle = driver::start(config.clone()).await?;
        match role {
            Role::Source => {}
            Role::Receiver(number) => {
                self.watchers.spawn(audience::watch(
                    number,
                    handle.events(),
                    handle.subscribe(STREAM).await?,
                    self.seen_sender.clone(),
                ));
            }
            _ => drop((self.watchers).spawn(take_and_forget(handle.subscribe(STREAM).await?))),
        }
        let state = match role {
            Role::Source => State::Source,
            Role::Silent => State::Silent,
            _ => State::Honest,
        };
        self.cast.seat(&handle, state);
        self.started += 1;
        self.peers.push(Player {
            handle,
            role,
            config,
            _lock: lock,
        });
        Ok(())
    }

    /// The peer that answers where none is named: the first receiver, so that what is seen came over the
    /// network.
    pub fn front(&self) -> PeerNumber {
        let front = self
            .peers
            .iter()
            .find(|peer| peer.role == Role::Receiver(0));
        front.map_or(0, |peer| self.cast.number(peer.handle.id()))
    }

    /// Waits until every peer has all its links.
    pub async fn connect(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let mut told = start;
        for peer in &self.peers {
            loop {
                let report = peer.handle.status().await?.report;
                if report.links_connected >= report.links_wanted {
                    break;
                }
                if start.elapsed() > CONNECT_TIMEOUT {
                    tracing::warn!(
                        peer = %peer.handle.id(),
                        connected = report.links_connected,
                        wanted = report.links_wanted,
                        "not all links are up; the stream begins without them"
                    );
                    return Ok(());
                }
                if told.elapsed() > Duration::from_secs(2) {
                    told = Instant::now();
                    tracing::info!("waiting for all peers to connect");
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// The lines that say what runs and where to look.
    pub fn lines(&self, options: &Options, server: &control::Server, token: &Token) -> String {
        let parameters = self.network.parameters();
        let stream = StreamUri {
            network: self.network.id(),
            stream: self.peers[0].handle.id(),
        };
        let stop = match options.seconds {
            Some(seconds) => format!("ends by itself after {seconds} s; Ctrl-C ends it sooner"),
            None => "press Ctrl-C".to_owned(),
        };
        format!(
            "network  {} with {} peers in {} clusters, h = {}, k = {} of n = {}\n\
             stream   {stream}\n\
             player   {}\n\
             page     http://{}/#{}\n\
             stop     {stop}",
            self.network.id(),
            self.peers.len(),
            self.network.clusters().len(),
            parameters.h,
            parameters.k,
            parameters.n,
            server.player(&stream),
            server.address(),
            token.fragment(),
        )
    }

    /// Stops all peers, and gives their data folders back.
    pub async fn stop(mut self) {
        let mut stopping = JoinSet::new();
        for peer in self.peers.drain(..) {
            stopping.spawn(async move {
                peer.handle.shutdown().await;
                drop(peer);
            });
        }
        while stopping.join_next().await.is_some() {}
        self.watchers.abort_all();
    }
}

/// What a peer is started with.
pub fn config(
    network: &Arc<Network>,
    clock: Clock,
    options: &Options,
    home: &Home,
    random: &mut ChaCha12Rng,
) -> DriverConfig {
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let mut config = DriverConfig::new(network.clone(), home.key.secret(), seed);
    config.clock = clock;
    config.prefer = options.transport;
    config.publish_from = home.numbers.next();
    config.shape = LinkShape {
        delay: options.link_delay.unwrap_or_default(),
        loss: options.link_loss,
        bits_per_s: options.link_rate.map(|rate| rate.bits_per_s),
    };
    // Where nobody comes or goes, there is nothing to agree on.
    config.journal = options.moves().then(|| home.journal.clone());
    config
}

/// Receives like everybody else, and throws away.
pub async fn take_and_forget(mut segments: broadcast::Receiver<Arc<Segment>>) {
    while !matches!(segments.recv().await, Err(RecvError::Closed)) {}
}

/// Fisher–Yates.
pub fn shuffle(items: &mut [usize], random: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        // The bias of a remainder is below one in 2^50 for so few items.
        items.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
}
