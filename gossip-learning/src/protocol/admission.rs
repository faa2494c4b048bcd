//! What is checked before a model that came from outside touches anything.

use crate::vector;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bounds that no honest model of the task exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest Euclidean norm of the parameters.
    pub norm_max: f32,
    /// By how much a model may be older than the oldest that the time passed allows.
    pub age_slack: u32,
}

/// Why a model was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The number of parameters is not that of the task's model.
    #[error("the model has {found} parameters where the task's has {expected}")]
    Dimension {
        /// What arrived.
        found: usize,
        /// What the task's model has.
        expected: usize,
    },
    /// A parameter is infinite or not a number.
    #[error("a parameter is not a finite number")]
    NotFinite,
    /// The norm is beyond [`Limits::norm_max`].
    #[error("the parameters' norm is beyond the task's bound")]
    Norm,
    /// No honest model can have seen so many rows by now.
    #[error("the model claims an age of {claimed}, {allowed} is the most by now")]
    Age {
        /// What the message says.
        claimed: u32,
        /// What the time passed allows.
        allowed: u32,
    },
    /// The part named does not exist.
    #[error("the task's models have no such part")]
    Part,
}

impl Limits {
    /// Checks a model (or a part) of `expected` parameters that claims `age`, when an honest one can
    /// be `age_honest` old at most.
    #[inline]
    pub fn admit(
        &self,
        weights: &[f32],
        age: u32,
        expected: usize,
        age_honest: u32,
    ) -> Result<(), Refusal> {
        if weights.len() != expected {
            return Err(Refusal::Dimension {
                found: weights.len(),
                expected,
            });
        }
        let allowed = age_honest.saturating_add(self.age_slack);
        if age > allowed {
            return Err(Refusal::Age {
                claimed: age,
                allowed,
            });
        }
        // A sum of squares is finite and in bounds only if every parameter is.
        let square = vector::dot(weights, weights);
        if square <= self.norm_max * self.norm_max {
            Ok(())
        } else if weights.iter().all(|weight| weight.is_finite()) {
            Err(Refusal::Norm)
        } else {
            Err(Refusal::NotFinite)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_refuses_on_its_own() {
        let limits = Limits {
            norm_max: 10.0,
            age_slack: 5,
        };
        let check = |weights: &[f32], age| limits.admit(weights, age, 2, 100);
        assert_eq!(check(&[6.0, 8.0], 105), Ok(()));
        assert_eq!(check(&[6.0, 8.1], 1), Err(Refusal::Norm));
        assert_eq!(check(&[1e30, 1e30], 1), Err(Refusal::Norm));
        assert_eq!(check(&[f32::NAN, 0.0], 1), Err(Refusal::NotFinite));
        assert_eq!(check(&[f32::NEG_INFINITY, 0.0], 1), Err(Refusal::NotFinite));
        assert_eq!(
            check(&[0.0], 1),
            Err(Refusal::Dimension {
                found: 1,
                expected: 2
            })
        );
        assert_eq!(
            check(&[0.0, 0.0], 106),
            Err(Refusal::Age {
                claimed: 106,
                allowed: 105
            })
        );
        assert!(check(&[0.0, 0.0], u32::MAX).is_err());
    }
}
