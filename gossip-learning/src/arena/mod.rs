//! The simulation's arena: every peer of a network in a few long arrays.
//!
//! A round gives each online peer one turn, in a fresh random order; a turn sends at most one model
//! per slot. A message arrives at once, or after its delay, and is handled by the same
//! [`crate::protocol::receive`] that a live peer calls. A round allocates nothing once its buffers
//! are warm. All randomness of round `r` is drawn from a stream of its own, so an arena that was
//! stored between two rounds goes on as if it had not been.

mod churn;
mod evaluate;
mod flight;
mod gather;
mod inbox;
mod plane;
mod settings;
mod span;
mod turn;

#[cfg(test)]
mod tests;

pub use evaluate::{Measures, Scores, evaluate, sample};
pub(crate) use turn::HOPS_PER_ROUND;

pub use settings::{Churn, Defence, Delay, Settings, SettingsError, Way};

use crate::{
    Dataset, Partition,
    attack::Knowledge,
    graph::{Graph, TriangleSupport},
    model::{Learner, Model},
    protocol::Limits,
    random,
    robust::Record,
    sampler::Sampler,
};
use churn::Sessions;
use flight::Flight;
use plane::Plane;
use serde::{Deserialize, Serialize};
use span::Span;

/// What an arena's peers live in and never change.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The rows.
    pub data: &'a Dataset,
    /// Whose they are.
    pub partition: &'a Partition,
    /// The links, where the sampler asks for them.
    pub links: Option<(&'a Graph, &'a TriangleSupport)>,
}

/// One of the two models that a peer keeps: of its community, and of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Merged only with what the sampler's gate lets through.
    Local,
    /// Merged with everything.
    Global,
}

/// What was sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Models and parts of models.
    pub messages: u64,
    /// Their parameters and ages, four bytes each.
    pub bytes: u64,
    /// Messages that the receiver refused, see [`crate::protocol::Refusal`].
    pub refused: u64,
}

/// Every peer of a simulated network.
#[derive(Clone, Serialize, Deserialize)]
pub struct Arena {
    settings: Settings,
    limits: Limits,
    /// Rows that the busiest peer learns from in one step.
    rows_most: u32,
    labels: Span,
    round: u32,
    /// One plane, or a local and a global one.
    planes: Vec<Plane>,
    sampler: Sampler,
    /// What came over each direction of each link into the local slot, as [`Graph::arcs`] counts them; empty
    /// unless a jury wants it.
    records: Vec<Record>,
    sessions: Option<Sessions>,
    accounts: Vec<u32>,
    byzantine: Vec<bool>,
    knowledge: Vec<Knowledge>,
    flight: Flight,
    traffic: Traffic,
    #[serde(skip)]
    desk: turn::Desk,
}

impl Arena {
    /// All peers of `world` before the first round.
    ///
    /// # Errors
    /// When the settings contradict each other or the world; the message says which and what to do.
    pub fn new(settings: Settings, world: World<'_>) -> Result<Arena, SettingsError> {
        settings.check(&world)?;
        let peers = world.partition.peers();
        let width = settings.learner.parameters();
        let kinds = [Kind::Local, Kind::Global];
        let kinds = if settings.sampling.is_gated() {
            &kinds[..]
        } else {
            &kinds[1..]
        };
        let plane = |kind: &Kind| Plane::new(&settings, &world, *kind);
        let planes: Vec<Plane> = kinds.iter().map(plane).collect();
        let mut rng = random::stream(settings.seed, ROUND_ZERO);
        let mut byzantine = vec![false; peers];
        let liars = (settings.byzantine * peers as f64).round() as usize;
        byzantine[..liars.min(peers)].fill(true);
        random::shuffle(&mut rng, &mut byzantine);
        let rows_most = (0..peers)
            .map(|peer| world.partition.rows(peer).len())
            .max()
            .unwrap_or(0);
        let arcs = world.links.map_or(0, |(graph, _)| 2 * graph.links());
        Ok(Arena {
            records: vec![Record::default(); if settings.keeps_records() { arcs } else { 0 }],
            limits: settings.limits(world.data),
            rows_most: rows_most as u32,
            labels: Span::of(world.data.train.labels()),
            round: 0,
            sampler: Sampler::new(&settings.sampling, &world, &mut rng),
            sessions: settings
                .churn
                .map(|churn| Sessions::new(churn, peers, &mut rng)),
            accounts: vec![0; peers],
            byzantine,
            knowledge: (0..planes.len()).map(|_| Knowledge::new(width)).collect(),
            flight: Flight::new(settings.delay.map_or(0.0, |delay| delay.most)),
            traffic: Traffic::default(),
            desk: turn::Desk::default(),
            planes,
            settings,
        })
    }

    /// Rounds done.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// What the arena was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The number of peers.
    pub fn peers(&self) -> usize {
        self.byzantine.len()
    }

    /// Whether `peer` lies.
    pub fn is_byzantine(&self, peer: usize) -> bool {
        self.byzantine[peer]
    }

    /// The newest model of `peer`. Without a gate there is one model for both kinds.
    pub fn newest(&self, peer: usize, kind: Kind) -> &[f32] {
        self.plane(kind).newest(peer)
    }

    /// The age of the newest model of `peer`: that of its oldest part.
    pub fn age(&self, peer: usize, kind: Kind) -> u32 {
        self.plane(kind)
            .ages(peer)
            .iter()
            .copied()
            .max()
            .unwrap_or(0)
    }

    /// The models that `peer` votes with, the newest among them.
    pub fn cached(&self, peer: usize, kind: Kind) -> impl Iterator<Item = &[f32]> + Clone {
        self.plane(kind).cached(peer)
    }

    /// The model that all models of this arena are.
    pub fn learner(&self) -> &Learner {
        &self.settings.learner
    }

    fn plane(&self, kind: Kind) -> &Plane {
        &self.planes[if kind == Kind::Global {
            self.planes.len() - 1
        } else {
            0
        }]
    }
}

/// The stream of the draws before the first round; rounds use their own numbers.
const ROUND_ZERO: u64 = 0;
