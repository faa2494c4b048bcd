//! Stretches of seeds too long to be listed: `0..999999`, from the first to the last, both included.

use std::str::FromStr;

/// A stretch of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedRange {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// The text names no seeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no seeds: write one number, or the first and the last as in 0..999999")]
pub struct ParseSeedRangeError(String);

impl FromStr for SeedRange {
    type Err = ParseSeedRangeError;

    fn from_str(text: &str) -> Result<SeedRange, ParseSeedRangeError> {
        let wrong = || ParseSeedRangeError(text.to_owned());
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong());
        let (first, last) = match text.split_once("..") {
            None => (number(text)?, number(text)?),
            Some((first, last)) => (
                number(first)?,
                number(last.strip_prefix('=').unwrap_or(last))?,
            ),
        };
        if first > last || last >= u64::MAX / 2 {
            return Err(wrong());
        }
        Ok(SeedRange { first, last })
    }
}
