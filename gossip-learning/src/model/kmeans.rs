//! Clusters of rows by gossip: each row pulls the nearest centre, and models merge after their
//! centres have been matched (online k-means: MacQueen 1967; gossip: Berta and Jelasity 2017).

use super::Model;
use crate::{Row, random, vector};
use serde::{Deserialize, Serialize};

/// `centres` points in the space of the rows, one after the other in the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeans {
    /// The number of columns.
    pub features: usize,
    /// The number of centres, at most 128.
    pub centres: u32,
    /// How far a row pulls its centre, from 0 (not at all) to 1 (onto itself).
    pub rate: f32,
    /// Draws the centres that every peer starts from.
    pub seed: u64,
}

impl KMeans {
    fn nearest(&self, weights: &[f32], row: Row<'_>) -> (usize, f32) {
        let mut best = (0, f32::INFINITY);
        for (index, centre) in weights.chunks_exact(self.features).enumerate() {
            // |x − c|² without |x|², which is the same for every centre.
            let distance = vector::dot(centre, centre) - 2.0 * vector::product(centre, row);
            if distance < best.1 {
                best = (index, distance);
            }
        }
        best
    }
}

impl Model for KMeans {
    fn parameters(&self) -> usize {
        self.features * self.centres as usize
    }

    fn start(&self, weights: &mut [f32]) {
        let mut rng = random::stream(self.seed, 0);
        weights
            .iter_mut()
            .for_each(|weight| *weight = random::normal(&mut rng) as f32);
    }

    fn predict(&self, weights: &[f32], row: Row<'_>) -> f32 {
        self.nearest(weights, row).0 as f32
    }

    /// The squared distance to the nearest centre; the label plays no part.
    fn loss(&self, weights: &[f32], row: Row<'_>, _label: f32) -> f32 {
        let own = match row {
            Row::Dense(values) | Row::Sparse { values, .. } => vector::dot(values, values),
        };
        (own + self.nearest(weights, row).1).max(0.0)
    }

    fn update(&self, weights: &mut [f32], ages: &mut [u32], row: Row<'_>, _label: f32) {
        ages.iter_mut().for_each(|age| *age = age.saturating_add(1));
        let start = self.nearest(weights, row).0 * self.features;
        let centre = &mut weights[start..start + self.features];
        vector::shrink_and_add(centre, 0, 1.0 - self.rate, self.rate, row);
    }

    /// Matches each centre with the nearest one of the other model that is not taken yet.
    fn merge(&self, into: &mut [f32], other: &[f32], share: f32) {
        debug_assert!(self.centres <= 128);
        let mut taken = 0u128;
        for centre in into.chunks_exact_mut(self.features) {
            let free = other
                .chunks_exact(self.features)
                .enumerate()
                .filter(|(i, _)| taken >> *i & 1 == 0);
            let distance = |theirs: &[f32]| vector::squared_distance(centre, theirs);
            let best = free.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
            if let Some((index, theirs)) = best {
                taken |= 1 << index;
                vector::mix(centre, theirs, share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_matched_before_they_are_averaged() {
        let model = KMeans {
            features: 1,
            centres: 2,
            rate: 0.1,
            seed: 1,
        };
        let mut into = [0.0, 10.0];
        model.merge(&mut into, &[12.0, 2.0], 0.5);
        assert_eq!(into, [1.0, 11.0]);
    }

    #[test]
    fn a_row_pulls_its_nearest_centre() {
        let model = KMeans {
            features: 1,
            centres: 2,
            rate: 0.5,
            seed: 1,
        };
        let (mut weights, mut ages) = ([0.0, 10.0], [0]);
        model.update(&mut weights, &mut ages, Row::Dense(&[8.0]), 0.0);
        assert_eq!(weights, [0.0, 9.0]);
        assert_eq!(model.loss(&weights, Row::Dense(&[8.0]), 0.0), 1.0);
    }
}
