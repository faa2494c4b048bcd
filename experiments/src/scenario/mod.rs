//! Scenarios: TOML files that say everything about worlds.
//!
//! What a scenario does not say is as [`Scenario::default`] has it, and what the command line says wins.

mod overrides;
mod preset;
mod read;

pub use overrides::Overrides;
pub use preset::list as presets;

use crate::{seeds::Seeds, units::Rate};
use clap::ValueEnum;
use hamlet_simulator::{
    Parameters, Settings,
    churn::{Churn, Sessions},
    links::LinkSettings,
    machines::MachineFault,
    moves::Move,
    publisher::SourceSettings,
    settings::{Adversaries, FaultModel, Membership, Signatures},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything about some worlds that differ in their seeds only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Peers, the source and the Byzantine ones included.
    pub peers: usize,
    /// For how long sources publish.
    pub seconds: f64,
    /// How many streams there are, each of a source of its own.
    pub streams: usize,
    /// The bit rate of each stream.
    pub rate: Rate,
    /// One seed, or the first and the last.
    pub seeds: Seeds,
    /// How statements are signed.
    pub signer: Signer,
    /// Whether every peer computes everything itself.
    pub verify_all: bool,
    /// Whether places in clusters are those of the founding, or clusters agree on them.
    pub membership: Membership,
    /// The parameters of the network.
    pub parameters: Wishes,
    /// What the source of the first stream does.
    pub source: SourceSettings,
    /// What links are like.
    pub links: LinkSettings,
    /// Who leaves, and who comes back.
    pub churn: Churn,
    /// What is wrong with the peers' machines.
    pub machines: Vec<MachineFault>,
    /// Who is moved to another cluster.
    pub moves: Vec<Move>,
    /// The Byzantine peers.
    pub adversaries: Vec<Adversaries>,
    /// The mechanism that all peers lack, if any.
    #[cfg(feature = "ablation")]
    #[serde(skip)]
    pub without: Option<hamlet_simulator::Mechanism>,
}

/// Parameters of a network that somebody asks for; the others are as suits it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// The largest cluster allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub g: Option<u8>,
    /// The smallest cluster allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub g_min: Option<u8>,
    /// Hamiltonian cycles over the clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h: Option<u8>,
    /// Slots of a cluster, and shards of a segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u8>,
    /// Shards that restore a segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u8>,
    /// How much of the stream one segment holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_ms: Option<u16>,
    /// How long an epoch of a cluster lasts at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_ms: Option<u32>,
    /// How long a member may keep its place; left out, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u32>,
    /// How long a member may be silent until it is put out; left out, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u32>,
    /// What clusters assume of their faulty members and of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_model: Option<FaultModel>,
}

/// How statements are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// Ed25519 up to 200 peers, simulated above and where membership lives
    #[default]
    Auto,
    /// As on the network
    Ed25519,
    /// By a keyed hash, which costs next to nothing
    Simulated,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            peers: 960,
            seconds: 30.0,
            streams: 1,
            rate: Rate {
                bits_per_s: 1_000_000,
            },
            seeds: Seeds::one(1),
            signer: Signer::Auto,
            verify_all: false,
            membership: Membership::default(),
            parameters: Wishes::default(),
            source: SourceSettings::default(),
            links: LinkSettings::default(),
            churn: Churn::default(),
            machines: Vec::new(),
            moves: Vec::new(),
            adversaries: Vec::new(),
            #[cfg(feature = "ablation")]
            without: None,
        }
    }
}

impl Scenario {
    /// The settings of the world with this seed.
    pub fn settings(&self, seed: u64) -> Settings {
        let usual = Parameters::for_peers(self.peers);
        let wishes = self.parameters;
        let g_max = wishes.g.unwrap_or(usual.g_max);
        let n = wishes
            .n
            .unwrap_or_else(|| g_max.saturating_mul(8u8.div_ceil(g_max.max(1))));
        Settings {
            seed,
            peers: self.peers,
            parameters: Parameters {
                g_min: wishes.g_min.unwrap_or(g_max.div_ceil(2)),
                g_max,
                h: wishes.h.unwrap_or(2),
                n,
                k: wishes.k.unwrap_or(n / 2),
                segment_ms: wishes.segment_ms.unwrap_or(usual.segment_ms),
                epoch_ms: wishes.epoch_ms.unwrap_or(usual.epoch_ms),
                lease_ms: wishes.lease_ms.or(usual.lease_ms),
                silence_ms: wishes.silence_ms.or(usual.silence_ms),
                fault_model: wishes.fault_model.unwrap_or(usual.fault_model),
                ..usual
            },
            membership: self.membership,
            streams: self.streams,
            bits_per_s: self.rate.bits_per_s,
            publishing: Duration::from_secs_f64(self.seconds),
            source: self.source,
            adversaries: self.adversaries.clone(),
            signatures: match self.signer {
                Signer::Auto if self.membership == Membership::Living => Signatures::Simulated,
                Signer::Auto => Signatures::for_peers(self.peers),
                Signer::Ed25519 => Signatures::Ed25519,
                Signer::Simulated => Signatures::Simulated,
            },
            links: self.links.clone(),
            churn: self.churn.clone(),
            machines: self.machines.clone(),
            moves: self.moves.clone(),
            verify_all: self.verify_all,
            #[cfg(feature = "ablation")]
            without: self.without,
        }
    }

    /// The same with one seed.
    pub fn with_seed(&self, seed: u64) -> Scenario {
        Scenario {
            seeds: Seeds::one(seed),
            ..self.clone()
        }
    }

    /// The share of Byzantine peers.
    pub fn byzantine(&self) -> f64 {
        self.adversaries.iter().map(|some| some.share).sum()
    }

    /// What the Byzantine peers do; `none` if there are none.
    pub fn behavior(&self) -> String {
        match &self.adversaries[..] {
            [] => "none".to_owned(),
            [all] => all.behavior.to_string(),
            several => {
                let one = |some: &Adversaries| format!("{} of {}", some.share, some.behavior);
                several.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The share of the peers that leave in a minute, where that is constant.
    pub fn churn_per_minute(&self) -> f64 {
        match self.churn.sessions {
            Sessions::Poisson { per_minute, .. } => per_minute,
            _ => 0.0,
        }
    }

    /// The scenario as a file.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}
