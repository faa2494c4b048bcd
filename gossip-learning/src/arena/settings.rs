//! What an arena is made with, and what contradicts itself.

use super::{
    Kind, World,
    gather::{Gather, MAX_INBOX, Together},
};
use crate::{
    Dataset, Row,
    attack::Attack,
    model::{Learner, Loss, Model, Step},
    protocol::{Limits, Rule, Tokens},
    robust::{self, Asked},
    sampler::Sampling,
    vector,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Delays, uniform between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// The shortest, in rounds.
    pub least: f64,
    /// The longest, in rounds.
    pub most: f64,
}

/// Sessions that end and begin. A session lasts `round(exp(N(mu, sigma²)))` rounds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    /// The share of the peers that are online at any time.
    pub online: f64,
    /// The mean of the logarithm of a session's rounds.
    pub mu: f64,
    /// Its standard deviation.
    pub sigma: f64,
}

/// A robust merge in place of the undefended one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Defence {
    /// How many received models it counts beside the peer's own.
    pub models: usize,
    /// What it does with them.
    pub way: Way,
}

/// What a defence does with the models received last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Way {
    /// Merges them all with the own one by a rule.
    Together {
        /// Whether as many received models as may be lies are left out first: those that fit the peer's own
        /// rows worst.
        fit: bool,
        /// The rule.
        rule: robust::Rule,
        /// How many of them may be lies.
        byzantine: usize,
    },
    /// Lets them judge the newest one, which is merged alone if they do not object ([`robust::judge`]). A regression
    /// that predicts for a row of the peer's own what no label is does not come before them.
    Jury,
}

/// Everything that decides a run, but for the world that it happens in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model.
    pub learner: Learner,
    /// How models merge and learn.
    pub rule: Rule,
    /// In how many parts a model travels, one part a message; 1 sends whole models.
    pub parts: usize,
    /// How many models a peer votes with.
    pub cache: usize,
    /// Whom a peer sends to.
    pub sampling: Sampling,
    /// When a peer sends.
    pub tokens: Tokens,
    /// Whether peers of high degree pass models on unmerged, with probability
    /// 1 − min(1, degree of the sender / own degree) (Giaretta and Girdzijauskas 2019).
    pub pass_through: bool,
    /// The probability that a message is lost.
    pub drop: f64,
    /// How long messages take; none arrives in the same instant.
    pub delay: Option<Delay>,
    /// Sessions; none keeps everybody online.
    pub churn: Option<Churn>,
    /// The share of the peers that lie.
    pub byzantine: f64,
    /// What liars do.
    pub attack: Option<Attack>,
    /// How honest peers merge, if not pairwise.
    pub defence: Option<Defence>,
    /// The seed of everything random.
    pub seed: u64,
}

