//! Runs a demonstration from beginning to end.

use super::{
    Options, Summary,
    audience::{self, Audience},
    founding::{self, Founding, Home},
    process,
    summary::{Account, Course},
};
use crate::{
    config::Rate,
    control,
    data::Reservation,
    driver::{self, Clock, DriverConfig, Fault, PeerHandle, PublishError},
    failure::{Failure, Kind},
    ingest::{self, Format, Input, source},
    service::Service,
    transport::{limits, shape::LinkShape},
    uri::StreamUri,
};
use hamlet_overlay::{
    genesis::Network,
    io::{Cut, PublishError as Refused},
    view::View,
};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::{
    path::Path,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};

/// The stream of the demonstration.
const STREAM: u16 = 0;
/// How long peers may take to connect before the stream begins.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last segments may take to arrive.
const GRACE: Duration = Duration::from_secs(5);
/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(10);
/// Segments that may wait for the source.
const CUTS: usize = 8;
/// What receivers saw and nobody counted yet.
const SEEN: usize = 4096;

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("the demonstration cannot run: {error}"),
    )
}

/// A peer of the demonstration.
struct Player {
    handle: PeerHandle,
    role: Role,
    home: Option<Home>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Source,
    /// The receiver with this number in the audience.
    Receiver(usize),
    Silent,
}

/// Runs a demonstration until its time is over, its input ends or `stop` is ready. `announce` is given the
/// five lines that say what runs and where to look.
///
/// # Errors
/// If something that it needs cannot be had; what peers do to each other is no error but a figure.
pub async fn run(
    options: &Options,
    stop: impl Future<Output = ()>,
    announce: impl FnOnce(&str),
) -> Result<Summary, Failure> {
    let input = open(options.input.as_deref()).await?;
    let mut random = ChaCha12Rng::seed_from_u64(options.seed);
    let root = tempfile::Builder::new()
        .prefix("hamlet-demo-")
        .tempdir()
        .map_err(failed)?;
    let Founding { network, founders } = founding::found(options, root.path(), &mut random)?;
    let links = network
        .genesis()
        .founders
        .iter()
        .filter_map(|founder| View::founding(&network, founder.id).map(|v| v.links(founder.id)))
        .map(|links| links.len())
        .sum();
    limits::require_files_for(links)?;
    let mut stage = Stage::start(options, network, founders, &mut random).await?;
    let http = TcpListener::bind(options.http).await.map_err(|error| {
        Failure::new(
            Kind::InUse,
            format!(
                "cannot serve players on {}: {error}; choose another --http address",
                options.http
            ),
        )
    })?;
    let service = stage.service()?;
    let server = control::serve(http, service.clone(), None).map_err(failed)?;
    let mut stop = pin!(stop);
    let begun = tokio::select! {
        connected = stage.connect() => { connected?; true }
        () = &mut stop => false,
    };
    let summary = if begun {
        announce(&stage.lines(options, &server));
        stage.stream(options, input, &mut stop, &mut random).await
    } else {
        stage.summary(Duration::ZERO, None).await
    };
    service.stop().await;
    server.stop().await;
    stage.stop().await;
    summary
}

async fn open(input: Option<&Path>) -> Result<Input, Failure> {
    match input {
        None => Ok(source::clip()),
        Some(path) if path == Path::new("-") => Ok(source::stdin()),
        Some(path) => source::file(path).await.map_err(|error| {
            let text = format!(
                "{}: {error}; name a file, or - for standard input",
                path.display()
            );
            Failure::new(Kind::Input, text)
        }),
    }
}

/// The running peers and what is known of them.
struct Stage {
    network: Arc<Network>,
    clock: Clock,
    peers: Vec<Player>,
    audience: Audience,
    seen: mpsc::Receiver<(usize, audience::Seen)>,
    watchers: JoinSet<()>,
    numbers: Reservation,
    segments: u64,
    stream_bytes: u64,
    /// Honest peers that were killed, as they were then.
    dead: Vec<Account>,
}

