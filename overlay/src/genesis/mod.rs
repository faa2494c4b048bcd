//! The genesis: what a network is made of before anything happens in it.
//!
//! It lists parameters, founders and publishers, and one seed. Clusters, slots and cycles are not in it:
//! every peer that loads it derives them and so cannot be told different ones. The network's identity is
//! the hash of the genesis.

mod parameters;

pub use hamlet_consensus::Model;
pub use parameters::Parameters;

use crate::{
    agreement::state,
    coding::Coder,
    hash::{Domain, Hash},
    identity::PeerId,
    membership::{
        admission::{Admission, Admitted},
        cycle::Place,
        lineage,
    },
    view::Cluster,
};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// The most founders that a genesis may list.
pub const MAX_FOUNDERS: usize = 100_000;
/// The most publishers that a genesis may list.
pub const MAX_PUBLISHERS: usize = 64;
/// The longest name of a network, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The longest address of a founder, in bytes, and how many it may have.
pub const MAX_ADDRESS_BYTES: usize = 256;
/// The most addresses of one founder.
pub const MAX_ADDRESSES: usize = 8;

/// A peer that is there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// Its public key.
    pub id: PeerId,
    /// Where to reach it; the driver's own notation, opaque here.
    pub addresses: Vec<String>,
}

/// The certificate of a publisher: who may publish, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    /// The source's key, which names its stream.
    pub stream: PeerId,
    /// The stream's highest rate, in bits per second; relays drop what exceeds it.
    pub max_bits_per_s: u64,
}

/// What a network is made of before anything happens in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What people call the network.
    pub name: String,
    /// Its parameters.
    pub parameters: Parameters,
    /// The seed from which clusters, slots and cycles are derived.
    pub seed: Hash,
    /// The founding peers, in the order of their keys.
    pub founders: Vec<Founder>,
    /// Who may publish. A stream's number is its place in this list.
    pub publishers: Vec<Publisher>,
    /// Who may join.
    #[serde(default)]
    pub admission: Admission,
}

/// A genesis that no network can be founded on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The parameters contradict each other.
    #[error("parameters: {0}")]
    Parameters(&'static str),
    /// A list or text is too long.
    #[error("{what}: at most {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// There is nobody.
    #[error("founders: the list is empty; name at least one peer")]
    NoFounders,
    /// The founders are not in the order of their keys, or one is there twice.
    #[error(
        "founders: {0} is out of order or listed twice; list each key once, in ascending order"
    )]
    FounderOrder(PeerId),
    /// The founders cannot be dealt to clusters of the sizes allowed.
    #[error(
        "founders: {founders} cannot be dealt to clusters of {g_min} to {g_max}; change g_min or g_max"
    )]
    Sizes {
        /// How many founders there are.
        founders: usize,
        /// The smallest cluster allowed.
        g_min: u8,
        /// The largest cluster allowed.
        g_max: u8,
    },
    /// A publisher is not a founder, or is listed twice.
    #[error("publishers: {0} is not a founder, or is listed twice")]
    Publisher(PeerId),
    /// The streams together may exceed the cap.
    #[error("publishers: their rates sum to {sum} bits/s, over total_bits_per_s = {cap}")]
    Rates {
        /// The sum of the highest rates, in bits per second.
        sum: u64,
        /// The cap, in bits per second.
        cap: u64,
    },
    /// The admission cannot be used.
    #[error("admission: {0}")]
    Admission(&'static str),
    /// The genesis is not the one that was meant.
    #[error(
        "this genesis founds network {found}, not {expected}: the file was changed or belongs to another network"
    )]
    WrongNetwork {
        /// The identity that was asked for.
        expected: Hash,
        /// The identity of the genesis at hand.
        found: Hash,
    },
}

/// A checked genesis, with what follows from it. Clones share it.
#[derive(Clone, Debug)]
pub struct Network {
    id: Hash,
    genesis: Arc<Genesis>,
    admitted: Arc<Admitted>,
    coder: Coder,
    clusters: Arc<[Cluster]>,
    /// Per cycle, the clusters in their order around it.
    cycles: Arc<[Vec<usize>]>,
}

