//! Rules that look at distances between models.

use super::{Scratch, add_all, coordinate};
use crate::vector::squared_distance;

/// The mean of the `best` models with the smallest sum of squared distances to their n − f − `short`
/// nearest others.
pub(super) fn krum(
    byzantine: usize,
    short: usize,
    best: usize,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    measure(out.len(), scratch);
    let count = scratch.models.len() / out.len();
    scratch.chosen.clear();
    scratch.chosen.extend(0..count as u32);
    rank(count, byzantine, short, scratch);
    scratch
        .ranked
        .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let dimension = out.len();
    let model = |place: u32| &scratch.models[place as usize * dimension..][..dimension];
    out.fill(0.0);
    let best = best.min(scratch.ranked.len());
    add_all(
        out,
        scratch.ranked[..best]
            .iter()
            .map(|(_, place)| model(*place)),
    );
    out.iter_mut()
        .for_each(|entry| *entry /= best.max(1) as f32);
}

/// Krum chooses one after another among those left, then the values around the median are averaged.
pub(super) fn bulyan(byzantine: usize, short: usize, out: &mut [f32], scratch: &mut Scratch) {
    measure(out.len(), scratch);
    let count = scratch.models.len() / out.len();
    let byzantine = byzantine.min(count.saturating_sub(3) / 4);
    let wanted = count - 2 * byzantine;
    // The first `taken` places are chosen, the others are left.
    let mut order: Vec<u32> = std::mem::take(&mut scratch.chosen);
    order.clear();
    order.extend(0..count as u32);
    for taken in 0..wanted {
        scratch.chosen.clear();
        scratch.chosen.extend_from_slice(&order[taken..]);
        rank(count, byzantine, short, scratch);
        let best = (scratch.ranked.iter()).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let place = best.and_then(|(_, best)| order[taken..].iter().position(|p| p == best));
        order.swap(taken, taken + place.unwrap_or(0));
    }
    order.truncate(wanted);
    scratch.chosen = order;
    coordinate::mean_around_median(wanted - 2 * byzantine, out, scratch);
}

/// Replaces each model by the mean of the n − f nearest to it, itself among them.
pub(super) fn mix_nearest(byzantine: usize, dimension: usize, scratch: &mut Scratch) {
    measure(dimension, scratch);
    let count = scratch.models.len() / dimension;
    scratch.mixed.clear();
    scratch.mixed.resize(scratch.models.len(), 0.0);
    for (place, mixed) in scratch.mixed.chunks_exact_mut(dimension).enumerate() {
        let row = &scratch.distances[place * count..][..count];
        scratch.ranked.clear();
        scratch.ranked.extend(row.iter().copied().zip(0u32..));
        scratch
            .ranked
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let nearest = &scratch.ranked[..count - byzantine];
        let model = |place: u32| &scratch.models[place as usize * dimension..][..dimension];
        add_all(mixed, nearest.iter().map(|(_, place)| model(*place)));
        mixed
            .iter_mut()
            .for_each(|entry| *entry /= nearest.len() as f32);
    }
    std::mem::swap(&mut scratch.models, &mut scratch.mixed);
}

/// Fills in the squared distances between all models.
fn measure(dimension: usize, scratch: &mut Scratch) {
    let models = || scratch.models.chunks_exact(dimension);
    scratch.distances.clear();
    for a in models() {
        scratch
            .distances
            .extend(models().map(|b| squared_distance(a, b)));
    }
}

/// Ranks the chosen models: each with the sum of its squared distances to the nearest others chosen.
fn rank(count: usize, byzantine: usize, short: usize, scratch: &mut Scratch) {
    let Scratch {
        distances,
        ranked,
        chosen,
        column,
        ..
    } = scratch;
    ranked.clear();
    let neighbours = chosen.len().saturating_sub(byzantine + short).max(1);
    for place in chosen.iter() {
        let row = &distances[*place as usize * count..][..count];
        column.clear();
        column.extend(
            chosen
                .iter()
                .filter(|other| *other != place)
                .map(|other| row[*other as usize]),
        );
        column.sort_unstable_by(f32::total_cmp);
        ranked.push((column.iter().take(neighbours).sum(), *place));
    }
}