impl Stage {
    async fn start(
        options: &Options,
        network: Arc<Network>,
        founders: Vec<Home>,
        random: &mut ChaCha12Rng,
    ) -> Result<Stage, Failure> {
        let count = founders.len();
        let silent = (options.silent * count as f64).round() as usize;
        let killed: usize = options.kill.iter().map(|kill| kill.peers).sum();
        // The source and the peer that serves players stay.
        if silent + killed > count - 2 {
            let (asked, there) = (silent + killed, count - 2);
            let text = format!(
                "{asked} peers are to keep silent or be killed, and {there} can: a source and a player must stay; choose fewer, or more --peers"
            );
            return Err(Failure::new(Kind::Configuration, text));
        }
        let mut others: Vec<usize> = (1..count).collect();
        shuffle(&mut others, random);
        let silent: Vec<usize> = others[..silent].to_vec();
        let clock = Clock::start();
        let (seen_sender, seen) = mpsc::channel(SEEN);
        let mut watchers = JoinSet::new();
        let mut peers = Vec::with_capacity(count);
        let mut receivers = 0;
        let mut numbers = None;
        for (place, home) in founders.into_iter().enumerate() {
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
            let role = match place {
                0 => Role::Source,
                place if silent.contains(&place) => Role::Silent,
                _ => {
                    receivers += 1;
                    Role::Receiver(receivers - 1)
                }
            };
            config.fault = (role == Role::Silent).then_some(Fault::Silent);
            let handle = driver::start(config).await?;
            let home = match role {
                Role::Source => {
                    numbers = Some(home.numbers);
                    None
                }
                Role::Receiver(number) => {
                    watchers.spawn(audience::watch(
                        number,
                        handle.events(),
                        handle.subscribe(STREAM).await?,
                        seen_sender.clone(),
                    ));
                    Some(home)
                }
                Role::Silent => {
                    // It takes like everybody else, and throws away.
                    let mut segments = handle.subscribe(STREAM).await?;
                    watchers.spawn(async move {
                        while !matches!(
                            segments.recv().await,
                            Err(tokio::sync::broadcast::error::RecvError::Closed)
                        ) {}
                    });
                    Some(home)
                }
            };
            peers.push(Player { handle, role, home });
        }
        Ok(Stage {
            network,
            clock,
            peers,
            audience: Audience::new(receivers),
            seen,
            watchers,
            numbers: numbers.ok_or_else(|| failed("there is no source"))?,
            segments: 0,
            stream_bytes: 0,
            dead: Vec::new(),
        })
    }

    /// The peer that serves players: the first receiver, so that what is seen came over the network.
    fn service(&mut self) -> Result<Arc<Service>, Failure> {
        let player = self
            .peers
            .iter_mut()
            .find(|peer| peer.role == Role::Receiver(0));
        let Some((handle, home)) = player.and_then(|p| Some((p.handle.clone(), p.home.take()?)))
        else {
            return Err(failed("there is no receiver"));
        };
        Ok(Arc::new(Service::new(
            self.network.clone(),
            handle,
            home.numbers,
        )))
    }

    /// Waits until every peer has all its links.
    async fn connect(&self) -> Result<(), Failure> {
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

    fn lines(&self, options: &Options, server: &control::Server) -> String {
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
             status   http://{}/status.json\n\
             stop     {stop}",
            self.network.id(),
            self.peers.len(),
            self.network.clusters().len(),
            parameters.h,
            parameters.k,
            parameters.n,
            server.player(&stream),
            server.address(),
        )
    }

    /// Streams until the end.
    async fn stream(
        &mut self,
        options: &Options,
        input: Input,
        stop: &mut std::pin::Pin<&mut impl Future<Output = ()>>,
        random: &mut ChaCha12Rng,
    ) -> Result<Summary, Failure> {
        let allowed = Rate {
            bits_per_s: self.network.genesis().publishers[0].max_bits_per_s,
        };
        let ingest_options =
            ingest::Options::new(Format::Ts, options.rate, self.network.parameters(), allowed);
        let (cut_sender, mut cuts) = mpsc::channel(CUTS);
        let mut reading = tokio::spawn(ingest::run(input, ingest_options, cut_sender));
        let cpu = process::cpu_time();
        let begin = Instant::now();
        let end = begin + Duration::from_secs_f64(options.seconds.unwrap_or(86_400.0 * 365.0));
        let mut kills: Vec<(Instant, usize)> = options
            .kill
            .iter()
            .map(|kill| (begin + kill.at, kill.peers))
            .collect();
        kills.sort_by_key(|kill| std::cmp::Reverse(kill.0));
        let mut tick = interval(Duration::from_secs(1));
        let mut told = begin;
        let mut broken = None;
        loop {
            let kill_at = kills.last().map_or(end, |kill| kill.0);
            tokio::select! {
                biased;
                () = &mut *stop => break,
                () = sleep_until(end.into()) => break,
                Some((receiver, seen)) = self.seen.recv() => self.audience.saw(receiver, seen),
                cut = cuts.recv() => match cut {
                    Some(cut) => self.publish(cut).await?,
                    None => {
                        // The input has ended, well or not.
                        broken = match (&mut reading).await {
                            Ok(Ok(_)) => None,
                            Ok(Err(error)) => Some(Failure::from(error)),
                            Err(error) => Some(failed(error)),
                        };
                        break;
                    }
                },
                () = sleep_until(kill_at.into()), if !kills.is_empty() => {
                    let (_, peers) = kills.pop().unwrap_or((end, 0));
                    self.kill(peers, random).await?;
                }
                _ = tick.tick() => {
                    self.audience.settle(self.clock.now());
                    if told.elapsed() >= PROGRESS {
                        told = Instant::now();
                        tracing::info!(
                            segments = self.segments,
                            seconds = begin.elapsed().as_secs(),
                            on_time_ratio = self.audience.on_time_ratio(),
                            "streaming"
                        );
                    }
                }
            }
        }
        if let Some(error) = broken {
            return Err(error);
        }
        cuts.close();
        reading.abort();
        let streamed = begin.elapsed();
        self.wait_for_the_last().await;
        let cpu = cpu.and_then(|before| Some(process::cpu_time()?.saturating_sub(before)));
        self.summary(streamed, cpu).await
    }

