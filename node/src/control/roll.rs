//! The numbers by which pages and traces speak of peers.

use hamlet_overlay::{genesis::Network, identity::PeerId};
use std::sync::{Arc, PoisonError, RwLock};

/// A peer's number: a founder's place in the genesis, and for others, after all founders, the order in which they
/// were met.
pub type PeerNumber = usize;

/// The most peers that are given a number and are no founders; pages show no others.
const MAX_MET: usize = 65_536;

/// Who has which number.
#[derive(Debug)]
pub struct Roll {
    network: Arc<Network>,
    met: RwLock<Vec<PeerId>>,
}

impl Roll {
    /// The roll of the founders.
    pub fn new(network: Arc<Network>) -> Roll {
        Roll {
            network,
            met: RwLock::default(),
        }
    }

    /// The network.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The number of a peer, if it has one.
    pub fn number(&self, peer: PeerId) -> Option<PeerNumber> {
        let founders = &self.network.genesis().founders;
        let founder = founders.binary_search_by_key(&peer, |founder| founder.id);
        founder.ok().or_else(|| {
            let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
            let place = met.iter().position(|known| *known == peer)?;
            Some(founders.len() + place)
        })
    }

    /// Gives a number to those of these peers that have none.
    pub fn meet(&self, peers: impl IntoIterator<Item = PeerId>) {
        for peer in peers {
            if self.number(peer).is_none() {
                let mut met = self.met.write().unwrap_or_else(PoisonError::into_inner);
                if met.len() < MAX_MET && !met.contains(&peer) {
                    met.push(peer);
                }
            }
        }
    }

    /// All peers, in the order of their numbers.
    pub fn peers(&self) -> Vec<PeerId> {
        let founders = self.network.genesis().founders.iter();
        let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
        founders
            .map(|founder| founder.id)
            .chain(met.iter().copied())
            .collect()
    }
}
