//! A peer's card: where it can be reached, in its own words.

use super::order::MAX_ADDRESSES;
use crate::{
    hash::Hash,
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    wire,
};
use hamlet_consensus::beacon::{Key, Registration, SecretKey};
use serde::{Deserialize, Serialize};

/// The longest address on a card, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 128;

const DOMAIN: &str = "hamlet v1 card";

/// Where a peer that is no founder can be reached, signed by itself: so nobody can be added to a cluster who does not
/// want to be, and nobody can send others to a wrong place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, in the driver's own notation: 1 to [`MAX_ADDRESSES`].
    pub addresses: Vec<String>,
    /// When it was written by the peer's wall clock, in milliseconds since 1970; a later card replaces an earlier one.
    pub written_unix_ms: u64,
    /// The peer's key for beacons.
    pub beacon: Registration,
    signature: Signature,
}

impl Card {
    /// Writes a card.
    pub fn sign(
        network: Hash,
        signer: &dyn Signer,
        secret: &SecretKey,
        addresses: Vec<String>,
        written_unix_ms: u64,
    ) -> Card {
        let peer = signer.id();
        let beacon = secret.register(network, peer);
        let text = wire::encode(&(peer, &addresses, written_unix_ms, beacon));
        Card {
            beacon,
            signature: signer.sign(statement(network, &text)),
            peer,
            addresses,
            written_unix_ms,
        }
    }

    /// Whether it is within its bounds and signed by its peer.
    pub fn is_valid(&self, network: Hash, verifier: &dyn Verifier) -> bool {
        let bounded = (1..=MAX_ADDRESSES).contains(&self.addresses.len())
            && (self.addresses.iter()).all(|address| address.len() <= MAX_ADDRESS_BYTES);
        let text = || {
            wire::encode(&(
                self.peer,
                &self.addresses,
                self.written_unix_ms,
                self.beacon,
            ))
        };
        bounded
            && self.key(network).is_some()
            && verifier.verify(self.peer, statement(network, &text()), &self.signature)
    }
}

impl Card {
    /// The peer's key for beacons, if it has proved that it is its own.
    pub fn key(&self, network: Hash) -> Option<Key> {
        self.beacon.verify(network, self.peer)
    }
}

fn statement(network: Hash, text: &[u8]) -> Statement<'_> {
    Statement {
        domain: DOMAIN,
        network,
        text,
    }
}
