//! Sorting out what lies far along the direction in which the models vary most.
//!
//! Liars who work together, each within the honest spread of every single parameter, still push the
//! same way: along that direction they stand apart, and they give it the greatest variance. So the
//! filter of Diakonikolas et al. (2017, arXiv 1703.00893): find the direction, take the farthest model
//! out, again and again, until nothing stands out.

use super::Scratch;
use crate::vector::squared_distance;

/// Steps of the power method; what separates liars separates fast.
const POWER_STEPS: usize = 8;

/// Leaves the places of the models that remain in `scratch.chosen`: more than half of them. Taken out is
/// what lies more than `reach` median absolute deviations from the median.
pub(super) fn sieve(reach: f32, dimension: usize, scratch: &mut Scratch) {
    let Scratch {
        models,
        mixed: gram,
        distances,
        ranked,
        chosen,
        column: along,
    } = scratch;
    let count = models.len() / dimension;
    distances.clear();
    for a in models.chunks_exact(dimension) {
        let others = models.chunks_exact(dimension);
        distances.extend(others.map(|b| squared_distance(a, b)));
    }
    chosen.clear();
    chosen.extend(0..count as u32);
    while chosen.len() > count / 2 + 1 {
        centre(chosen, distances, count, gram, along);
        principal(gram, chosen.len(), along, ranked);
        if !drop_farthest(reach, chosen, along, ranked) {
            break;
        }
    }
}

/// The scalar products of the chosen models, seen from their mean, from their squared distances.
fn centre(
    chosen: &[u32],
    distances: &[f32],
    count: usize,
    gram: &mut Vec<f32>,
    means: &mut Vec<f32>,
) {
    let row = |place: u32| {
        let row = &distances[place as usize * count..][..count];
        chosen.iter().map(|other| row[*other as usize])
    };
    let share = 1.0 / chosen.len() as f32;
    means.clear();
    means.extend(chosen.iter().map(|place| share * row(*place).sum::<f32>()));
    let all = share * means.iter().sum::<f32>();
    gram.clear();
    for (place, mean) in chosen.iter().zip(&*means) {
        let products = row(*place).zip(&*means);
        gram.extend(products.map(|(squared, other)| (mean + other - all - squared) / 2.0));
    }
}

/// The models' places along the direction of greatest variance, in `along`, but for a factor: the first
/// eigenvector of `gram`.
fn principal(gram: &[f32], count: usize, along: &mut Vec<f32>, spare: &mut Vec<(f32, u32)>) {
    let longest = (0..count).max_by(|a, b| {
        let squared = |place: &usize| gram[place * count + place];
        squared(a).total_cmp(&squared(b))
    });
    let start = longest.unwrap_or(0) * count;
    spare.clear();
    spare.extend(gram[start..start + count].iter().map(|entry| (*entry, 0)));
    for _ in 0..POWER_STEPS {
        let largest = spare.iter().map(|entry| entry.0.abs());
        let scale = largest.fold(f32::MIN_POSITIVE, f32::max);
        along.clear();
        along.extend(spare.iter().map(|entry| entry.0 / scale));
        spare.clear();
        let rows = gram.chunks_exact(count);
        spare.extend(rows.map(|row| (crate::vector::dot(row, along), 0)));
    }
}

/// Takes the model out that lies farthest from the median, if it stands out.
fn drop_farthest(
    reach: f32,
    chosen: &mut Vec<u32>,
    along: &[f32],
    ranked: &mut Vec<(f32, u32)>,
) -> bool {
    let half = chosen.len() / 2;
    let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    ranked.clear();
    ranked.extend(along.iter().copied().zip(0u32..));
    let median = ranked.select_nth_unstable_by(half, order).1.0;
    for (off, _) in ranked.iter_mut() {
        *off = (*off - median).abs();
    }
    ranked.sort_unstable_by(order);
    let usual = ranked[half].0;
    match ranked.last() {
        Some((farthest, place)) if *farthest > reach * usual => {
            chosen.remove(*place as usize);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, Scratch};
    use crate::random;

    /// Honest models of 40 parameters, and lies that are 1.5 deviations low in each of them.
    fn models(honest: usize, lies: usize) -> Vec<Vec<f32>> {
        let mut rng = random::stream(7, 1);
        let mut model = || {
            (0..40)
                .map(|_| 3.0 + random::normal(&mut rng) as f32)
                .collect()
        };
        let honest: Vec<Vec<f32>> = (0..honest).map(|_| model()).collect();
        let lie = vec![1.5; 40];
        honest
            .into_iter()
            .chain((0..lies).map(|_| lie.clone()))
            .collect()
    }

    fn merged(rule: &str, models: &[Vec<f32>]) -> Vec<f32> {
        let rule: Rule = rule.parse().unwrap();
        let models: Vec<&[f32]> = models.iter().map(Vec::as_slice).collect();
        let mut out = vec![0.0; 40];
        rule.aggregate(&models, 0, 4, &mut out, &mut Scratch::default());
        out
    }

    #[test]
    fn a_little_in_every_parameter_stands_out_in_their_sum() {
        let models = models(13, 4);
        let honest_mean = merged("mean", &models[..13]);
        assert_eq!(merged("sieve", &models), honest_mean);
        // Where each parameter is looked at alone, the lies pull.
        let pull = |out: &[f32]| {
            out.iter()
                .zip(&honest_mean)
                .map(|(a, b)| b - a)
                .sum::<f32>()
        };
        assert!(pull(&merged("median", &models)) > 8.0);
    }

    #[test]
    fn lies_that_dwarf_the_others_are_found_one_after_another() {
        let mut models = models(9, 0);
        let honest_mean = merged("mean", &models);
        for length in [1e3, -1e9, 1e15] {
            models.push(vec![length; 40]);
        }
        assert_eq!(merged("sieve", &models), honest_mean);
    }
}
