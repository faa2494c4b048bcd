//! What a world is made from. Everything that happens in it follows from these values.

use crate::{
    behaviour::Conduct,
    churn::Churn,
    machines::MachineFault,
    moves::{self, Move},
    publisher::SourceSettings,
    targets::Targets,
    wrong::{self, Wrong, field},
};
use hamlet_overlay::{
    genesis::{GenesisError, Parameters},
    time::Time,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use crate::links::LinkSettings;
pub use hamlet_consensus::Model as FaultModel;

/// Everything that a world is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The number from which all randomness is derived.
    pub seed: u64,
    /// How many peers there are, the source and the Byzantine ones included.
    pub peers: usize,
    /// The parameters of their network.
    pub parameters: Parameters,
    /// How peers come to their places in clusters.
    pub membership: Membership,
    /// How many streams there are, each of a source of its own.
    pub streams: usize,
    /// The rate of each stream, in bits per second.
    pub bits_per_s: u64,
    /// For how long the sources publish.
    pub publishing: Duration,
    /// What the source of the first stream does.
    pub source: SourceSettings,
    /// The Byzantine peers.
    pub adversaries: Vec<Adversaries>,
    /// How statements are signed.
    pub signatures: Signatures,
    /// What links are like.
    pub links: LinkSettings,
    /// Who leaves, and who comes back.
    pub churn: Churn,
    /// What is wrong with the peers' machines.
    pub machines: Vec<MachineFault>,
    /// Who is moved to another cluster.
    pub moves: Vec<Move>,
    /// Whether every peer computes everything itself. If not, equal computations over the same shards are
    /// done [once for all](crate::memo); nothing else changes.
    pub verify_all: bool,
    /// The mechanism that all peers lack, if any.
    #[cfg(feature = "ablation")]
    pub without: Option<hamlet_overlay::ablation::Mechanism>,
}

/// How peers come to their places in clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Membership {
    /// By the founding, and they keep them.
    #[default]
    Fixed,
    /// As clusters agree on it: who comes asks for a walk, who is gone is put out. Who comes back without what it knew
    /// is another peer, with a key of its own.
    Living,
}

/// Byzantine peers that do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversaries {
    /// Their share of all peers, drawn among all but sources.
    pub share: f64,
    /// The share is of these instead, and they are drawn among these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<Targets>,
    /// What they do.
    pub behavior: Conduct,
    /// From when on, in seconds from the first segment. Before that they follow the protocol.
    #[serde(default)]
    pub from_s: f64,
    /// Until when, in seconds from the first segment; if not given, for the rest of the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_s: Option<f64>,
}

impl Adversaries {
    /// A share of the peers that does this all the time.
    pub fn new(share: f64, behavior: Conduct) -> Adversaries {
        Adversaries {
            share,
            among: None,
            behavior,
            from_s: 0.0,
            until_s: None,
        }
    }

    fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        wrong::share(field(at, "share"), self.share)?;
        if let Some(among) = &self.among {
            among.check(&field(at, "among"), peers)?;
        }
        wrong::within(field(at, "from_s"), self.from_s, 0.0, DAY_S)?;
        match self.until_s {
            Some(until_s) => wrong::within(field(at, "until_s"), until_s, self.from_s, DAY_S),
            None => Ok(()),
        }
    }
}

/// A day, in seconds.
const DAY_S: f64 = 86_400.0;

/// How statements are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// By Ed25519, as on the network.
    Ed25519,
    /// By a keyed hash, which costs next to nothing and which no simulated adversary can forge.
    Simulated,
}

impl Signatures {
    /// The most peers for which Ed25519 is worth its time.
    pub const MAX_ED25519_PEERS: usize = 200;

    /// What suits a world of this many peers.
    pub fn for_peers(peers: usize) -> Signatures {
        match peers <= Signatures::MAX_ED25519_PEERS {
            true => Signatures::Ed25519,
            false => Signatures::Simulated,
        }
    }
}

impl Settings {
    /// How long the world is left alone before the first segment: time to connect.
    pub const WARM_UP: Duration = Duration::from_secs(1);
    /// How long a segment is waited for. The world goes on for so long after the last one was cut.
    pub const DRAIN: Duration = Duration::from_secs(5);
    /// A segment restored within this time of its cut is on time.
    pub const DEADLINE: Duration = Duration::from_millis(1500);
    /// After how long in the network a peer that came (back) must get every segment on time.
    pub const SETTLING: Duration = Duration::from_secs(10);
    /// After how long a peer that came should have a place in a cluster, where membership lives.
    pub const PLACING: Duration = Duration::from_secs(60);
    /// How much room the publisher's certificate leaves over the stream's rate, in percent.
    pub const CERTIFIED_PERCENT: u64 = 125;
    /// A decoder can start with every so many segments.
    pub const RANDOM_ACCESS_EVERY: u64 = 4;