/// Settings that make no sense. Nothing was built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Settings {
    /// How many received models a peer holds in this slot for a merge of several.
    pub(super) fn inbox(&self, kind: Kind) -> Option<usize> {
        match (&self.defence, self.sampling) {
            (Some(defence), _) => Some(defence.models),
            (None, Sampling::Pens { of, .. }) if kind == Kind::Local => Some(of),
            (None, _) => None,
        }
    }

    /// How received models are merged in this slot, if not one by one.
    pub(super) fn gather(&self, kind: Kind) -> Option<Gather<'_>> {
        match (&self.defence, self.sampling) {
            (Some(defence), _) => Some(match &defence.way {
                Way::Together {
                    fit,
                    rule,
                    byzantine,
                } => Gather::Together(Together {
                    fit: *fit,
                    rule,
                    byzantine: *byzantine,
                    models: defence.models,
                }),
                Way::Jury => Gather::Jury(Asked {
                    repeated: !self.sampling.needs_links(),
                    undoing: self.learner.classifies(),
                }),
            }),
            (None, Sampling::Pens { best, .. }) if kind == Kind::Local => Some(Gather::Best(best)),
            (None, _) => None,
        }
    }

    /// Whether peers keep a record of each link, to tell senders apart by what they send into the local slot.
    pub(super) fn keeps_records(&self) -> bool {
        self.has_jury() && self.sampling.is_gated()
    }

    /// Whether a jury judges what arrives.
    pub(super) fn has_jury(&self) -> bool {
        (self.defence.as_ref()).is_some_and(|defence| defence.way == Way::Jury)
    }

    /// The memory that the models of so many peers take, in bytes.
    pub fn memory_bytes(&self, peers: usize) -> u64 {
        let slots = if self.sampling.is_gated() { 2 } else { 1 };
        let beside =
            usize::from(self.rule.keeps_last()) + if self.cache > 1 { self.cache } else { 0 };
        let kinds = [Kind::Global, Kind::Local].into_iter().take(slots);
        let models: usize = kinds
            .map(|kind| 1 + beside + self.inbox(kind).unwrap_or(0))
            .sum();
        let bytes = [peers, models, self.learner.parameters()].map(|factor| factor as u64);
        bytes.into_iter().fold(4, u64::saturating_mul)
    }

    pub(super) fn check(&self, world: &World<'_>) -> Result<(), SettingsError> {
        let peers = world.partition.peers();
        let linear = matches!(self.learner, Learner::Linear(_));
        let several = self.inbox(Kind::Local).is_some();
        let rules: [(bool, &str); 13] = [
            (
                peers >= 2,
                "a network needs at least two peers: raise the number of peers",
            ),
            (
                (1..=MAX_PARTS).contains(&self.parts) && self.parts <= self.learner.parameters(),
                "models travel in 1 to 1024 parts, not more than they have parameters",
            ),
            (
                self.parts == 1 || (linear && !self.rule.needs_spare() && !several),
                "parts need a model with one row of weights, RW or MU, and a pairwise merge: \
                 set parts to 1",
            ),
            (
                (1..=MAX_CACHE).contains(&self.cache),
                "a cache holds 1 to 100 models",
            ),
            (
                (0.0..1.0).contains(&self.drop),
                "the probability of loss is from 0 to below 1",
            ),
            (
                self.delay
                    .is_none_or(|d| 0.0 <= d.least && d.least <= d.most && d.most <= 1000.0),
                "delays are in rounds, the shorter first, at most 1000",
            ),
            (
                self.churn
                    .is_none_or(|c| 0.0 < c.online && c.online < 1.0 && c.sigma >= 0.0),
                "the share online is between 0 and 1, and the sessions' deviation not negative",
            ),
            (
                (0.0..=0.5).contains(&self.byzantine),
                "the share of liars is from 0 to 0.5: beyond half, nothing can tell who lies",
            ),
            (
                self.byzantine == 0.0 || self.attack.is_some(),
                "Byzantine peers need an attack: name one, or set their share to 0",
            ),
            (
                self.defence
                    .as_ref()
                    .is_none_or(|d| (1..=MAX_INBOX).contains(&d.models)),
                "a defence counts 1 to 64 received models",
            ),
            (
                !self.sampling.needs_links() || world.links.is_some(),
                "this sampler chooses among the links of a graph: name a graph",
            ),
            (
                !self.pass_through || world.links.is_some(),
                "pass-through needs a graph's degrees",
            ),
            (
                self.sampling.is_sound(),
                "PENS keeps some of the models that it compares (at most 64), DAC's constants are \
                 positive, a view holds 1 to 64 peers, and triangles count from 1",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, problem)) => Err(SettingsError((*problem).to_owned())),
            None => Ok(()),
        }
    }

    /// Bounds that no honest model of this data exceeds.
    pub fn limits(&self, data: &Dataset) -> Limits {
        let rows = 0..data.train.len();
        let longest = rows
            .map(|row| row_norm(data.train.row(row)))
            .fold(1.0f32, f32::max);
        let label = data
            .train
            .labels()
            .iter()
            .fold(1.0f32, |most, label| most.max(label.abs()));
        let of = |linear: &crate::model::Linear| match (linear.step, linear.loss) {
            // Σ of at most t steps of length η·|x|, shrunk to R/λ by the regulariser.
            (Step::Decay, Loss::Hinge | Loss::Logistic) => 2.0 * longest / linear.lambda,
            // The first steps of a squared loss overshoot by η·|x|² before the rate has decayed.
            (Step::Decay, _) => 1e4 * longest * label / linear.lambda.min(1.0),
            (Step::Capped { .. }, _) => 100.0 * longest * label,
        };
        let norm_max = match &self.learner {
            Learner::Linear(linear) => of(linear),
            Learner::OneVsRest(each) => of(&each.linear) * (each.classes as f32).sqrt(),
            Learner::KMeans(k) => 2.0 * longest.max(8.0) * (k.parameters() as f32).sqrt(),
        };
        Limits {
            norm_max,
            age_slack: AGE_SLACK,
        }
    }
}

/// Models and peers differ in age by their luck; a model can make several hops in a round.
const AGE_SLACK: u32 = 64;
/// The most parts of a model.
const MAX_PARTS: usize = 1024;
/// The most models that a peer votes with.
const MAX_CACHE: usize = 100;

fn row_norm(row: Row<'_>) -> f32 {
    match row {
        Row::Dense(values) | Row::Sparse { values, .. } => vector::norm(values),
    }
}
