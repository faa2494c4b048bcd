//! The seeds of an experiment: `7`, or `1..20` from the first to the last, both included.

use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// One seed, or a stretch of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seeds(RangeInclusive<u64>);

/// The most seeds of one experiment.
const MAX_SEEDS: u64 = 100_000;

impl Seeds {
    /// One seed.
    pub fn one(seed: u64) -> Seeds {
        Seeds(seed..=seed)
    }

    /// The first.
    pub fn first(&self) -> u64 {
        *self.0.start()
    }

    /// The last.
    pub fn last(&self) -> u64 {
        *self.0.end()
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.clone()
    }
}

/// The text names no seeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no seeds: write one number, or the first and the last as in 1..20 (at most {MAX_SEEDS} in all)"
)]
pub struct ParseSeedsError(String);

impl FromStr for Seeds {
    type Err = ParseSeedsError;

    fn from_str(text: &str) -> Result<Seeds, ParseSeedsError> {
        let wrong = || ParseSeedsError(text.to_owned());
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong());
        let range = match text.split_once("..") {
            None => return number(text).map(Seeds::one),
            Some((first, last)) => number(first)?..=number(last.strip_prefix('=').unwrap_or(last))?,
        };
        match range.end().checked_sub(*range.start()) {
            Some(more) if more < MAX_SEEDS => Ok(Seeds(range)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first() == self.last() {
            true => write!(f, "{}", self.first()),
            false => write!(f, "{}..{}", self.first(), self.last()),
        }
    }
}

impl From<Seeds> for String {
    fn from(seeds: Seeds) -> String {
        seeds.to_string()
    }
}

impl TryFrom<String> for Seeds {
    type Error = ParseSeedsError;

    fn try_from(text: String) -> Result<Seeds, ParseSeedsError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_included() {
        let seeds: Seeds = "3..5".parse().unwrap();
        assert_eq!(seeds.iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!("9".parse(), Ok(Seeds::one(9)));
        assert_eq!("9..=9".parse(), Ok(Seeds::one(9)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a", "5..3", "1..", "..4", "-1", "0..100000"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
