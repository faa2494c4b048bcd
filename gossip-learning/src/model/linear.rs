//! Linear models that learn by stochastic gradient steps: Pegasos, Adaline, logistic regression and
//! least mean squares.
//!
//! All take the same step. With age `t` (after counting this row), rate `η` and prediction
//! `z = ⟨w, x⟩` of the weights before the step:
//!
//! ```text
//! w ← (1 − ηλ) w + η g x      g = y if yz < 1, else 0     hinge (Pegasos: Shalev-Shwartz et al. 2007)
//!                             g = y − z                   squared (Adaline: Widrow and Hoff 1960)
//!                             g = y / (1 + exp(yz))       logistic
//! ```

use super::{Model, part};
use crate::{Row, vector};
use serde::{Deserialize, Serialize};

/// What a linear model minimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `max(0, 1 − yz)`, for labels −1 and +1.
    Hinge,
    /// `(y − z)² / 2` with labels −1 and +1; predicts a sign.
    SquaredSign,
    /// `(y − z)² / 2` with real labels; predicts `z`.
    Squared,
    /// `ln(1 + exp(−yz))`, for labels −1 and +1.
    Logistic,
}

/// The rate `η` at age `t`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `1 / (λt)`.
    Decay,
    /// `min(most, 1 / t)`, and never under `least`.
    Capped {
        /// The largest rate.
        most: f32,
        /// The smallest rate; zero lets it vanish.
        least: f32,
    },
}

/// One linear model over `features` columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// The number of columns, and of parameters.
    pub features: usize,
    /// What is minimised.
    pub loss: Loss,
    /// The weight `λ` of the regulariser `λ/2 · |w|²`.
    pub lambda: f32,
    /// How long the steps are.
    pub step: Step,
    /// What the last weight starts with, where the last column is an intercept: a level that the
    /// task's description states, so that nobody spends hundreds of rounds on learning it.
    pub level: f32,
}

impl Linear {
    #[inline]
    fn rate(&self, age: u32) -> f32 {
        match self.step {
            Step::Decay => 1.0 / (self.lambda * age as f32),
            Step::Capped { most, least } => (1.0 / age as f32).min(most).max(least),
        }
    }

    /// What pulls the weights along the row, for prediction `z` of label `y`.
    #[inline]
    fn pull(&self, z: f32, y: f32) -> f32 {
        match self.loss {
            Loss::Hinge => f32::from(y * z < 1.0) * y,
            Loss::SquaredSign | Loss::Squared => y - z,
            Loss::Logistic => y / (1.0 + (y * z).exp()),
        }
    }

    /// `⟨w, x⟩`.
    #[inline]
    pub fn score(&self, weights: &[f32], row: Row<'_>) -> f32 {
        vector::product(weights, row)
    }
}

impl Model for Linear {
    #[inline]
    fn parameters(&self) -> usize {
        self.features
    }

    fn start(&self, weights: &mut [f32]) {
        weights.fill(0.0);
        if let Some(last) = weights.last_mut() {
            *last = self.level;
        }
    }

    #[inline]
    fn predict(&self, weights: &[f32], row: Row<'_>) -> f32 {
        let z = self.score(weights, row);
        match self.loss {
            Loss::Squared => z,
            _ if z > 0.0 => 1.0,
            _ => -1.0,
        }
    }

    #[inline]
    fn loss(&self, weights: &[f32], row: Row<'_>, y: f32) -> f32 {
        let z = self.score(weights, row);
        match self.loss {
            Loss::Hinge => (1.0 - y * z).max(0.0),
            Loss::SquaredSign | Loss::Squared => (y - z) * (y - z) / 2.0,
            Loss::Logistic => {
                let margin = y * z;
                // The two forms agree; each is exact where the other overflows.
                if margin > 0.0 {
                    (-margin).exp().ln_1p()
                } else {
                    margin.exp().ln_1p() - margin
                }
            }
        }
    }

