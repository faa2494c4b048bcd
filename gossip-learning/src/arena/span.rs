//! The labels of a task, from the lowest to the highest.

use serde::{Deserialize, Serialize};

/// Between what a task's labels lie, as its description states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Span {
    lowest: f32,
    highest: f32,
}

impl Span {
    /// That of these labels.
    pub fn of(labels: &[f32]) -> Span {
        let labels = labels.iter().copied();
        let lowest = labels.clone().reduce(f32::min).unwrap_or(0.0);
        Span {
            lowest,
            highest: labels.reduce(f32::max).unwrap_or(lowest),
        }
    }

    /// A wrong label: the right one on a scale that is turned round.
    pub fn mirrored(self, label: f32) -> f32 {
        self.lowest + self.highest - label
    }

    /// Whether a model that predicts this may have learned from such labels: it is at most as far from their middle as the
    /// lowest is from the highest. Of labels that are all alike nothing is known.
    pub fn is_near(self, prediction: f32) -> bool {
        let width = self.highest - self.lowest;
        let middle = self.lowest + width / 2.0;
        width == 0.0 || (prediction - middle).abs() <= width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_labels_by_more_than_half_their_span_is_not_near() {
        let span = Span::of(&[4.0, 3.0, 5.0]);
        assert_eq!(span.mirrored(3.5), 4.5);
        for (prediction, near) in [(2.0, true), (6.0, true), (1.9, false), (6.1, false)] {
            assert_eq!(span.is_near(prediction), near, "{prediction}");
        }
        assert!(!span.is_near(f32::NAN) && !span.is_near(f32::INFINITY));
        assert!(Span::of(&[2.0]).is_near(9.0) && Span::of(&[]).is_near(9.0));
    }
}
