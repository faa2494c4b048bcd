//! What adversaries know together.
//!
//! All of them are of one mind: they know each other, and without a word they choose the same victims and the
//! same moments. Nothing in it changes while a world runs, so nobody learns anything faster than messages travel.

use hamlet_overlay::identity::PeerId;

/// What adversaries know together.
#[derive(Clone, Debug, Default)]
pub struct Mind {
    /// In ascending order.
    colluders: Vec<PeerId>,
}

impl Mind {
    /// The mind of these peers.
    pub fn new(mut colluders: Vec<PeerId>) -> Mind {
        colluders.sort_unstable();
        Mind { colluders }
    }

    /// Whether a peer is one of them.
    pub fn is_one_of_us(&self, peer: PeerId) -> bool {
        self.colluders.binary_search(&peer).is_ok()
    }

    /// Whether a peer is among so many percent of the others that all adversaries have chosen as their victims.
    pub fn is_victim(&self, peer: PeerId, percent: u8) -> bool {
        // Keys are evenly distributed, so any two bytes of them are.
        let [.., high, low] = peer.0;
        let drawn = u32::from(u16::from_be_bytes([high, low])) * 100;
        !self.is_one_of_us(peer) && drawn < u32::from(percent) << 16
    }
}
