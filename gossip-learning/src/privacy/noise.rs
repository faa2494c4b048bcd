//! Differential privacy of whole peers by Gaussian noise.

use crate::{random::normal, vector};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Steps of bounded length with Gaussian noise.
///
/// A published step differs by at most `radius` from no step at all, whatever the peer's rows are, so
/// noise of deviation `multiplier · radius` in every parameter hides whether the peer learned at all:
/// (ε, δ) differential privacy with the ε of [`epsilon`], against everybody who sees everything the peer
/// sends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The longest step.
    pub radius: f32,
    /// The noise's deviation over the radius.
    pub multiplier: f32,
}

impl Noise {
    /// Shortens the step from `before` to `after` and adds the noise.
    pub fn publish(&self, before: &[f32], after: &mut [f32], rng: &mut ChaCha8Rng) {
        let length = vector::squared_distance(before, after).sqrt();
        let share = if length > self.radius {
            self.radius / length
        } else {
            1.0
        };
        let deviation = f64::from(self.multiplier * self.radius);
        for (after, before) in after.iter_mut().zip(before) {
            let noise = (deviation * normal(rng)) as f32;
            *after = before + share * (*after - before) + noise;
        }
    }
}

/// The ε that `steps` published steps with this noise multiplier give at `delta`.
///
/// One step is 1/multiplier-GDP; k steps, each depending on those before, are √k/multiplier-GDP; and
/// μ-GDP is (ε, δ)-DP exactly where δ = Φ(−ε/μ + μ/2) − e^ε Φ(−ε/μ − μ/2) (Dong, Roth, Su 2022;
/// Balle and Wang 2018). Infinite without noise.
pub fn epsilon(multiplier: f64, steps: u32, delta: f64) -> f64 {
    let mu = f64::from(steps).sqrt() / multiplier;
    if mu == 0.0 || delta >= 1.0 {
        return 0.0;
    }
    if !mu.is_finite() || delta.is_nan() || delta <= 0.0 {
        return f64::INFINITY;
    }
    let delta_of = |epsilon: f64| {
        let second = tail(epsilon / mu + mu / 2.0);
        let weighted = if second > 0.0 {
            (epsilon + second.ln()).exp()
        } else {
            0.0
        };
        tail(epsilon / mu - mu / 2.0) - weighted
    };
    let (mut low, mut high) = (0.0, 1.0);
    while delta_of(high) > delta {
        high *= 2.0;
        if high > 1e6 {
            return f64::INFINITY;
        }
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if delta_of(middle) > delta {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

/// The probability that a standard normal draw exceeds `x`.
fn tail(x: f64) -> f64 {
    0.5 * libm::erfc(x / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn epsilon_satisfies_its_definition() {
        // The exact δ of the Gaussian mechanism at μ = 1, ε = 1: Φ(−½) − e Φ(−3/2).
        let delta = 0.308_537_538_725_987 - std::f64::consts::E * 0.066_807_201_268_858_1;
        assert!((epsilon(1.0, 1, delta) - 1.0).abs() < 1e-9);
        // Four steps with twice the noise are as private as one.
        assert!((epsilon(2.0, 4, 1e-5) - epsilon(1.0, 1, 1e-5)).abs() < 1e-9);
        assert!(epsilon(1.0, 1, 1e-5) > epsilon(4.0, 1, 1e-5));
        assert_eq!(epsilon(0.0, 1, 1e-5), f64::INFINITY);
        assert_eq!(epsilon(1.0, 0, 1e-5), 0.0);
    }

    #[test]
    fn steps_are_short_and_noisy() {
        let noise = Noise {
            radius: 1.0,
            multiplier: 0.5,
        };
        let (before, mut after) = (vec![0.0; 10_000], vec![1.0; 10_000]);
        noise.publish(&before, &mut after, &mut stream(1, 1));
        let mean: f32 = after.iter().sum::<f32>() / 1e4;
        let deviation = (after
            .iter()
            .map(|entry| (entry - mean).powi(2))
            .sum::<f32>()
            / 1e4)
            .sqrt();
        // A step of length 100 became one of length 1: 0.01 in each parameter.
        assert!((mean - 0.01).abs() < 0.02, "{mean}");
        assert!((deviation - 0.5).abs() < 0.02, "{deviation}");
    }
}
