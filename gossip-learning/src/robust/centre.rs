//! Rules that look for a centre: clipping around the own model, the geometric median.

use super::{Radius, Scratch, coordinate};
use crate::vector::squared_distance;

/// `own ← own + weight · (other − own)`, the difference first shortened to `radius`: ClippedGossip
/// between two peers (arXiv 2202.01545). A liar moves a peer by `weight · radius` at most.
#[inline]
pub fn clip(own: &mut [f32], other: &[f32], weight: f32, radius: f32) {
    let share = weight * shortening(squared_distance(own, other), radius);
    crate::vector::mix(own, other, share);
}

/// The factor that shortens a vector of this squared length to `radius`.
fn shortening(squared_length: f32, radius: f32) -> f32 {
    let length = squared_length.sqrt();
    if length > radius {
        radius / length
    } else {
        1.0
    }
}

/// The own model moved by the mean of the clipped differences to all models, itself among them.
pub(super) fn clipped_mean(own: usize, radius: Radius, out: &mut [f32], scratch: &mut Scratch) {
    let dimension = out.len();
    let models = scratch.models.chunks_exact(dimension);
    let count = models.len() as f32;
    let centre = &scratch.models[own * dimension..][..out.len()];
    scratch.column.clear();
    scratch
        .column
        .extend(models.clone().map(|model| squared_distance(model, centre)));
    let radius = match radius {
        Radius::Fixed(radius) => radius,
        Radius::Median => {
            scratch.ranked.clear();
            scratch
                .ranked
                .extend(scratch.column.iter().copied().zip(0u32..));
            scratch.ranked.swap_remove(own);
            scratch.ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let middle = scratch.ranked.len().saturating_sub(1) / 2;
            scratch
                .ranked
                .get(middle)
                .map_or(0.0, |(squared, _)| squared.sqrt())
        }
    };
    out.copy_from_slice(centre);
    for (model, squared) in models.zip(&scratch.column) {
        let share = shortening(*squared, radius) / count;
        for ((entry, other), centre) in out.iter_mut().zip(model).zip(centre) {
            *entry += share * (other - centre);
        }
    }
}

/// Weiszfeld's steps towards the geometric median, each distance at least `smoothing`.
pub(super) fn geometric_median(smoothing: f32, steps: u32, out: &mut [f32], scratch: &mut Scratch) {
    coordinate::trimmed_mean(usize::MAX, out, scratch);
    for _ in 0..steps {
        scratch.mixed.clear();
        scratch.mixed.resize(out.len(), 0.0);
        let mut total = 0.0;
        for model in scratch.models.chunks_exact(out.len()) {
            let weight = squared_distance(model, out).sqrt().max(smoothing).recip();
            total += weight;
            for (sum, entry) in scratch.mixed.iter_mut().zip(model) {
                *sum += weight * entry;
            }
        }
        for (entry, sum) in out.iter_mut().zip(&scratch.mixed) {
            *entry = sum / total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_model_moves_the_own_one_by_the_radius_at_most() {
        let mut own = [0.0, 0.0];
        clip(&mut own, &[30.0, 40.0], 0.5, 1.0);
        assert!((own[0] - 0.3).abs() < 1e-6 && (own[1] - 0.4).abs() < 1e-6);
        let mut own = [0.0, 0.0];
        clip(&mut own, &[0.6, 0.0], 0.5, 1.0);
        assert_eq!(own, [0.3, 0.0]);
    }
}
