//! Models: functions over a slice of parameters that a peer, a message or the arena owns.
//!
//! A model's **age** counts the rows that it has seen and sets the size of its next step. Models
//! that are exchanged in parts have one age per part; all others have one.

mod kmeans;
mod linear;
mod one_vs_rest;

pub use kmeans::KMeans;
pub use linear::{Linear, Loss, Step};
pub use one_vs_rest::OneVsRest;

use crate::{Row, Task};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What every model does. Parameters go in and out as slices of [`Model::parameters`] numbers.
pub trait Model {
    /// The number of parameters.
    fn parameters(&self) -> usize;

    /// Writes the parameters that a peer starts from.
    fn start(&self, weights: &mut [f32]) {
        weights.fill(0.0);
    }

    /// The label that these weights give to a row.
    fn predict(&self, weights: &[f32], row: Row<'_>) -> f32;

    /// How badly the weights fit a row, in the unit that the model minimises.
    fn loss(&self, weights: &[f32], row: Row<'_>, label: f32) -> f32;

    /// Learns from one row; every part grows older by one.
    fn update(&self, weights: &mut [f32], ages: &mut [u32], row: Row<'_>, label: f32);

    /// `into ← (1 − share) · into + share · other`, for the same stretch of parameters of both.
    fn merge(&self, into: &mut [f32], other: &[f32], share: f32) {
        crate::vector::mix(into, other, share);
    }
}

/// Where part `index` of `parts` lies among `parameters` numbers.
#[inline]
pub fn part(parameters: usize, index: usize, parts: usize) -> Range<usize> {
    if parts == 1 {
        // The usual case, without two divisions for every update.
        return 0..parameters;
    }
    parameters * index / parts..parameters * (index + 1) / parts
}

/// Any of the models, chosen at run time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Learner {
    /// One linear model: binary classification or regression.
    Linear(Linear),
    /// One linear model per class.
    OneVsRest(OneVsRest),
    /// Centres of clusters of rows.
    KMeans(KMeans),
}

impl Learner {
    /// A linear learner for `task` over `features` columns, which starts from nothing.
    pub fn linear(loss: Loss, lambda: f32, step: Step, features: usize, task: Task) -> Learner {
        let linear = Linear {
            features,
            loss,
            lambda,
            step,
            level: 0.0,
        };
        match task {
            Task::MultiClass { classes } => Learner::OneVsRest(OneVsRest { linear, classes }),
            Task::Binary | Task::Regression => Learner::Linear(linear),
        }
    }

    /// Whether what it predicts is a label, and no number of a centre.
    pub fn predicts_labels(&self) -> bool {
        !matches!(self, Learner::KMeans(_))
    }

    /// Whether it tells classes apart.
    pub fn classifies(&self) -> bool {
        match self {
            Learner::Linear(linear) => linear.loss != Loss::Squared,
            Learner::OneVsRest(_) => true,
            Learner::KMeans(_) => false,
        }
    }
}

macro_rules! each {
    ($learner:expr, $model:ident => $answer:expr) => {
        match $learner {
            Learner::Linear($model) => $answer,
            Learner::OneVsRest($model) => $answer,
            Learner::KMeans($model) => $answer,
        }
    };
}

impl Model for Learner {
    #[inline]
    fn parameters(&self) -> usize {
        each!(self, model => model.parameters())
    }

    fn start(&self, weights: &mut [f32]) {
        each!(self, model => model.start(weights));
    }

    #[inline]
    fn predict(&self, weights: &[f32], row: Row<'_>) -> f32 {
        each!(self, model => model.predict(weights, row))
    }

    #[inline]
    fn loss(&self, weights: &[f32], row: Row<'_>, label: f32) -> f32 {
        each!(self, model => model.loss(weights, row, label))
    }

    #[inline]
    fn update(&self, weights: &mut [f32], ages: &mut [u32], row: Row<'_>, label: f32) {
        each!(self, model => model.update(weights, ages, row, label));
    }

    #[inline]
    fn merge(&self, into: &mut [f32], other: &[f32], share: f32) {
        each!(self, model => model.merge(into, other, share));
    }
}
