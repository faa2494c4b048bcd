//! What the same rows give without gossip: trained in one place, in one place per community, and
//! weighted bagging of models that never merge (Ormándi et al. 2013, section 6.2).

use hamlet_gossip_learning::{
    Dataset, Row, Task,
    arena::World,
    model::{Learner, Model},
    random,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Test errors to compare with: shares of wrong labels, or root mean squared errors. `own` is the mean
/// over test rows, each judged by its community's model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Baselines {
    /// The model of this run, trained on all rows in one place.
    pub central: Option<f64>,
    /// The same per community; one entry each.
    pub per_community: BTreeMap<String, f64>,
    /// The mean of `per_community`, by test rows.
    pub per_community_mean: Option<f64>,
    /// Ridge regression on all rows, exactly solved; for numbers.
    pub ridge: Option<f64>,
    /// Ridge regression per community, judged per row of its own.
    pub ridge_per_community: Option<f64>,
    /// All of `bagged_models` random walks vote: after as many rows each as the last round's number.
    pub wb1: Option<f64>,
    /// As many vote as could have met in one peer by then, min(2^round, `bagged_models`).
    pub wb2: Option<f64>,
    /// The two at earlier rounds: round, WB1, WB2.
    pub bagging: Vec<(u32, f64, f64)>,
    /// The models bagged.
    pub bagged_models: usize,
}

/// How often central training goes over the rows.
const EPOCHS: usize = 20;
/// The most models bagged, and the most rows that each sees.
const BAGGED: usize = 500;
const BAGGED_ROUNDS: u32 = 1000;
/// The most rows and features of baselines: beyond, they would take longer than the run.
const MAX_WORK: usize = 20_000_000;

/// Computes them all.
pub fn compute(world: World<'_>, learner: &Learner, rounds: u32, seed: u64) -> Baselines {
    let data = world.data;
    let mut baselines = Baselines::default();
    let all: Vec<u32> = (0..data.train.len() as u32).collect();
    let tests: Vec<u32> = (0..data.test.len() as u32).collect();
    if !learner.predicts_labels()
        || data.train.len() * data.train.features() > MAX_WORK
        || tests.is_empty()
    {
        return baselines;
    }
    let central = train(data, learner, &all, seed);
    baselines.central = Some(error(data, &tests, |row| learner.predict(&central, row)));
    baselines.ridge = ridge(data, &all, &tests).map(|sum| (sum / tests.len() as f64).sqrt());

    let (mut squares, mut misses, mut judged) = (Some(0.0), 0.0, 0);
    for (community, name) in (0u32..).zip(&data.communities) {
        let (own, own_tests) = (
            of(&data.train_community, community),
            of(&data.test_community, community),
        );
        if own.is_empty() || own_tests.is_empty() {
            continue;
        }
        let weights = train(data, learner, &own, seed);
        let own_error = error(data, &own_tests, |row| learner.predict(&weights, row));
        baselines.per_community.insert(name.clone(), own_error);
        misses += own_error * own_tests.len() as f64;
        judged += own_tests.len();
        squares = squares
            .zip(ridge(data, &own, &own_tests))
            .map(|(sum, more)| sum + more);
    }
    if judged > 0 {
        baselines.per_community_mean = Some(misses / judged as f64);
        baselines.ridge_per_community = squares.map(|sum: f64| (sum / judged as f64).sqrt());
    }
    bag(&mut baselines, data, learner, rounds, seed);
    baselines
}

/// The rows of a community.
fn of(communities: &[u32], community: u32) -> Vec<u32> {
    let rows = (0u32..)
        .zip(communities)
        .filter(|(_, of)| **of == community);
    rows.map(|(row, _)| row).collect()
}

/// Goes over the rows in random order, again and again.
fn train(data: &Dataset, learner: &Learner, rows: &[u32], seed: u64) -> Vec<f32> {
    let mut rng = random::stream(seed, CENTRAL);
    let mut rows = rows.to_vec();
    let (mut weights, mut ages) = (vec![0.0; learner.parameters()], [0]);
    learner.start(&mut weights);
    for _ in 0..EPOCHS {
        random::shuffle(&mut rng, &mut rows);
        for &row in &rows {
            let row = row as usize;
            learner.update(
                &mut weights,
                &mut ages,
                data.train.row(row),
                data.train.label(row),
            );
        }
    }
    weights
}