    async fn publish(&mut self, cut: Cut) -> Result<(), Failure> {
        // The cut has waited for its turn: its time is the source's, not ours.
        let age = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH + Duration::from_millis(cut.cut_unix_ms))
            .unwrap_or_default();
        let at = self.clock.now() - age;
        let hash = audience::hash([cut.payload.as_ref()]);
        let bytes = cut.payload.len() as u64;
        self.numbers.take()?;
        match self.peers[0].handle.publish(cut).await {
            Ok(segment) => {
                self.audience.published(segment, at, hash);
                self.segments += 1;
                self.stream_bytes += bytes;
            }
            Err(PublishError::Refused(why @ Refused::OverRate { .. })) => {
                tracing::warn!("{why}; encode at a lower rate, or choose --rate");
            }
            Err(PublishError::Refused(why)) => {
                return Err(failed(why));
            }
            Err(PublishError::Stopped(stopped)) => return Err(stopped.into()),
        }
        Ok(())
    }

    /// Kills so many receivers, but not the one that serves players.
    async fn kill(&mut self, count: usize, random: &mut ChaCha12Rng) -> Result<(), Failure> {
        let mut living: Vec<usize> = (0..self.peers.len())
            .filter(|&place| matches!(self.peers[place].role, Role::Receiver(number) if number > 0))
            .collect();
        shuffle(&mut living, random);
        living.truncate(count);
        living.sort_unstable();
        for &place in living.iter().rev() {
            let peer = self.peers.remove(place);
            let account = self.account(&peer).await?;
            peer.handle.kill().await;
            if let Role::Receiver(number) = peer.role {
                self.audience.died(number, self.clock.now());
            }
            self.dead.push(account);
        }
        tracing::info!(peers = living.len(), "killed");
        Ok(())
    }

    async fn account(&self, peer: &Player) -> Result<Account, Failure> {
        Ok(Account {
            source: peer.role == Role::Source,
            status: peer.handle.status().await?,
            stream_bytes: self.stream_bytes,
        })
    }

    /// Waits until what was published last has arrived, or will not any more.
    async fn wait_for_the_last(&mut self) {
        let until = tokio::time::Instant::now() + GRACE;
        while !self.audience.is_complete() {
            tokio::select! {
                Some((receiver, seen)) = self.seen.recv() => self.audience.saw(receiver, seen),
                () = sleep_until(until) => break,
            }
        }
        // Restored and handed out come by different ways; take what is there.
        while let Ok((receiver, seen)) = self.seen.try_recv() {
            self.audience.saw(receiver, seen);
        }
    }

    async fn summary(
        &mut self,
        streamed: Duration,
        cpu: Option<Duration>,
    ) -> Result<Summary, Failure> {
        self.audience.settle_all();
        let mut honest = std::mem::take(&mut self.dead);
        let mut connections = Vec::new();
        for peer in &self.peers {
            if peer.role != Role::Silent {
                let account = self.account(peer).await?;
                connections.push(account.status.transport.connections);
                honest.push(account);
            }
        }
        let course = Course {
            streamed,
            segments: self.segments,
            stream_bytes: self.stream_bytes,
            cpu,
            connections_per_peer: connections.iter().sum::<usize>() as f64
                / connections.len().max(1) as f64,
        };
        Ok(Summary::new(
            &self.network,
            &course,
            &self.audience,
            &honest,
        ))
    }

    /// Stops all peers, and gives their data folders back.
    async fn stop(mut self) {
        let mut stopping = JoinSet::new();
        for peer in self.peers.drain(..) {
            stopping.spawn(async move {
                peer.handle.shutdown().await;
                drop(peer.home);
            });
        }
        while stopping.join_next().await.is_some() {}
        self.watchers.abort_all();
    }
}

/// Fisher–Yates.
fn shuffle(items: &mut [usize], random: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        // The bias of a remainder is below one in 2^50 for so few items.
        items.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
}
