//! Leaving out what most others point away from.
//!
//! Honest models of one task point to one half of the space as soon as they have learned anything; a model
//! that is turned round (sign flip, inner-product manipulation) points to the other half. That shows in single
//! scalar products, needs neither rows nor a guess of how many lie, and leaves honest models alone however
//! unlike they are otherwise.

use super::Scratch;
use crate::vector::dot;

/// Takes every model out of `scratch.models` that makes an obtuse angle with more than half of the others; the
/// model of number `own` always stays. Returns its new number.
pub(super) fn keep_acute(own: usize, dimension: usize, scratch: &mut Scratch) -> usize {
    let Scratch { models, chosen, .. } = scratch;
    let count = models.len() / dimension;
    let model = |place: usize| &models[place * dimension..][..dimension];
    let points_along = |place: &usize| {
        let others = (0..count).filter(|other| other != place);
        let along = others.filter(|other| dot(model(*place), model(*other)) >= 0.0);
        *place == own || 2 * along.count() >= count - 1
    };
    chosen.clear();
    chosen.extend((0..count).filter(points_along).map(|place| place as u32));
    for (to, from) in chosen.iter().enumerate() {
        let from = *from as usize * dimension;
        models.copy_within(from..from + dimension, to * dimension);
    }
    models.truncate(chosen.len() * dimension);
    chosen.partition_point(|place| (*place as usize) < own)
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, Scratch};
    use crate::random;

    /// Models that share a direction under noise of the same length, and some turned round.
    fn models(honest: usize, turned: usize) -> Vec<Vec<f32>> {
        let mut rng = random::stream(5, 1);
        let mut model = |sign: f32| -> Vec<f32> {
            let entry = |_| sign * (1.0 + random::normal(&mut rng) as f32);
            (0..40).map(entry).collect()
        };
        let honest: Vec<Vec<f32>> = (0..honest).map(|_| model(1.0)).collect();
        honest
            .into_iter()
            .chain((0..turned).map(|_| model(-0.5)))
            .collect()
    }

    fn merged(rule: &str, models: &[Vec<f32>], own: usize) -> Vec<f32> {
        let rule: Rule = rule.parse().unwrap();
        let models: Vec<&[f32]> = models.iter().map(Vec::as_slice).collect();
        let mut out = vec![0.0; 40];
        rule.aggregate(&models, own, 4, &mut out, &mut Scratch::default());
        out
    }

    #[test]
    fn what_is_turned_round_is_left_out_and_nothing_else() {
        let models = models(12, 5);
        assert_eq!(
            merged("acute+mean", &models, 0),
            merged("mean", &models[..12], 0)
        );
        assert_ne!(merged("mean", &models, 0), merged("mean", &models[..12], 0));
    }

    #[test]
    fn the_own_model_stays_and_is_found_again() {
        // The first three are turned round; the own one is among them, and clipping starts from it.
        let mut models = models(12, 3);
        models.rotate_right(3);
        let kept: Vec<Vec<f32>> = models[1..2].iter().chain(&models[3..]).cloned().collect();
        assert_eq!(merged("acute+clip", &models, 1), merged("clip", &kept, 0));
    }
}