    #[inline]
    fn update(&self, weights: &mut [f32], ages: &mut [u32], row: Row<'_>, y: f32) {
        let pull = self.pull(self.score(weights, row), y);
        let parts = ages.len();
        for (index, age) in ages.iter_mut().enumerate() {
            *age = age.saturating_add(1);
            let rate = self.rate(*age);
            let range = part(self.features, index, parts);
            let first = range.start;
            let shrink = 1.0 - rate * self.lambda;
            vector::shrink_and_add(&mut weights[range], first, shrink, rate * pull, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(loss: Loss, lambda: f32, step: Step, rows: &[([f32; 2], f32)]) -> Vec<f32> {
        let model = Linear {
            features: 2,
            loss,
            lambda,
            step,
            level: 0.0,
        };
        let (mut weights, mut ages) = (vec![0.0; 2], [0]);
        for (row, label) in rows {
            model.update(&mut weights, &mut ages, Row::Dense(row), *label);
        }
        assert_eq!(ages[0] as usize, rows.len());
        weights
    }

    #[test]
    fn pegasos_follows_its_formula() {
        // t = 1: η = 1/λ = 2, shrink 0, hit: w = 2·(+1)·(1, 2). t = 2: η = 1, shrink 1/2, yz = −10: hit.
        let rows = [([1.0, 2.0], 1.0), ([1.0, 2.0], -1.0)];
        assert_eq!(after(Loss::Hinge, 0.5, Step::Decay, &rows[..1]), [2.0, 4.0]);
        assert_eq!(after(Loss::Hinge, 0.5, Step::Decay, &rows), [0.0, 0.0]);
        // A row beyond the margin only shrinks.
        let rows = [([1.0, 2.0], 1.0), ([1.0, 2.0], 1.0)];
        assert_eq!(after(Loss::Hinge, 0.5, Step::Decay, &rows), [1.0, 2.0]);
    }

    #[test]
    fn adaline_and_least_mean_squares_follow_theirs() {
        // η = 1/λ = 1/2, w = ½·(1 − 0)·x.
        let rows = [([1.0, 2.0], 1.0)];
        assert_eq!(
            after(Loss::SquaredSign, 2.0, Step::Decay, &rows),
            [0.5, 1.0]
        );
        // η = min(.25, 1/t): w = (1/4)(3, 0), then z = 3/4 and w = 3/4 + (1/4)(3 − 3/4).
        let step = Step::Capped {
            most: 0.25,
            least: 0.0,
        };
        let rows = [([1.0, 0.0], 3.0), ([1.0, 0.0], 3.0)];
        assert_eq!(after(Loss::Squared, 0.0, step, &rows), [1.3125, 0.0]);
    }

    #[test]
    fn logistic_loss_is_finite_far_out() {
        let model = Linear {
            features: 1,
            loss: Loss::Logistic,
            lambda: 1.0,
            step: Step::Decay,
            level: 0.0,
        };
        let row = Row::Dense(&[1.0]);
        assert_eq!(model.loss(&[1000.0], row, -1.0), 1000.0);
        assert_eq!(model.loss(&[1000.0], row, 1.0), 0.0);
        let (mut weights, mut ages) = ([1000.0], [0]);
        model.update(&mut weights, &mut ages, row, 1.0);
        assert!(weights[0].is_finite());
    }

    #[test]
    fn each_part_steps_by_its_own_age() {
        let model = Linear {
            features: 2,
            loss: Loss::SquaredSign,
            lambda: 1.0,
            step: Step::Decay,
            level: 0.0,
        };
        let (mut weights, mut ages) = ([1.0, 1.0], [0, 3]);
        // z = 2, pull = −1; first part: η = 1, shrink 0; second: η = 1/4, shrink 3/4.
        model.update(&mut weights, &mut ages, Row::Dense(&[1.0, 1.0]), 1.0);
        assert_eq!((weights, ages), ([-1.0, 0.5], [1, 4]));
    }
}