impl Genesis {
    /// The identity of the network that this genesis founds.
    pub fn network_id(&self) -> Hash {
        let bytes = crate::wire::encode(self);
        Domain::Network.hash(&[&bytes])
    }

    /// Checks the genesis and derives clusters, slots and cycles from it.
    pub fn found(self) -> Result<Network, GenesisError> {
        self.check()?;
        let id = self.network_id();
        let Parameters { k, n, .. } = self.parameters;
        let coder = Coder::new(k, n)
            .map_err(|_| GenesisError::Parameters("k must be at least 1 and less than n"))?;
        let mut random = generator(Domain::Founding, &[&id.0, &self.seed.0]);
        let count = self.cluster_count();
        let mut dealt: Vec<Vec<PeerId>> = vec![Vec::new(); count];
        let mut order: Vec<PeerId> = self.founders.iter().map(|founder| founder.id).collect();
        shuffle(&mut order, &mut random);
        for (place, peer) in order.into_iter().enumerate() {
            dealt[place % count].push(peer);
        }
        let clusters = dealt
            .into_iter()
            .enumerate()
            .map(|(number, members)| {
                let beacon =
                    Domain::Beacon.hash(&[&id.0, &self.seed.0, &(number as u64).to_le_bytes()]);
                Cluster::deal(number as u64, 0, members, beacon, self.parameters.n)
            })
            .collect();
        let cycles = (0..self.parameters.h)
            .map(|_| {
                let mut cycle: Vec<usize> = (0..count).collect();
                shuffle(&mut cycle, &mut random);
                cycle
            })
            .collect();
        let founders = self.founders.iter().map(|founder| founder.id);
        let admitted = Admitted {
            network: id,
            founders: founders.collect(),
            policy: self.admission.clone(),
        };
        Ok(Network {
            id,
            admitted: Arc::new(admitted),
            genesis: Arc::new(self),
            coder,
            clusters,
            cycles,
        })
    }

    fn cluster_count(&self) -> usize {
        self.founders.len().div_ceil(self.parameters.g_max.into())
    }

    fn check(&self) -> Result<(), GenesisError> {
        self.parameters.check()?;
        let bound = |what, len, limit| {
            if len > limit {
                Err(GenesisError::TooMany { what, limit })
            } else {
                Ok(())
            }
        };
        bound("bytes of the name", self.name.len(), MAX_NAME_BYTES)?;
        bound("founders", self.founders.len(), MAX_FOUNDERS)?;
        bound("publishers", self.publishers.len(), MAX_PUBLISHERS)?;
        for founder in &self.founders {
            bound(
                "addresses of a founder",
                founder.addresses.len(),
                MAX_ADDRESSES,
            )?;
            for address in &founder.addresses {
                bound("bytes of an address", address.len(), MAX_ADDRESS_BYTES)?;
            }
        }
        if self.founders.is_empty() {
            return Err(GenesisError::NoFounders);
        }
        if let Some(pair) = self
            .founders
            .windows(2)
            .find(|pair| pair[0].id >= pair[1].id)
        {
            return Err(GenesisError::FounderOrder(pair[1].id));
        }
        let Parameters {
            g_min,
            g_max,
            total_bits_per_s: cap,
            ..
        } = self.parameters;
        if self.founders.len() / self.cluster_count() < g_min.into() {
            return Err(GenesisError::Sizes {
                founders: self.founders.len(),
                g_min,
                g_max,
            });
        }
        if let Some(problem) = self.admission.problem() {
            return Err(GenesisError::Admission(problem));
        }
        let mut seen = BTreeSet::new();
        for Publisher { stream, .. } in &self.publishers {
            let known = self
                .founders
                .binary_search_by_key(stream, |founder| founder.id)
                .is_ok();
            if !known || !seen.insert(*stream) {
                return Err(GenesisError::Publisher(*stream));
            }
        }
        let sum = self
            .publishers
            .iter()
            .fold(0u64, |sum, p| sum.saturating_add(p.max_bits_per_s));
        if sum > cap {
            return Err(GenesisError::Rates { sum, cap });
        }
        Ok(())
    }
}