    /// A world of so many honest peers in clusters of at most 32 on two cycles, through which 1 Mbit/s is
    /// streamed for so long over usual links.
    pub fn usual(peers: usize, publishing: Duration) -> Settings {
        Settings {
            seed: 1,
            peers,
            parameters: Parameters {
                h: 2,
                ..Parameters::for_peers(peers)
            },
            membership: Membership::Fixed,
            streams: 1,
            bits_per_s: 1_000_000,
            publishing,
            source: SourceSettings::default(),
            adversaries: Vec::new(),
            signatures: Signatures::for_peers(peers),
            links: LinkSettings::default(),
            churn: Churn::default(),
            machines: Vec::new(),
            moves: Vec::new(),
            verify_all: false,
            #[cfg(feature = "ablation")]
            without: None,
        }
    }

    /// When a stream's first segment is cut: streams take turns within the time of a segment.
    pub(crate) fn first_cut(&self, stream: usize) -> Time {
        let turn = self.parameters.segment() * stream as u32 / self.streams.max(1) as u32;
        Time::ZERO + Settings::WARM_UP + turn
    }

    /// Whether membership lives.
    pub(crate) fn lives(&self) -> bool {
        self.membership == Membership::Living
    }

    /// How many segments a source cuts.
    pub fn segments(&self) -> u64 {
        (self.publishing.as_micros() / self.parameters.segment().as_micros()) as u64
    }

    /// The length of a segment's payload, in bytes.
    pub fn segment_bytes(&self) -> usize {
        let bits = u128::from(self.bits_per_s) * u128::from(self.parameters.segment_ms) / 1000;
        (bits / 8) as usize
    }

    /// The share of Byzantine peers that are drawn among all.
    pub fn byzantine(&self) -> f64 {
        self.byzantine_share(self.adversaries.len())
    }

    fn byzantine_share(&self, kinds: usize) -> f64 {
        let first = self.adversaries.iter().take(kinds);
        let among_all = first.filter(|some| some.among.is_none());
        among_all.map(|some| some.share).sum()
    }

    /// How many peers those of the first so many kinds of [`Settings::adversaries`] are together that are drawn
    /// among all.
    pub(crate) fn byzantine_peers(&self, kinds: usize) -> usize {
        let others = self.peers.saturating_sub(self.streams);
        let share = self.byzantine_share(kinds);
        ((self.peers as f64 * share).round() as usize).min(others)
    }
}

/// Why there can be no world of such settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No network can be founded.
    #[error("no network can be founded: {0}")]
    Genesis(#[from] GenesisError),
    /// A founder is in no cluster.
    #[error("a founder is in no cluster of the network")]
    Founder,
    /// There is nobody to stream to.
    #[error("a stream needs a source and at least one peer to watch it: ask for 2 peers or more")]
    TooFewPeers,
    /// A share is not one.
    #[error("{what} must be between 0 and 1")]
    Share {
        /// Which share.
        what: &'static str,
    },
    /// A peer cannot take part in agreement.
    #[error("a peer cannot take part in agreement: {0}")]
    Agreement(String),
    /// A value of a scenario makes no sense.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// Nothing would be published.
    #[error("nothing would be published: the stream must hold at least one byte and one segment")]
    Nothing,
}

impl Settings {
    /// Checks that there can be a world of these settings, but for its network.
    ///
    /// # Errors
    /// What is wrong, with the field.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.peers < 2 {
            return Err(SettingsError::TooFewPeers);
        }
        if !(1..=self.peers).contains(&self.streams) {
            return Err(Wrong::new(
                "streams",
                format!(
                    "there may be 1 to {}, each of a peer of its own",
                    self.peers
                ),
            )
            .into());
        }
        self.source.check("source")?;
        moves::check(self)?;
        if self.lives() && !self.moves.is_empty() {
            let remedy =
                "where membership lives clusters move their members themselves: leave it out";
            return Err(Wrong::new("moves", remedy).into());
        }
        if self.lives() && self.source.lies() {
            let remedy = "sources that lie are tried where membership is fixed";
            return Err(Wrong::new(field("source", "behavior"), remedy).into());
        }
        for (number, some) in self.adversaries.iter().enumerate() {
            some.check(&format!("adversaries[{number}]"), self.peers)?;
        }
        for (what, share) in [(
            "the share of Byzantine peers, of all kinds together,",
            self.byzantine(),
        )] {
            if !(0.0..=1.0).contains(&share) {
                return Err(SettingsError::Share { what });
            }
        }
        self.links.check("links", self.peers)?;
        self.churn.check("churn", self.peers)?;
        for (number, fault) in self.machines.iter().enumerate() {
            fault.check(&format!("machines[{number}]"), self.peers)?;
        }
        if self.parameters.segment_ms == 0 || self.segments() == 0 || self.segment_bytes() == 0 {
            return Err(SettingsError::Nothing);
        }
        Ok(())
    }
}
