//! A running node: the peer of a data folder, what publishes and plays its streams, and its door.

use crate::{
    config::Settings,
    control::{self, Access, Server, metrics::Metrics, roll::Roll},
    data::{Folder, Invitation, Lock, Reservation},
    driver::{self, DriverConfig, PeerHandle},
    failure::{Failure, Kind},
    ingest::publish::Publisher,
    playback::{Playback, UNWATCHED},
    tally::Tally,
    uri::StreamUri,
};
use hamlet_overlay::{
    agreement::Agreed,
    genesis::Network,
    identity::PeerId,
    io::Event,
    membership::admission::{Admission, Credential},
    view::Epoch,
};
use prometheus_client::registry::Registry;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Notify, broadcast::error::RecvError},
};
use tracing::{debug, error, info, warn};

/// A peer that runs, with what publishes and plays its streams.
#[derive(Debug)]
pub struct Service {
    roll: Arc<Roll>,
    handle: PeerHandle,
    playback: Playback,
    tally: Tally,
    metrics: Metrics,
    publisher: Option<Arc<Publisher>>,
    ended: Notify,
}

impl Service {
    /// The service around a running peer, with what its transport registered; without a publisher, nobody
    /// publishes through it.
    pub fn new(
        network: Arc<Network>,
        handle: PeerHandle,
        registry: Registry,
        publisher: Option<Arc<Publisher>>,
    ) -> Service {
        Service {
            roll: Arc::new(Roll::new(network)),
            playback: Playback::new(handle.clone(), UNWATCHED),
            tally: Tally::follow(&handle),
            metrics: Metrics::new(registry),
            handle,
            publisher,
            ended: Notify::new(),
        }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.roll.network()
    }

    /// The numbers of peers.
    pub fn roll(&self) -> &Arc<Roll> {
        &self.roll
    }

    /// Gives numbers to this peer and to those around it.
    pub fn meet(&self, around: &Epoch) {
        let clusters = around.clusters();
        let members = clusters.flat_map(|cluster| cluster.members().iter().copied());
        self.roll.meet(members.chain([self.handle.id()]));
    }

    /// The peer.
    pub fn handle(&self) -> &PeerHandle {
        &self.handle
    }

    /// The streams that are received.
    pub fn playback(&self) -> &Playback {
        &self.playback
    }

    /// How long segments take.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What it counted, for Prometheus.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What publishes this peer's stream, if anything may.
    pub fn publisher(&self) -> Option<&Publisher> {
        self.publisher.as_deref()
    }

    /// The peer's own stream, if it has a certificate.
    pub fn own_stream(&self) -> Option<StreamUri> {
        let uri = StreamUri {
            network: self.network().id(),
            stream: self.handle.id(),
        };
        uri.find(self.network()).ok().map(|_| uri)
    }

    /// There is nothing left to do for the peer: whoever runs it may end.
    pub fn end(&self) {
        self.ended.notify_one();
    }

    /// Waits until that is so.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Stops the peer; players come to the end of their streams.
    pub async fn stop(&self) {
        if let Some(publisher) = &self.publisher {
            publisher.close().await;
        }
        self.handle.shutdown().await;
    }
}

/// What admits a peer to a network; where that is work, the work is done now.
async fn credential(
    network: &Network,
    me: PeerId,
    invitation: Option<Invitation>,
) -> Result<Credential, Failure> {
    let founder = network.cluster_of(me).is_some();
    match (&network.genesis().admission, invitation) {
        (_, Some(invitation)) => Ok(invitation.into()),
        (Admission::Invitation { .. }, None) if !founder => Err(Failure::new(
            Kind::Configuration,
            format!(
                "who joins this network is invited: have one of its publishers run `hamlet invite {me}`, and write what that \
                 prints into the configuration as invitation"
            ),
        )),
        (&Admission::Work { bits }, None) if !founder => {
            info!(
                bits,
                "spending work on this peer's key, so that it is admitted"
            );
            let id = network.id();
            // Whoever loses patience drops this, and the work ends.
            let wanted = Arc::new(());
            let alive = Arc::downgrade(&wanted);
            let work = move || Credential::work(id, me, bits, || alive.strong_count() > 0);
            let work = tokio::task::spawn_blocking(work).await;
            drop(wanted);
            work.ok().flatten().ok_or_else(|| {
                Failure::new(
                    Kind::Failed,
                    "the work that admits this peer came to nothing",
                )
            })
        }
        _ => Ok(Credential::Key),
    }
}

/// The node of a data folder, while it runs in this process.
pub struct Node {
    service: Arc<Service>,
    publisher: Arc<Publisher>,
    server: Server,
    access: Access,
    _lock: Lock,
}

impl Node {
    /// Starts the node of a data folder.
    ///
    /// # Errors
    /// If anything in the folder is wrong, the folder or a port is in use, or the peer does not start.
    pub async fn start(folder: &Folder, settings: &Settings) -> Result<Node, Failure> {
        let lock = folder.lock()?;
        let network = Arc::new(folder.network()?);
        let key = lock.key()?;
        for uri in &settings.play {
            uri.find(&network)?;
        }
        let fresh = folder.unused().exists();
        let numbers = Reservation::begin(lock.store()?, network.id(), fresh)?;
        let listener = listen(settings.http).await?;

        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Failure::new(Kind::Failed, error))?;
        let mut config = DriverConfig::new(network.clone(), key.secret(), seed);
        if let Some(listen) = &settings.listen {
            config.listen.clone_from(listen);
        }
        config.prefer = settings.prefer;
        config.upload_bits_per_s = settings.upload_limit.map(|rate| rate.bits_per_s);
        config.publish_from = numbers.next();
        config.cluster = settings.cluster;
        config.credential = credential(&network, key.id(), settings.invitation).await?;
        let contacts = settings.join.iter().cloned();
        config.contacts = contacts
            .map(|contact| (contact.peer, vec![contact.address]))
            .collect();
        config.journal = Some(driver::JournalPath {
            file: folder.agreement(network.id()),
            unused: folder.unused(),
        });
        let mut registry = Registry::default();
        config.metrics = Some(Arc::new(libp2p::metrics::Metrics::new(&mut registry)));
        let handle = driver::start(config).await?;
        log_events(&handle, network.genesis().admission == Admission::Closed);

