//! Agreeing on scaling constants: mean and variance of every column by push-sum gossip
//! (Kempe, Dobra and Gehrke, FOCS 2003).
//!
//! Each peer starts with the sums over its own rows. Once a round it keeps half of what it holds and
//! sends the other half. Sums and weights are conserved, so every peer's ratio converges to the
//! network's mean, at a rate of the logarithm of the number of peers on an expander.

use crate::Row;
use serde::{Deserialize, Serialize};

/// What one peer holds of the network's sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushSum {
    /// Rows.
    weight: f64,
    /// Sum and sum of squares of each column.
    sums: Vec<[f64; 2]>,
}

/// One half of a peer's sums, on its way to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share(PushSum);

impl PushSum {
    /// The sums over a peer's own rows of `features` columns.
    pub fn of<'a>(features: usize, rows: impl Iterator<Item = Row<'a>>) -> PushSum {
        let mut own = PushSum {
            weight: 0.0,
            sums: vec![[0.0; 2]; features],
        };
        let mut add = |column: usize, value: f32| {
            if let Some(sum) = own.sums.get_mut(column) {
                sum[0] += f64::from(value);
                sum[1] += f64::from(value) * f64::from(value);
            }
        };
        for row in rows {
            own.weight += 1.0;
            match row {
                Row::Dense(values) => values.iter().enumerate().for_each(|(c, v)| add(c, *v)),
                Row::Sparse { columns, values } => {
                    columns
                        .iter()
                        .zip(values)
                        .for_each(|(c, v)| add(*c as usize, *v));
                }
            }
        }
        own
    }

    /// Halves what is held; the other half is to be sent to one partner, exactly once.
    pub fn split(&mut self) -> Share {
        self.weight /= 2.0;
        self.sums
            .iter_mut()
            .for_each(|sum| *sum = [sum[0] / 2.0, sum[1] / 2.0]);
        Share(self.clone())
    }

    /// Takes a share in. False, and nothing changed, when it cannot be an honest one: another number
    /// of columns, a negative or infinite sum of squares, no weight.
    #[must_use]
    pub fn absorb(&mut self, Share(share): &Share) -> bool {
        let sane = share.weight.is_finite()
            && share.weight >= 0.0
            && share.sums.len() == self.sums.len()
            && share.sums.iter().all(|[sum, square]| {
                // Cauchy and Schwarz: (Σx)² ≤ n Σx², with room for rounding.
                let bound = share.weight * square * (1.0 + 1e-6) + f64::MIN_POSITIVE;
                sum.is_finite() && square.is_finite() && sum * sum <= bound
            });
        if sane {
            self.weight += share.weight;
            for (own, share) in self.sums.iter_mut().zip(&share.sums) {
                own[0] += share[0];
                own[1] += share[1];
            }
        }
        sane
    }

    /// Mean and variance of each column as this peer sees them. A variance within rounding is zero.
    pub fn moments(&self) -> Vec<(f64, f64)> {
        let weight = self.weight.max(f64::MIN_POSITIVE);
        let moments = |[sum, square]: &[f64; 2]| {
            let mean = sum / weight;
            let variance = square / weight - mean * mean;
            let varies = variance > 1e-12 * (1.0 + mean * mean);
            (mean, if varies { variance } else { 0.0 })
        };
        self.sums.iter().map(moments).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn all_peers_come_to_the_same_constants() {
        let mut rng = random::stream(5, 1);
        let peers = 200;
        let values: Vec<[f32; 2]> = (0..peers)
            .map(|i| [i as f32, random::normal(&mut rng) as f32])
            .collect();
        let mut sums: Vec<PushSum> = values
            .iter()
            .map(|row| PushSum::of(2, [Row::Dense(row)].into_iter()))
            .collect();
        for _ in 0..60 {
            for peer in 0..peers {
                let share = sums[peer].split();
                assert!(sums[random::below(&mut rng, peers)].absorb(&share));
            }
        }
        for sum in &sums {
            let (mean, variance) = sum.moments()[0];
            assert!((mean - 99.5).abs() < 1e-3, "{mean}");
            assert!((variance.sqrt() - 57.734).abs() < 1e-2, "{variance}");
        }
    }

    #[test]
    fn impossible_shares_are_refused() {
        let mut own = PushSum::of(1, [Row::Dense(&[1.0])].into_iter());
        let before = own.clone();
        for (weight, sums) in [
            (f64::NAN, vec![[0.0, 0.0]]),
            (-1.0, vec![[0.0, 0.0]]),
            (1.0, vec![[0.0, f64::INFINITY]]),
            (1.0, vec![[5.0, 1.0]]),
            (1.0, vec![]),
        ] {
            assert!(!own.absorb(&Share(PushSum { weight, sums })));
            assert_eq!(own, before);
        }
    }

    #[test]
    fn a_constant_column_does_not_vary() {
        let rows = [[3.0f32], [3.0]];
        let own = PushSum::of(1, rows.iter().map(|row| Row::Dense(row)));
        assert_eq!(own.moments(), [(3.0, 0.0)]);
    }
}
