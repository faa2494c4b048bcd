//! Runs a [`Peer`](hamlet_overlay::peer::Peer) over a transport.
//!
//! One task owns the peer: it feeds it frames, wake-ups and requests with the time of a monotonic clock,
//! and does what it asks for. It never waits for the network or for a reader: sending only queues, and
//! readers of segments and events that fall behind miss some.

mod config;
mod handle;
pub mod passage;
mod run;

pub use config::{DriverConfig, Fault, JournalPath, StartError};
pub use handle::{
    AgreementStatus, KnownEvidence, LinkStatus, PeerHandle, PeerStatus, PublishError, Stopped,
};

use crate::{
    agreement::{Content, Home, Journal, Worker},
    transport::{Transport, swarm::Swarm},
};
use hamlet_consensus::beacon::SecretKey;
use hamlet_overlay::{
    agreement::{
        self, Papers,
        card::{Card, MAX_ADDRESS_BYTES},
        order::MAX_ADDRESSES,
    },
    evidence::Evidence,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer},
    io::Input,
    membership::admission::Admission,
    peer::{Peer, Setup},
    time::{Duration, Time},
    view::View,
    work::Compute,
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// A monotonic clock that counts from an origin which several peers may share.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock {
            origin: Instant::now(),
        }
    }

    /// The time since the origin.
    pub fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// What the wall clock showed when this clock showed zero, in milliseconds since 1970.
    fn unix_ms_at_zero(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default();
        since.saturating_sub(self.origin.elapsed()).as_millis() as u64
    }

    /// The instant at which this clock shows `time`; never further away than a day, so that it can
    /// always be slept for.
    fn instant(&self, time: Time) -> Instant {
        const FAR: std::time::Duration = std::time::Duration::from_secs(86_400);
        Instant::now() + time.since(self.now()).min(FAR)
    }
}

/// Starts a peer of a network: opens its sockets and begins to connect with its neighbours.
///
/// # Errors
/// If the key is not a founder's, an address cannot be listened on, or the system allows too few files.
pub async fn start(config: DriverConfig) -> Result<PeerHandle, StartError> {
    let signer = Ed25519Signer::from_secret(&config.secret);
    let me = signer.id();
    let opened = config.journal.as_ref().map(open).transpose()?;
    let home = opened
        .as_ref()
        .and_then(|(_, content)| content.home.as_ref());
    let view = view_of(&config, me, home)?;
    let transport = Swarm::start(config.swarm(me)).await?;
    let clock = config.clock;
    let listening = transport.listening().to_vec();
    let mut peer = Peer::new(
        clock.now(),
        Setup {
            view,
            signer: Box::new(signer),
            verifier: Arc::new(Ed25519Verifier),
            work: Arc::new(Compute),
            publish_from: config.publish_from,
        },
    );
    let beacon = SecretKey::derive(&config.secret, config.network.id());
    let agree =
        |(journal, content)| agree(&mut peer, journal, content, beacon, &config, &listening);
    let worker = opened.map(agree).transpose()?;
    let mut transport = transport;
    for (contact, addresses) in &config.contacts {
        transport.learn(*contact, addresses);
        peer.handle(clock.now(), Input::Contact(*contact));
    }
    Ok(run::spawn(run::Parts {
        me,
        peer,
        worker,
        transport,
        clock,
        fault: config.fault,
        listening,
    }))
}

/// What a peer knows of the network at first: where it was founded, or the cluster where it has or looks for its place.
fn view_of(config: &DriverConfig, me: PeerId, home: Option<&Home>) -> Result<View, StartError> {
    let network = &config.network;
    let cluster = match (home, View::founding(network, me), config.cluster) {
        (Some(home), ..) => home.cluster,
        (None, Some(view), _) => return Ok(view),
        (None, None, Some(cluster)) => cluster,
        // Whichever founders it asks: they are spread like this over everybody who comes.
        (None, None, None) if network.genesis().admission != Admission::Closed => {
            u64::from(me.0[0]) % network.clusters().len() as u64
        }
        (None, None, None) => {
            return Err(StartError::NotAFounder {
                peer: me,
                network: network.id(),
            });
        }
    };
    View::outside(network, cluster).ok_or(StartError::NoCluster {
        cluster,
        last: network.clusters().len().saturating_sub(1),
    })
}

/// Opens the journal, with what is in it.
fn open(path: &JournalPath) -> Result<(Journal, Content), StartError> {
    let mut journal = Journal::open(&path.file, &path.unused)?;
    let content = journal.load()?;
    if content.stored.lost && content.home.is_none() {
        tracing::warn!(
            journal = %path.file.display(),
            "the journal of agreement is missing, so this peer does not know what it signed; it takes part in its \
             cluster's agreement again from the next epoch on. If its key has never been used, stop the node, remove the \
             journal, make an empty file {} and start it again", path.unused.display()
        );
    }
    Ok((journal, content))
}

/// What the peer shows when it asks for a place; nothing where nobody may join.
fn papers(config: &DriverConfig, listening: &[String]) -> Option<Papers> {
    let network = &config.network;
    if network.genesis().admission == Admission::Closed {
        return None;
    }
    let signer = Ed25519Signer::from_secret(&config.secret);
    let secret = SecretKey::derive(&config.secret, network.id());
    let fits = |address: &&String| address.len() <= MAX_ADDRESS_BYTES;
    let addresses = listening.iter().filter(fits).take(MAX_ADDRESSES).cloned();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_millis() as u64);
    Some(Papers {
        card: Card::sign(network.id(), &signer, &secret, addresses.collect(), now),
        credential: config.credential,
    })
}

/// Has a peer take part in its cluster's agreement, with what it stored before.
fn agree(
    peer: &mut Peer,
    journal: Journal,
    content: Content,
    beacon: SecretKey,
    config: &DriverConfig,
    listening: &[String],
) -> Result<Worker, StartError> {
    let start = agreement::Start {
        beacon,
        settings: hamlet_consensus::Settings::default(),
        stored: content.stored,
        left: content.home.map(|home| home.left).unwrap_or_default(),
        unix_ms: config.clock.unix_ms_at_zero(),
        papers: papers(config, listening),
        nonce: content.nonce,
        forgetful: content.forgetful,
    };
    peer.agree(&start).map_err(|error| journal.explain(error))?;
    let clock = config.clock;
    let at = clock.now();
    let now = clock.unix_ms_at_zero() + at.since(Time::ZERO).as_millis() as u64;
    for (unix_ms, bytes) in content.evidence {
        let age = Duration::from_millis(now.saturating_sub(unix_ms));
        // What this file holds besides is checked by the peer.
        if let Ok(evidence) = Evidence::decode(&bytes) {
            let evidence = Box::new(evidence);
            peer.handle(at, Input::Evidence { evidence, age });
        }
    }
    Worker::start(journal).map_err(StartError::Thread)
}
