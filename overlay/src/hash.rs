//! BLAKE3 with a domain string for every use, so that no hash made for one purpose fits another.

use std::sync::LazyLock;

pub use hamlet_consensus::hash::{Hash, hex, unhex};

/// Per domain, the key derived from its context: deriving it anew would double the cost of small hashes.
static KEYS: LazyLock<[[u8; 32]; 16]> =
    LazyLock::new(|| Domain::ALL.map(|domain| blake3::derive_key(domain.context(), &[])));

/// What a hash is for. The strings are part of the protocol: changing one changes the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The identity of a network: the hash of its genesis.
    Network,
    /// The deal of founders to clusters, and the order of clusters on each cycle.
    Founding,
    /// The identity of a cluster within its network.
    Cluster,
    /// A cluster's beacon in its first epoch.
    Beacon,
    /// The deal of slots to members.
    Slots,
    /// The rotation of shards over slots, segment by segment.
    Rotation,
    /// The payload of a segment.
    Payload,
    /// A leaf of a segment's hash tree: one shard.
    Leaf,
    /// An inner node of a segment's hash tree.
    Node,
    /// The link of the digest chain: a whole signed header.
    Chain,
    /// The tag of the simulated signer.
    SimulatedSignature,
    /// The name of a command of a cluster's log.
    Order,
    /// The name of a walk, and its steps.
    Walk,
    /// The walks that leave a cluster.
    Walks,
    /// Work that is spent to be admitted.
    Work,
    /// The name of evidence.
    Evidence,
}

impl Domain {
    const ALL: [Domain; 16] = [
        Domain::Network,
        Domain::Founding,
        Domain::Cluster,
        Domain::Beacon,
        Domain::Slots,
        Domain::Rotation,
        Domain::Payload,
        Domain::Leaf,
        Domain::Node,
        Domain::Chain,
        Domain::SimulatedSignature,
        Domain::Order,
        Domain::Walk,
        Domain::Walks,
        Domain::Work,
        Domain::Evidence,
    ];

    /// The context string that keys the hash.
    pub const fn context(self) -> &'static str {
        match self {
            Domain::Network => "hamlet v1 network",
            Domain::Founding => "hamlet v1 founding",
            Domain::Cluster => "hamlet v1 cluster",
            Domain::Beacon => "hamlet v1 beacon",
            Domain::Slots => "hamlet v1 slots",
            Domain::Rotation => "hamlet v1 rotation",
            Domain::Payload => "hamlet v1 payload",
            Domain::Leaf => "hamlet v1 leaf",
            Domain::Node => "hamlet v1 node",
            Domain::Chain => "hamlet v1 chain",
            Domain::SimulatedSignature => "hamlet v1 simulated signature",
            Domain::Order => "hamlet v1 order name",
            Domain::Walk => "hamlet v1 walk",
            Domain::Walks => "hamlet v1 walks",
            Domain::Work => "hamlet v1 work",
            Domain::Evidence => "hamlet v1 evidence",
        }
    }

    /// A hasher keyed by this domain.
    pub fn hasher(self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&KEYS[self as usize])
    }

    /// The hash of one text; the fastest way for a shard.
    pub fn hash_one(self, text: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&KEYS[self as usize], text).as_bytes())
    }

    /// The hash of the concatenated parts. Callers make sure that parts of variable length cannot run
    /// into each other.
    pub fn hash(self, parts: &[&[u8]]) -> Hash {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(part);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}
