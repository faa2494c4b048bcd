//! Loops over slices of parameters, written so that the compiler turns them into vector instructions.
//!
//! Slices of one call have equal lengths; the shorter one bounds the work if they have not.

use crate::Row;

/// Numbers summed side by side: two SSE registers, or one AVX register.
const LANES: usize = 8;

/// The inner product of two dense vectors.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    rest + sums.iter().sum::<f32>()
}

/// The inner product of weights and a row.
#[inline]
pub fn product(weights: &[f32], row: Row<'_>) -> f32 {
    match row {
        Row::Dense(values) => dot(weights, values),
        Row::Sparse { columns, values } => columns
            .iter()
            .zip(values)
            .map(|(column, value)| weights.get(*column as usize).copied().unwrap_or(0.0) * value)
            .sum(),
    }
}

/// `weights ← shrink · weights + step · row`, over the columns from `first` on.
#[inline]
pub fn shrink_and_add(weights: &mut [f32], first: usize, shrink: f32, step: f32, row: Row<'_>) {
    match row {
        Row::Dense(values) => {
            let values = &values[first.min(values.len())..];
            for (weight, value) in weights.iter_mut().zip(values) {
                *weight = shrink * *weight + step * value;
            }
        }
        Row::Sparse { columns, values } => {
            weights.iter_mut().for_each(|weight| *weight *= shrink);
            let start = columns.partition_point(|column| (*column as usize) < first);
            for (column, value) in columns[start..].iter().zip(&values[start..]) {
                match weights.get_mut(*column as usize - first) {
                    Some(weight) => *weight += step * value,
                    None => break,
                }
            }
        }
    }
}

/// `into ← (1 − share) · into + share · other`.
#[inline]
pub fn mix(into: &mut [f32], other: &[f32], share: f32) {
    for (into, other) in into.iter_mut().zip(other) {
        *into += share * (other - *into);
    }
}

/// `out ← (1 − share) · a + share · b`.
#[inline]
pub fn mix_into(out: &mut [f32], a: &[f32], b: &[f32], share: f32) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a + share * (b - a);
    }
}

/// The Euclidean norm.
#[inline]
pub fn norm(a: &[f32]) -> f32 {
    dot(a, a).sqrt()
}

/// The squared Euclidean distance.
#[inline]
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The cosine of the angle between two vectors; zero when one of them is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let lengths = norm(a) * norm(b);
    if lengths > 0.0 && lengths.is_finite() {
        dot(a, b) / lengths
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sparse_row_does_what_its_dense_twin_does(
            row in prop::collection::vec(-3i8..3, 1..40),
            first in 0usize..40,
        ) {
            let dense: Vec<f32> = row.iter().map(|v| f32::from(*v)).collect();
            let columns: Vec<u32> = (0..row.len()).filter(|c| row[*c] != 0).map(|c| c as u32).collect();
            let values: Vec<f32> = columns.iter().map(|c| dense[*c as usize]).collect();
            let sparse = Row::Sparse { columns: &columns, values: &values };
            let weights: Vec<f32> = (0..row.len()).map(|i| i as f32).collect();
            prop_assert_eq!(product(&weights, Row::Dense(&dense)), product(&weights, sparse));
            let first = first.min(row.len());
            let (mut a, mut b) = (weights[first..].to_vec(), weights[first..].to_vec());
            shrink_and_add(&mut a, first, 0.5, 2.0, Row::Dense(&dense));
            shrink_and_add(&mut b, first, 0.5, 2.0, sparse);
            prop_assert_eq!(a, b);
        }

        #[test]
        fn dot_is_the_sum_of_products(row in prop::collection::vec(-9i8..9, 0..70)) {
            let row: Vec<f32> = row.iter().map(|v| f32::from(*v)).collect();
            prop_assert_eq!(dot(&row, &row), row.iter().map(|v| v * v).sum::<f32>());
        }
    }
}
