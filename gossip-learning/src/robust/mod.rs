//! Merging models of which some were sent by liars.
//!
//! A [`Rule`] makes one model of the own one and several received ones, of which at most `f` are
//! assumed to be wrong in any way. The classic rules want more than 2f models (Bulyan 4f + 3); where
//! fewer have come, `f` is taken as what their number allows. [`clip`] is the rule for two peers; [`judge`]
//! says of one model whether it may be merged at all, [`Record`] of one link whether anything may that comes over it.
//!
//! Models are to be admitted before they are merged
//! ([`Limits::admit`](crate::protocol::Limits::admit)): what is not finite makes every distance
//! meaningless.

mod acute;
mod centre;
mod coordinate;
mod distance;
mod jury;
mod record;
mod rule;
mod sieve;

pub use centre::clip;
pub use jury::{Asked, Objection, judge};
pub use record::Record;
pub use rule::{Radius, Rule};

/// Memory that a rule works in; kept between calls, so that no call allocates once it has grown.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The models, one after another.
    models: Vec<f32>,
    /// A second such matrix.
    mixed: Vec<f32>,
    /// Squared distances between models, row by row.
    distances: Vec<f32>,
    /// Places of models with what they are ranked by.
    ranked: Vec<(f32, u32)>,
    /// Places of chosen models.
    chosen: Vec<u32>,
    /// One coordinate of all models, or one distance to each.
    column: Vec<f32>,
}

impl Rule {
    /// Merges `models`, of which number `own` is the peer's own and at most `byzantine` are wrong, into
    /// `out`. No model, or one without parameters, leaves `out` as it is.
    ///
    /// # Panics
    /// When the models or `out` differ in length: admission checks that.
    pub fn aggregate(
        &self,
        models: &[&[f32]],
        own: usize,
        byzantine: usize,
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let count = models.len();
        if count == 0 || out.is_empty() {
            return;
        }
        let byzantine = byzantine.min((count - 1) / 2);
        scratch.models.clear();
        for model in models {
            assert_eq!(model.len(), out.len(), "models of one task have one length");
            scratch.models.extend_from_slice(model);
        }
        self.apply(own.min(count - 1), byzantine, out, scratch);
    }

    fn apply(&self, own: usize, byzantine: usize, out: &mut [f32], scratch: &mut Scratch) {
        match self {
            Rule::Mean => {
                out.fill(0.0);
                let count = scratch.models.len() / out.len();
                add_all(out, scratch.models.chunks_exact(out.len()));
                out.iter_mut().for_each(|entry| *entry /= count as f32);
            }
            Rule::Clip { radius } => centre::clipped_mean(own, *radius, out, scratch),
            Rule::GeometricMedian { smoothing, steps } => {
                centre::geometric_median(*smoothing, *steps, out, scratch);
            }
            Rule::Median => coordinate::trimmed_mean(usize::MAX, out, scratch),
            Rule::TrimmedMean => coordinate::trimmed_mean(byzantine, out, scratch),
            Rule::Krum { short } => distance::krum(byzantine, *short, 1, out, scratch),
            Rule::MultiKrum { short, best } => {
                let count = scratch.models.len() / out.len();
                let best = best.unwrap_or(count - byzantine).clamp(1, count);
                distance::krum(byzantine, *short, best, out, scratch);
            }
            Rule::Bulyan { short } => distance::bulyan(byzantine, *short, out, scratch),
            Rule::Sieve { reach } => {
                sieve::sieve(*reach, out.len(), scratch);
                let dimension = out.len();
                let model =
                    |place: &u32| &scratch.models[*place as usize * dimension..][..dimension];
                out.fill(0.0);
                add_all(out, scratch.chosen.iter().map(model));
                let kept = scratch.chosen.len().max(1) as f32;
                out.iter_mut().for_each(|entry| *entry /= kept);
            }
            Rule::Acute(rule) => {
                let before = scratch.models.len();
                let own = acute::keep_acute(own, out.len(), scratch);
                let out_of_it = (before - scratch.models.len()) / out.len();
                let count = scratch.models.len() / out.len();
                let byzantine = byzantine.saturating_sub(out_of_it).min((count - 1) / 2);
                rule.apply(own, byzantine, out, scratch);
            }
            Rule::NearestFirst(rule) => {
                distance::mix_nearest(byzantine, out.len(), scratch);
                rule.apply(own, byzantine, out, scratch);
            }
        }
    }
}

