//! Voted prediction over the last models of a peer.

use crate::{
    Row, Task,
    model::{Learner, Model},
};

/// The label that most models of a cache give to a row; their mean for regression. A tie goes to the
/// label met first. An empty cache says zero.
pub fn vote<'a>(
    learner: &Learner,
    task: Task,
    cache: impl Iterator<Item = &'a [f32]>,
    row: Row<'_>,
) -> f32 {
    let mut ballots: [(f32, u32); MAX_LABELS] = [(0.0, 0); MAX_LABELS];
    let (mut sum, mut count) = (0.0, 0u32);
    for weights in cache {
        let label = learner.predict(weights, row);
        sum += label;
        count += 1;
        if task != Task::Regression
            && let Some(ballot) = ballots.iter_mut().find(|b| b.1 == 0 || b.0 == label)
        {
            *ballot = (label, ballot.1 + 1);
        }
    }
    match (task, count) {
        (_, 0) => 0.0,
        (Task::Regression, _) => sum / count as f32,
        _ => ballots
            .iter()
            .rev()
            .max_by_key(|ballot| ballot.1)
            .map_or(0.0, |ballot| ballot.0),
    }
}

/// More different labels than this in one vote are not counted; caches are smaller.
const MAX_LABELS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Loss, Step};

    #[test]
    fn the_majority_wins_and_regression_averages() {
        let models = [[1.0], [-2.0], [4.0]];
        let cache = || models.iter().map(|model| model.as_slice());
        let row = Row::Dense(&[1.0]);
        let binary = Learner::linear(Loss::Hinge, 1.0, Step::Decay, 1, Task::Binary);
        assert_eq!(vote(&binary, Task::Binary, cache(), row), 1.0);
        let real = Learner::linear(Loss::Squared, 1.0, Step::Decay, 1, Task::Regression);
        assert_eq!(vote(&real, Task::Regression, cache(), row), 1.0);
        assert_eq!(vote(&binary, Task::Binary, std::iter::empty(), row), 0.0);
    }
}
