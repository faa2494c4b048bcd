//! The network of learning peers.

use crate::{
    random::{Purpose, Randomness},
    settings::SettingsError,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters},
    hash::Hash,
    identity::PeerId,
};

/// A network of these founders without a publisher.
pub(super) fn found(
    seed: u64,
    parameters: Parameters,
    ids: &[PeerId],
) -> Result<Network, SettingsError> {
    let founder = |&id| Founder {
        id,
        addresses: Vec::new(),
    };
    let genesis = Genesis {
        admission: Default::default(),
        name: "learning".to_owned(),
        parameters,
        seed: Hash(Randomness::new(seed, Purpose::Network).bytes(0)),
        founders: ids.iter().map(founder).collect(),
        publishers: Vec::new(),
    };
    Ok(genesis.found()?)
}
