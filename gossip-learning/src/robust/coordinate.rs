//! Rules that look at one coordinate at a time.

use super::Scratch;

/// The mean of each coordinate without the `trim` largest and smallest; the median where that leaves
/// nothing.
pub(super) fn trimmed_mean(trim: usize, out: &mut [f32], scratch: &mut Scratch) {
    let dimension = out.len();
    for (place, entry) in out.iter_mut().enumerate() {
        let coordinate = scratch.models.iter().skip(place).step_by(dimension);
        scratch.column.clear();
        scratch.column.extend(coordinate);
        scratch.column.sort_unstable_by(f32::total_cmp);
        let trim = trim.min((scratch.column.len() - 1) / 2);
        let kept = &scratch.column[trim..scratch.column.len() - trim];
        *entry = kept.iter().sum::<f32>() / kept.len() as f32;
    }
}

/// The mean, in each coordinate of the chosen models, of the `keep` values nearest to their median.
pub(super) fn mean_around_median(keep: usize, out: &mut [f32], scratch: &mut Scratch) {
    let dimension = out.len();
    for (place, entry) in out.iter_mut().enumerate() {
        let value = |model: &u32| scratch.models[*model as usize * dimension + place];
        scratch.column.clear();
        scratch.column.extend(scratch.chosen.iter().map(value));
        let values = &mut scratch.column;
        values.sort_unstable_by(f32::total_cmp);
        let count = values.len();
        let median = 0.5 * (values[(count - 1) / 2] + values[count / 2]);
        // The nearest values lie side by side: drop the farther end until as many are left.
        let (mut low, mut high) = (0, count);
        while high - low > keep.max(1) {
            if median - values[low] > values[high - 1] - median {
                low += 1;
            } else {
                high -= 1;
            }
        }
        *entry = values[low..high].iter().sum::<f32>() / (high - low) as f32;
    }
}
