//! What a model betrays of the rows that it learned from, and what that costs to hide.
//!
//! One step of a linear model on one row is `w′ = (1 − ηλ) w + η g x`. Whoever sees w and w′ has x, but
//! for a factor: the rows stay with their owner, and what they say goes out. [`recover`] does that
//! subtraction; [`Experiment`] measures how often it succeeds.
//!
//! What helps: steps over many rows at once (a **minimum of rows**; their sum is harder to take apart),
//! an observer who does not know what the step began with (**merging** with models that he did not see),
//! and **Gaussian noise** on steps of bounded length, the only one with a proof: see [`Noise`].

mod experiment;
mod noise;

pub use experiment::{Experiment, Recovery};
pub use noise::{Noise, epsilon};

use crate::{Row, model::Model};

/// The direction of the row, or of the weighted sum of rows, that took `before` to `after` in
/// `updates` updates, written to `direction`; its length means nothing. `ages` are those of `before`.
///
/// The learner itself is asked what its regulariser alone would have done, by learning from a row of
/// zeros; what remains is the data's part.
pub fn recover(
    learner: &impl Model,
    before: &[f32],
    ages: &[u32],
    updates: usize,
    after: &[f32],
    direction: &mut Vec<f32>,
) {
    direction.clear();
    direction.extend_from_slice(before);
    let mut ages = ages.to_vec();
    let nothing = Row::Sparse {
        columns: &[],
        values: &[],
    };
    for _ in 0..updates {
        learner.update(direction, &mut ages, nothing, 0.0);
    }
    for (direction, after) in direction.iter_mut().zip(after) {
        *direction = after - *direction;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Task,
        model::{Learner, Loss, Step},
        vector::cosine,
    };

    #[test]
    fn one_step_on_one_row_reveals_it() {
        let row = [0.3, -2.0, 0.0, 1.5];
        let before = [1.0, 0.5, -0.5, 0.25];
        for (loss, lambda, step) in [
            (Loss::Hinge, 1e-2, Step::Decay),
            (Loss::SquaredSign, 10.0, Step::Decay),
            (Loss::Logistic, 1e-2, Step::Decay),
            (
                Loss::Squared,
                0.0,
                Step::Capped {
                    most: 0.02,
                    least: 0.0,
                },
            ),
        ] {
            let learner = Learner::linear(loss, lambda, step, 4, Task::Binary);
            let (mut after, mut ages) = (before, [7]);
            learner.update(&mut after, &mut ages, Row::Dense(&row), 1.0);
            let mut direction = Vec::new();
            recover(&learner, &before, &[7], 1, &after, &mut direction);
            assert!(
                cosine(&direction, &row).abs() > 0.999,
                "{loss:?}: {direction:?}"
            );
        }
    }
}
