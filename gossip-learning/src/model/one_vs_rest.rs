//! Several classes by one linear model for each, "this class" against all the others.

use super::{Linear, Model};
use crate::{Row, vector};
use serde::{Deserialize, Serialize};

/// One linear model per class, one after the other in the parameters; the highest score wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneVsRest {
    /// The model of each class.
    pub linear: Linear,
    /// The number of classes.
    pub classes: u32,
}

impl OneVsRest {
    fn truth(class: usize, label: f32) -> f32 {
        if label == class as f32 { 1.0 } else { -1.0 }
    }
}

impl Model for OneVsRest {
    fn parameters(&self) -> usize {
        self.linear.features * self.classes as usize
    }

    fn predict(&self, weights: &[f32], row: Row<'_>) -> f32 {
        let mut best = (f32::NEG_INFINITY, 0);
        for (class, weights) in weights.chunks_exact(self.linear.features).enumerate() {
            let score = vector::product(weights, row);
            if score > best.0 {
                best = (score, class);
            }
        }
        best.1 as f32
    }

    fn loss(&self, weights: &[f32], row: Row<'_>, label: f32) -> f32 {
        let each = weights.chunks_exact(self.linear.features).enumerate();
        each.map(|(class, w)| self.linear.loss(w, row, OneVsRest::truth(class, label)))
            .sum()
    }

    fn update(&self, weights: &mut [f32], ages: &mut [u32], row: Row<'_>, label: f32) {
        for (class, weights) in weights.chunks_exact_mut(self.linear.features).enumerate() {
            // Every class takes its step at the age before this row; the last one's count stays.
            if class > 0 {
                ages.iter_mut().for_each(|age| *age = age.saturating_sub(1));
            }
            self.linear
                .update(weights, ages, row, OneVsRest::truth(class, label));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Loss, Step};

    #[test]
    fn three_corners_are_told_apart() {
        let linear = Linear {
            features: 3,
            loss: Loss::Hinge,
            lambda: 0.01,
            step: Step::Decay,
            level: 0.0,
        };
        let model = OneVsRest { linear, classes: 3 };
        let rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let (mut weights, mut ages) = (vec![0.0; model.parameters()], [0]);
        for round in 0..300 {
            model.update(
                &mut weights,
                &mut ages,
                Row::Dense(&rows[round % 3]),
                (round % 3) as f32,
            );
        }
        assert_eq!(ages, [300]);
        for (class, row) in rows.iter().enumerate() {
            assert_eq!(model.predict(&weights, Row::Dense(row)), class as f32);
        }
    }
}
