//! Runs a demonstration from beginning to end.

use super::{
    Options, Summary, audience,
    cast::Order,
    door,
    founding::{self, Founding},
    process,
    stage::{Player, Role, Stage, failed, shuffle},
    summary::{Account, Course},
};
use crate::{
    config::Rate,
    control::{self, Token},
    driver::PublishError,
    failure::{Failure, Kind},
    ingest::{self, Format, Input, source},
    transport::limits,
};
use hamlet_overlay::{
    io::{Cut, PublishError as Refused},
    view::View,
};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use std::{
    pin::pin,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{interval, sleep_until},
};

/// How long the last segments may take to arrive.
const GRACE: Duration = Duration::from_secs(5);
/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(10);
/// What people want done and was not done yet.
const ORDERS: usize = 16;
/// Segments that may wait for the source.
const CUTS: usize = 8;

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
    let input = open(options).await?;
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
    let http = TcpListener::bind(options.http).await.map_err(|error| {
        Failure::new(
            Kind::InUse,
            format!(
                "cannot serve players on {}: {error}; choose another --http address",
                options.http
            ),
        )
    })?;
    let base = format!("http://{}", http.local_addr().map_err(failed)?);
    let folders = root.path().to_owned();
    let mut stage = Stage::start(options, network, founders, base, folders, &mut random).await?;
    let (orders, mut ordered) = mpsc::channel(ORDERS);
    let token = Token::generate()?;
    let server = control::Server::open(http, Some(token.clone()), |_, token| {
        door::routes(stage.cast.clone(), stage.front(), orders, token)
    })
    .map_err(failed)?;
    let mut stop = pin!(stop);
    let begun = tokio::select! {
        connected = stage.connect() => { connected?; true }
        () = &mut stop => false,
    };
    let summary = if begun {
        announce(&stage.lines(options, &server, &token));
        stage
            .stream(options, input, &mut ordered, &mut stop, &mut random)
            .await
    } else {
        stage.summary(Duration::ZERO, None).await
    };
    // Whoever still wants something done is told that it is over.
    drop(ordered);
    stage.stop().await;
    server.stop().await;
    summary
}

async fn open(options: &Options) -> Result<(Input, Format), Failure> {
    match &options.input {
        None => Ok((source::clip(), Format::Ts)),
        Some(path) => Ok(source::open(path, &options.ffmpeg).await?),
    }
}

impl Stage {
    /// Streams until the end.
    async fn stream(
        &mut self,
        options: &Options,
        (input, format): (Input, Format),
        orders: &mut mpsc::Receiver<Order>,
        stop: &mut std::pin::Pin<&mut impl Future<Output = ()>>,
        random: &mut ChaCha12Rng,
    ) -> Result<Summary, Failure> {
        let allowed = Rate {
            bits_per_s: self.network.genesis().publishers[0].max_bits_per_s,
        };
        let ingest_options =
            ingest::Options::new(format, options.rate, self.network.parameters(), allowed);
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
        self.let_come_and_go(options, random);
        loop {
            let kill_at = kills.last().map_or(end, |kill| kill.0);
            let crowd_at = self.crowd.due();
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
                () = sleep_until(crowd_at.unwrap_or(end).into()), if crowd_at.is_some() => {
                    self.come_and_go(options, random).await?;
                }
                Some(order) = orders.recv() => self.obey(order).await?,
                Some(Ok(returned)) = self.returning.join_next() => self.seat_again(returned).await?,
                _ = tick.tick() => {
                    self.audience.settle(self.clock.now());
                    if told.elapsed() >= PROGRESS {
                        told = Instant::now();
                        tracing::info!(
                            segments = self.segments,
                            seconds = begin.elapsed().as_secs(),
                            on_time_ratio = self.audience.on_time_so_far(),
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
        for &place in &living {
            self.kill_one(place).await?;
        }
        tracing::info!(peers = living.len(), "killed");
        Ok(())
    }

    pub(super) async fn account(&self, peer: &Player) -> Result<Account, Failure> {
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
        let mut honest = std::mem::take(&mut self.past);
        let mut connections = Vec::new();
        for peer in &self.peers {
            if matches!(peer.role, Role::Source | Role::Receiver(_)) {
                let account = self.account(peer).await?;
                connections.push(account.status.transport.connections);
                honest.push(account);
            }
        }
        let course = Course {
            streamed,
            peers: self.started,
            killed: self.killed,
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
}
