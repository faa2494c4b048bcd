//! What an epoch of learning came to.

use super::{Learning, Member};
use hamlet_gossip_learning::{Task, arena::Kind, model::Model};
use serde::Serialize;

/// What an epoch came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// The epoch that ended, from 0.
    pub epoch: u64,
    /// Peers that came to this epoch from another cluster.
    pub moved: usize,
    /// The mean number of links that are up.
    pub links_mean: f64,
    /// The mean number of links with triangles.
    pub supported_mean: f64,
    /// Models that arrived from the own cluster in this epoch,
    pub models_within: u64,
    /// and from others, along the cycles.
    pub models_along: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// The mean age of local and of global models, in rows.
    pub age_mean: [f64; 2],
    /// The mean loss of local and of global models on the test rows.
    pub loss_mean: [f64; 2],
    /// Their error there: the share of wrong labels, or the root of the mean squared error.
    pub error_mean: [f64; 2],
}

impl Learning {
    /// The state at the end of the epoch that lasts.
    pub(super) fn progress(&self) -> Progress {
        let peers = self.members.len() as f64;
        let learner = &self.settings.terms.learner;
        let mean = |of: &dyn Fn(usize) -> f64| (0..self.members.len()).map(of).sum::<f64>() / peers;
        let loss = |kind| {
            move |peer: usize| {
                let (weights, _) = self.members[peer].learner.model(kind);
                let rows = 0..self.test.len();
                let losses =
                    rows.map(|row| learner.loss(weights, self.test.row(row), self.test.label(row)));
                f64::from(losses.sum::<f32>()) / self.test.len().max(1) as f64
            }
        };
        let error = |kind| {
            move |peer: usize| {
                let (weights, _) = self.members[peer].learner.model(kind);
                let misses = (0..self.test.len()).map(|row| {
                    let off = learner.predict(weights, self.test.row(row)) - self.test.label(row);
                    match self.task {
                        Task::Regression => f64::from(off).powi(2),
                        _ => f64::from(u8::from(off != 0.0)),
                    }
                });
                let mean = misses.sum::<f64>() / self.test.len().max(1) as f64;
                match self.task {
                    Task::Regression => mean.sqrt(),
                    _ => mean,
                }
            }
        };
        let age = |kind| move |peer: usize| f64::from(self.members[peer].learner.model(kind).1);
        let up = |peer: usize| self.members[peer].ends.connected().count() as f64;
        let supported = |peer: usize| {
            let Member { ends, learner, .. } = &self.members[peer];
            let links = ends.connected();
            links
                .filter(|other| learner.supports(u64::from(*other)))
                .count() as f64
        };
        Progress {
            epoch: self.ended.len() as u64,
            moved: self.moved,
            links_mean: mean(&up),
            supported_mean: mean(&supported),
            models_within: self.counts[0],
            models_along: self.counts[1],
            refused: self.counts[2],
            age_mean: [mean(&age(Kind::Local)), mean(&age(Kind::Global))],
            loss_mean: [mean(&loss(Kind::Local)), mean(&loss(Kind::Global))],
            error_mean: [mean(&error(Kind::Local)), mean(&error(Kind::Global))],
        }
    }
}