fn add_all<'a>(to: &mut [f32], vectors: impl Iterator<Item = &'a [f32]>) {
    for vector in vectors {
        for (sum, entry) in to.iter_mut().zip(vector) {
            *sum += entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: [&str; 14] = [
        "mean",
        "clip",
        "clip:radius=1",
        "median",
        "trimmed-mean",
        "krum",
        "multi-krum",
        "bulyan",
        "geometric-median",
        "nnm+trimmed-mean",
        "sieve",
        "sieve:reach=5",
        "acute+sieve",
        "acute+nnm+krum",
    ];

    fn merged(rule: &str, models: &[&[f32]], byzantine: usize) -> Vec<f32> {
        let rule: Rule = rule.parse().unwrap();
        let mut out = vec![0.0; models[0].len()];
        rule.aggregate(models, 0, byzantine, &mut out, &mut Scratch::default());
        out
    }

    #[test]
    fn two_liars_of_eleven_move_every_rule_but_the_mean_little() {
        let honest: Vec<Vec<f32>> = (0..9)
            .map(|i| vec![1.0 + 0.1 * i as f32, -2.0, 0.5])
            .collect();
        let lies = [vec![1e6, 1e6, 1e6], vec![-1e6, 1e6, -1e6]];
        let models: Vec<&[f32]> = honest.iter().chain(&lies).map(Vec::as_slice).collect();
        for rule in RULES {
            let out = merged(rule, &models, 2);
            let off = (out[0] - 1.4).abs() + (out[1] + 2.0).abs() + (out[2] - 0.5).abs();
            assert_eq!(off < 1.0, rule != "mean", "{rule}: {out:?}");
        }
    }

    #[test]
    fn equal_models_stay_as_they_are() {
        let model = [1.0f32, -2.0, 0.0, 4.0];
        for rule in RULES {
            for count in 1..9 {
                let out = merged(rule, &vec![&model[..]; count], count);
                let same = out.iter().zip(model).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(same, "{rule} of {count}: {out:?}");
            }
        }
    }

    #[test]
    fn scratch_keeps_nothing_between_calls() {
        let (a, b, c) = ([1.0, 2.0], [3.0, 1.0], [2.0, 9.0]);
        let mut scratch = Scratch::default();
        for rule in RULES {
            let rule: Rule = rule.parse().unwrap();
            let (mut warm, mut cold) = ([0.0; 2], [0.0; 2]);
            rule.aggregate(&[&a, &b, &c], 0, 1, &mut warm, &mut scratch);
            rule.aggregate(&[&a, &b, &c], 0, 1, &mut cold, &mut Scratch::default());
            assert_eq!(warm, cold);
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(
            models in prop::collection::vec(prop::array::uniform3(any::<f32>()), 0..9),
            own in 0usize..12,
            byzantine in 0usize..12,
        ) {
            let models: Vec<&[f32]> = models.iter().map(|model| &model[..]).collect();
            for rule in RULES {
                let rule: Rule = rule.parse().unwrap();
                rule.aggregate(&models, own, byzantine, &mut [0.0; 3], &mut Scratch::default());
            }
        }

        #[test]
        fn order_does_not_matter_to_coordinate_rules(
            models in prop::collection::vec(prop::array::uniform3(-9i8..9), 1..9),
        ) {
            let models: Vec<[f32; 3]> = models.iter().map(|model| model.map(f32::from)).collect();
            let forward: Vec<&[f32]> = models.iter().map(|model| &model[..]).collect();
            let backward: Vec<&[f32]> = forward.iter().rev().copied().collect();
            for rule in ["median", "trimmed-mean"] {
                prop_assert_eq!(merged(rule, &forward, 1), merged(rule, &backward, 1));
            }
        }
    }
}