/// The error of predictions for test rows.
fn error(data: &Dataset, tests: &[u32], predict: impl Fn(Row<'_>) -> f32) -> f64 {
    let misses = tests.iter().map(|row| {
        let (row, label) = (data.test.row(*row as usize), data.test.label(*row as usize));
        let predicted = predict(row);
        match data.task {
            Task::Regression => f64::from(predicted - label).powi(2),
            _ => f64::from(u8::from(predicted != label)),
        }
    });
    let mean = misses.sum::<f64>() / tests.len().max(1) as f64;
    if data.task == Task::Regression {
        mean.sqrt()
    } else {
        mean
    }
}

/// Ridge regression on the features, all of them penalised by 1: the sum of squared test errors.
fn ridge(data: &Dataset, rows: &[u32], tests: &[u32]) -> Option<f64> {
    let width = data.train.features();
    if data.task != Task::Regression || data.train.is_sparse() || width > 512 {
        return None;
    }
    // The normal equations (XᵀX + I) w = Xᵀy.
    let (mut gram, mut right) = (vec![0.0f64; width * width], vec![0.0f64; width]);
    for &row in rows {
        let Row::Dense(values) = data.train.row(row as usize) else {
            return None;
        };
        let label = f64::from(data.train.label(row as usize));
        for (i, a) in values.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            right[i] += f64::from(*a) * label;
            let line = gram[i * width..(i + 1) * width].iter_mut();
            line.zip(values)
                .for_each(|(g, b)| *g += f64::from(*a) * f64::from(*b));
        }
    }
    (0..width).for_each(|i| gram[i * width + i] += 1.0);
    let weights = solve(&mut gram, right)?;
    let squares = tests.iter().map(|row| {
        let Row::Dense(values) = data.test.row(*row as usize) else {
            return 0.0;
        };
        let z: f64 = values
            .iter()
            .zip(&weights)
            .map(|(x, w)| f64::from(*x) * w)
            .sum();
        (z - f64::from(data.test.label(*row as usize))).powi(2)
    });
    Some(squares.sum())
}

/// Solves a symmetric positive definite system by Cholesky's factors, in place.
fn solve(matrix: &mut [f64], mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - sum;
            if i == j {
                if rest <= 0.0 {
                    return None;
                }
                matrix[i * n + i] = rest.sqrt();
            } else {
                matrix[i * n + j] = rest / matrix[j * n + j];
            }
        }
    }
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| matrix[i * n + k] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| matrix[k * n + i] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * n + i];
    }
    Some(right)
}

/// Weighted bagging: independent models take one random row a round, and vote by the sum of their
/// scores.
fn bag(baselines: &mut Baselines, data: &Dataset, learner: &Learner, rounds: u32, seed: u64) {
    let Learner::Linear(linear) = learner else {
        return;
    };
    let mut rng = random::stream(seed, BAGGING);
    let count = data.train.len().min(BAGGED);
    let width = learner.parameters();
    let mut start = vec![0.0; width];
    learner.start(&mut start);
    let (mut models, mut ages) = (start.repeat(count), vec![[0u32]; count]);
    let tests: Vec<u32> = (0..data.test.len() as u32).collect();
    baselines.bagged_models = count;
    for round in 1..=rounds.min(BAGGED_ROUNDS) {
        for (weights, ages) in models.chunks_exact_mut(width).zip(&mut ages) {
            let row = random::below(&mut rng, data.train.len());
            linear.update(weights, ages, data.train.row(row), data.train.label(row));
        }
        let last = round == rounds.min(BAGGED_ROUNDS);
        if last || super::run::is_measured(round) && round % 10 == 0 {
            let vote = |many: usize| {
                let mut sum = vec![0.0f32; width];
                for weights in models.chunks_exact(width).take(many) {
                    sum.iter_mut()
                        .zip(weights)
                        .for_each(|(s, w)| *s += w / many as f32);
                }
                error(data, &tests, |row| linear.predict(&sum, row))
            };
            let met = if round < 20 {
                count.min(1 << round)
            } else {
                count
            };
            let (wb1, wb2) = (vote(count), vote(met));
            baselines.bagging.push((round, wb1, wb2));
            (baselines.wb1, baselines.wb2) = (Some(wb1), Some(wb2));
        }
    }
}

/// Streams of their own for each baseline.
const CENTRAL: u64 = u64::MAX;
const BAGGING: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_gossip_learning::{
        Rows,
        model::{Loss, Step},
    };

    #[test]
    fn bagged_models_begin_where_all_models_do() {
        let mut rows = Rows::dense(1);
        rows.push(Row::Dense(&[1.0]), 4.0);
        rows.push(Row::Dense(&[1.0]), 5.0);
        let data = Dataset {
            task: Task::Regression,
            features: Vec::new(),
            classes: Vec::new(),
            communities: vec!["all".to_owned()],
            train_community: vec![0; 2],
            test_community: vec![0; 2],
            test: rows.clone(),
            train: rows,
        };
        let step = Step::Capped {
            most: 0.02,
            least: 0.0,
        };
        let mut learner = Learner::linear(Loss::Squared, 0.0, step, 1, Task::Regression);
        if let Learner::Linear(linear) = &mut learner {
            linear.level = 4.5;
        }
        let mut baselines = Baselines::default();
        bag(&mut baselines, &data, &learner, 1, 1);
        assert!(
            baselines.wb1.is_some_and(|error| error < 0.52),
            "{baselines:?}"
        );
    }

    #[test]
    fn cholesky_solves_what_it_should() {
        // (4 2; 2 3) (1; 2) = (8; 8)
        let solved = solve(&mut [4.0, 2.0, 2.0, 3.0], vec![8.0, 8.0]).unwrap();
        assert!((solved[0] - 1.0).abs() < 1e-12 && (solved[1] - 2.0).abs() < 1e-12);
        assert!(solve(&mut [1.0, 2.0, 2.0, 1.0], vec![1.0, 1.0]).is_none());
    }
}
