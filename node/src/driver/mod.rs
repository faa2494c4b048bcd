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
pub use handle::{AgreementStatus, LinkStatus, PeerHandle, PeerStatus, PublishError, Stopped};

use crate::{
    agreement::{Journal, Worker},
    transport::swarm::Swarm,
};
use hamlet_consensus::beacon::SecretKey;
use hamlet_overlay::{
    agreement,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer},
    peer::{Peer, Setup},
    time::Time,
    view::View,
    work::Compute,
};
use std::{sync::Arc, time::Instant};

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
    let view = view_of(&config, me)?;
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
    let worker = match &config.journal {
        Some(journal) => Some(agree(&mut peer, journal, beacon)?),
        None => None,
    };
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

/// What a peer knows of the network at first: where it was founded, or the cluster that is to take it in.
fn view_of(config: &DriverConfig, me: PeerId) -> Result<View, StartError> {
    let network = &config.network;
    if let Some(view) = View::founding(network, me) {
        return Ok(view);
    }
    let cluster = config.cluster.ok_or(StartError::NotAFounder {
        peer: me,
        network: network.id(),
    })?;
    View::outside(network, cluster).ok_or(StartError::NoCluster {
        cluster,
        last: network.clusters().len().saturating_sub(1),
    })
}

/// Has a peer take part in its cluster's agreement, with what it stored before.
fn agree(peer: &mut Peer, path: &JournalPath, beacon: SecretKey) -> Result<Worker, StartError> {
    let mut journal = Journal::open(&path.file, &path.unused)?;
    let (stored, nonce) = journal.load()?;
    if stored.lost {
        tracing::warn!(
            journal = %path.file.display(),
            "the journal of agreement is missing, so this peer does not know what it signed; it takes part in its \
             cluster's agreement again from the next epoch on. If its key has never been used, stop the node, remove the \
             journal, make an empty file {} and start it again", path.unused.display()
        );
    }
    let start = agreement::Start {
        beacon,
        settings: hamlet_consensus::Settings::default(),
        stored,
        nonce,
    };
    peer.agree(&start).map_err(|error| journal.explain(error))?;
    Worker::start(journal).map_err(StartError::Thread)
}
