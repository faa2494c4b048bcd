//! The colour of a model: models that are alike look alike.

use crate::graph::colour::oklch;
use std::f64::consts::TAU;

/// One colour for each model of each group, by one scale for all: the hue says in which direction a
/// model lies from the mean of all, the saturation how far. Equal colours are equal models; grey is the
/// mean of everybody. The directions are the two along which the models differ most (principal
/// components), each in units of its own deviation.
pub fn of_models(groups: &[&[f32]], parameters: usize) -> Vec<Vec<String>> {
    if parameters == 0 {
        return groups.iter().map(|_| Vec::new()).collect();
    }
    let models = || {
        groups
            .iter()
            .flat_map(|group| group.chunks_exact(parameters))
    };
    let count = models().count().max(1) as f64;
    let mut mean = vec![0.0; parameters];
    for model in models() {
        mean.iter_mut()
            .zip(model)
            .for_each(|(mean, entry)| *mean += f64::from(*entry) / count);
    }
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for number in 0..2 {
        axes.push(principal_axis(models, &mean, &axes, number));
    }
    let places: Vec<Vec<[f64; 2]>> = (groups.iter())
        .map(|group| {
            group
                .chunks_exact(parameters)
                .map(|m| [0, 1].map(|k| along(m, &mean, &axes[k])))
                .collect()
        })
        .collect();
    let mut deviation = [0.0f64; 2];
    for place in places.iter().flatten() {
        (0..2).for_each(|k| deviation[k] += place[k].powi(2) / count);
    }
    let paint = |place: &[f64; 2]| {
        let [x, y] = [0, 1].map(|k| place[k] / deviation[k].sqrt().max(f64::MIN_POSITIVE));
        let far = x.hypot(y).min(1.6) / 1.6;
        oklch(0.74 - 0.05 * far, 0.17 * far, y.atan2(x) / TAU)
    };
    places
        .iter()
        .map(|group| group.iter().map(paint).collect())
        .collect()
}

fn along(model: &[f32], mean: &[f64], axis: &[f64]) -> f64 {
    model
        .iter()
        .zip(mean)
        .zip(axis)
        .map(|((entry, mean), axis)| (f64::from(*entry) - mean) * axis)
        .sum()
}

/// The direction in which the models differ most, at right angles to `before`, by power iteration.
fn principal_axis<'a, M: Iterator<Item = &'a [f32]>>(
    models: impl Fn() -> M,
    mean: &[f64],
    before: &[Vec<f64>],
    number: usize,
) -> Vec<f64> {
    // Any start will do that is not at right angles to what is sought.
    let mut axis: Vec<f64> = (0..mean.len())
        .map(|k| ((k + 1) as f64 * (1.7 + number as f64)).sin())
        .collect();
    for _ in 0..60 {
        let mut next = vec![0.0; mean.len()];
        for model in models() {
            let along = along(model, mean, &axis);
            for ((next, entry), mean) in next.iter_mut().zip(model).zip(mean) {
                *next += along * (f64::from(*entry) - mean);
            }
        }
        for other in before {
            let common: f64 = next.iter().zip(other).map(|(a, b)| a * b).sum();
            next.iter_mut()
                .zip(other)
                .for_each(|(next, other)| *next -= common * other);
        }
        let length = next.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        if length.is_nan() || length <= f64::MIN_POSITIVE {
            return vec![0.0; mean.len()];
        }
        axis = next.into_iter().map(|entry| entry / length).collect();
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_models_have_equal_colours_and_the_mean_is_grey() {
        let models = [1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 2.0, 0.0, -2.0, 0.0, 0.0];
        let colours = of_models(&[&models[..4], &models[4..]], 2);
        assert_eq!(colours[0][0], colours[0][1]);
        assert_ne!(colours[0][0], colours[1][0]);
        // The mean lies at (1/6, 0): the last model, near it, is paler than the others.
        let spread = |colour: &str| {
            let bytes: Vec<i32> = [1, 3, 5]
                .iter()
                .map(|at| i32::from_str_radix(&colour[*at..at + 2], 16).unwrap())
                .collect();
            bytes.iter().max().unwrap() - bytes.iter().min().unwrap()
        };
        assert!(spread(&colours[1][3]) < spread(&colours[0][0]) / 2);
        assert_eq!(of_models(&[&[1.0, 1.0, 1.0, 1.0]], 2)[0].len(), 2);
    }
}