        let publisher = Arc::new(Publisher::new(&network, handle.clone(), numbers));
        let service = Arc::new(Service::new(
            network,
            handle,
            registry,
            Some(publisher.clone()),
        ));
        for uri in &settings.play {
            let stream = uri.find(service.network())?;
            service.playback.receive(stream).await?;
        }
        let token = match settings.http.ip().is_loopback() {
            true => control::Token::generate()?,
            // Who watches from elsewhere needs one that stays.
            false => control::Token::kept(folder)?,
        };
        let failed = |error| Failure::new(Kind::Failed, error);
        // Written first: who finds the door open finds the token too.
        let access = Access::new(listener.local_addr().map_err(failed)?, token.clone());
        access.write(folder)?;
        let server = Server::open(listener, Some(token), |base, token| {
            control::routes(service.clone(), base, token)
        })
        .map_err(failed)?;
        Ok(Node {
            service,
            publisher,
            server,
            access,
            _lock: lock,
        })
    }

    /// The service.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// What publishes its peer's stream.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Where players reach it.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Says in the log who this is and where it can be reached.
    pub fn log_start(&self) {
        let network = self.service.network();
        let parameters = network.parameters();
        info!(
            name = network.genesis().name,
            network = %network.id(),
            peers = network.genesis().founders.len(),
            clusters = network.clusters().len(),
            "network"
        );
        info!(peer = %self.service.handle.id(), segment_ms = parameters.segment_ms, "node runs");
        for stream in 0..network.genesis().publishers.len() {
            if let Some(uri) = StreamUri::of(network, stream as u16) {
                info!(%uri, player = self.server.player(&uri), "stream");
            }
        }
        info!(page = format!("http://{}/", self.address()), "Ctrl-C ends");
    }

    /// Stops it: says farewell to neighbours, lets players come to their end, gives the folder free.
    pub async fn stop(self, folder: &Folder) {
        self.service.stop().await;
        self.server.stop().await;
        self.access.remove(folder);
        info!("node ended");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::AddrInUse => Kind::InUse,
            _ => Kind::Configuration,
        };
        Failure::new(
            kind,
            format!(
                "cannot serve players and commands on {address}: {error}; stop whoever uses the port, or choose another one with --http (port 0 takes a free one)"
            ),
        )
    })
}

/// Writes what happens to the peer to the log.
fn log_events(handle: &PeerHandle, closed: bool) {
    let mut events = handle.events();
    tokio::spawn(async move {
        let mut left_out = None;
        loop {
            match events.recv().await {
                Ok((_, Event::Stopped { stream, why })) => {
                    warn!(
                        stream,
                        ?why,
                        "the stream ended for good: its source misbehaved"
                    );
                }
                Ok((_, Event::Skipped { stream, segment })) => {
                    let before = left_out.replace((stream, segment));
                    // One line for a run of them.
                    if before != segment.checked_sub(1).map(|last| (stream, last)) {
                        info!(
                            stream,
                            segment, "segments from here on did not come in time"
                        );
                    }
                }
                Ok((_, Event::Agreed(Agreed::Began(epoch)))) => {
                    info!(epoch, "this peer is a member of its cluster's epoch");
                }
                Ok((_, Event::Agreed(Agreed::Moved(cluster)))) => {
                    info!(
                        cluster,
                        "a walk has led this peer to its place in another cluster"
                    );
                }
                Ok((_, Event::Agreed(Agreed::PutOut(epoch)))) => match closed {
                    true => warn!(
                        epoch,
                        "this peer is no member of its cluster from this epoch on; `hamlet member add` on its members takes \
                         it in again"
                    ),
                    false => info!(
                        epoch,
                        "this peer is no member of its cluster from this epoch on; unless it leaves, it asks for a place elsewhere"
                    ),
                },
                Ok((_, Event::Agreed(Agreed::Failed(epoch, error)))) => {
                    error!(epoch, %error, "this peer cannot begin an epoch of its cluster");
                }
                Ok((_, Event::Agreed(Agreed::Proved(member)))) => {
                    warn!(%member, "a member of this cluster is proved to have contradicted itself in agreement");
                }
                Ok((_, Event::Agreed(Agreed::Asynchrony { view, absent }))) => {
                    let absent: Vec<String> = absent.iter().map(PeerId::to_string).collect();
                    warn!(
                        view,
                        ?absent,
                        "more members of this cluster are silent than may be faulty: messages take longer than the genesis \
                         assumes or are held up, and what is decided meanwhile may not hold"
                    );
                }
                Ok((_, Event::Agreed(Agreed::Forked))) => {
                    error!(
                        "more members of this cluster are faulty than it can bear: its log cannot be relied on"
                    );
                }
                Ok((_, event)) => debug!(?event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}
