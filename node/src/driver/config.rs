//! What a driver is started with.

use super::Clock;
use crate::agreement::JournalError;
use crate::transport::{
    TransportError, TransportKind,
    shape::LinkShape,
    swarm::{SwarmConfig, protocol_names},
};
use hamlet_overlay::{
    genesis::Network,
    hash::Hash,
    identity::PeerId,
    membership::admission::{Admission, Credential},
    view::SegmentNumber,
};
use serde::{Deserialize, Serialize};
use std::{fmt, io, path::PathBuf, sync::Arc};

/// What a driver is started with.
#[derive(Clone)]
pub struct DriverConfig {
    /// The network; the addresses of its founders come from its genesis.
    pub network: Arc<Network>,
    /// The 32-byte Ed25519 secret of this peer.
    pub secret: [u8; 32],
    /// The seed of this peer's own random choices, such as jitter.
    pub seed: [u8; 32],
    /// Where to listen, as multiaddresses.
    pub listen: Vec<String>,
    /// The most that this peer uploads, in bits per second over all links.
    pub upload_bits_per_s: Option<u64>,
    /// Which protocol is tried first.
    pub prefer: TransportKind,
    /// Makes this peer's links worse, for demonstrations.
    pub shape: LinkShape,
    /// Makes this peer misbehave, for demonstrations.
    pub fault: Option<Fault>,
    /// Where libp2p's events are counted, if anywhere.
    pub metrics: Option<Arc<libp2p::metrics::Metrics>>,
    /// The first segment number that this peer has never used as a source. What it signed before must
    /// never be signed again with another content, so it is kept on disk, ahead of use.
    pub publish_from: SegmentNumber,
    /// The cluster that a peer waits to become a member of that is no founder. Where peers may join, none has to be named.
    pub cluster: Option<u64>,
    /// What the peer is admitted by, where peers may join.
    pub credential: Credential,
    /// Peers to ask the way into the network, and where they can be reached.
    pub contacts: Vec<(PeerId, Vec<String>)>,
    /// Where to keep what agreement must not forget; `None` takes no part in the cluster's agreement.
    pub journal: Option<JournalPath>,
    /// The clock; peers in one process share one, so that their times can be compared.
    pub clock: Clock,
}

/// Where a peer keeps what agreement must not forget.
#[derive(Clone, Debug)]
pub struct JournalPath {
    /// The journal.
    pub file: PathBuf,
    /// What is there while the peer's key has never been used: then a journal that is missing is not missed.
    pub unused: PathBuf,
}

/// How a peer misbehaves in a demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Takes and never gives: sends notices and requests, but neither digests nor shards.
    Silent,
}

/// Why a peer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key is not in the genesis.
    #[error(
        "peer {peer} is not a founder of network {network}; nobody may join there by itself. Use the key of a founder, or \
         say in the configuration which cluster is to take it in: cluster = 0"
    )]
    NotAFounder {
        /// The peer of the key that was given.
        peer: PeerId,
        /// The network.
        network: Hash,
    },
    /// There is no such cluster.
    #[error(
        "no cluster has the number {cluster}: those of the founding have 0 to {last}, and those that split from \
         them greater ones"
    )]
    NoCluster {
        /// The number that was given.
        cluster: u64,
        /// The last that there is.
        last: usize,
    },
    /// The journal of agreement cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system gives no thread for agreement.
    #[error("cannot start the thread of agreement: {0}")]
    Thread(io::Error),
    /// The transport did not start.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl DriverConfig {
    /// The configuration of the founder with this secret: listens where the genesis says that it is,
    /// with no cap, no shaping and no fault.
    pub fn new(network: Arc<Network>, secret: [u8; 32], seed: [u8; 32]) -> DriverConfig {
        use hamlet_overlay::identity::{Ed25519Signer, Signer};
        let me = Ed25519Signer::from_secret(&secret).id();
        let founders = &network.genesis().founders;
        let listen = founders
            .iter()
            .find(|founder| founder.id == me)
            .map(|founder| founder.addresses.clone())
            .unwrap_or_default();
        DriverConfig {
            network,
            secret,
            seed,
            listen,
            upload_bits_per_s: None,
            prefer: TransportKind::default(),
            shape: LinkShape::default(),
            fault: None,
            metrics: None,
            publish_from: 0,
            cluster: None,
            credential: Credential::Key,
            contacts: Vec::new(),
            journal: None,
            clock: Clock::start(),
        }
    }

    pub(super) fn swarm(&self, me: PeerId) -> SwarmConfig {
        SwarmConfig {
            me,
            secret: self.secret,
            seed: self.seed,
            protocols: protocol_names(self.network.id()),
            listen: self.listen.clone(),
            addresses: self
                .network
                .genesis()
                .founders
                .iter()
                .map(|founder| (founder.id, founder.addresses.clone()))
                .collect(),
            upload_bits_per_s: self.upload_bits_per_s,
            prefer: self.prefer,
            shape: self.shape,
            visitors: self.network.genesis().admission != Admission::Closed,
            metrics: self.metrics.clone(),
        }
    }
}

impl fmt::Debug for DriverConfig {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverConfig")
            .field("network", &self.network.id())
            .field("listen", &self.listen)
            .field("upload_bits_per_s", &self.upload_bits_per_s)
            .field("prefer", &self.prefer)
            .field("shape", &self.shape)
            .field("fault", &self.fault)
            .field("publish_from", &self.publish_from)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}