impl Network {
    /// The network's identity.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// The genesis itself.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Who is admitted.
    pub fn admitted(&self) -> &Arc<Admitted> {
        &self.admitted
    }

    /// The code of the network's `k` and `n`; its peers share tables and caches.
    pub fn coder(&self) -> &Coder {
        &self.coder
    }

    /// The parameters of the genesis.
    pub fn parameters(&self) -> &Parameters {
        &self.genesis.parameters
    }

    /// This network, if its identity is the one expected.
    pub fn expect(self, expected: Hash) -> Result<Network, GenesisError> {
        match self.id == expected {
            true => Ok(self),
            false => Err(GenesisError::WrongNetwork {
                expected,
                found: self.id,
            }),
        }
    }

    /// All clusters of the founding; a cluster's number is its place.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The cycles, each a list of cluster numbers in their order around it.
    pub fn cycles(&self) -> &[Vec<usize>] {
        &self.cycles
    }

    /// The cluster of the founding from which the one of this number comes, by splits; `None` if there can be no such number.
    pub fn root_of(&self, number: u64) -> Option<&Cluster> {
        let root = *lineage::lineage(self.clusters.len(), number).first()?;
        self.clusters.get(usize::try_from(root).ok()?)
    }

    /// The names in the engine of the clusters that lead from that cluster to this one, each split from the one before.
    pub(crate) fn way_to(&self, number: u64) -> Vec<Hash> {
        let lineage = lineage::lineage(self.clusters.len(), number).into_iter();
        let names = lineage.map(|cluster| state::name_of(self.id, cluster));
        names.skip(1).collect()
    }

    /// The cluster in which `peer` is, if it is a founder.
    pub fn cluster_of(&self, peer: PeerId) -> Option<&Cluster> {
        self.clusters
            .iter()
            .find(|cluster| cluster.place(peer).is_some())
    }

    /// Where cluster `number` lies on the cycles.
    pub fn places(&self, number: usize) -> Vec<Place> {
        let place = |cycle: &Vec<usize>| {
            let place = cycle.iter().position(|&cluster| cluster == number)?;
            let len = cycle.len();
            Some(Place {
                before: cycle[(place + len - 1) % len] as u64,
                after: cycle[(place + 1) % len] as u64,
            })
        };
        self.cycles.iter().filter_map(place).collect()
    }

    /// The clusters next to cluster `number` on any cycle: each once, never itself, in ascending order.
    pub fn neighbours(&self, number: usize) -> Vec<&Cluster> {
        let places = self.places(number).into_iter();
        let around = places.flat_map(|place| [place.before, place.after]);
        let mut next_to: BTreeSet<usize> = around.map(|cluster| cluster as usize).collect();
        next_to.remove(&number);
        next_to
            .into_iter()
            .map(|cluster| &self.clusters[cluster])
            .collect()
    }
}

/// A ChaCha generator seeded by the hash of the parts under a domain.
pub(crate) fn generator(domain: Domain, parts: &[&[u8]]) -> ChaCha12Rng {
    ChaCha12Rng::from_seed(domain.hash(parts).0)
}

/// A number below `bound`, without bias (Lemire's method with rejection).
pub(crate) fn below(random: &mut impl Rng, bound: u64) -> u64 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let wide = u128::from(random.next_u64()) * u128::from(bound);
        if wide as u64 >= threshold {
            return (wide >> 64) as u64;
        }
    }
}

/// Fisher–Yates, from the back.
pub(crate) fn shuffle<T>(items: &mut [T], random: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(random, last as u64 + 1) as usize);
    }
}
