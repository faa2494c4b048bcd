//! What sources do, as values that can be written down: `equivocating`, `over-rate:4`.

use crate::wrong::{self, Wrong};
use hamlet_overlay::time::{Duration, Time};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What the source of the first stream does; those of the others are honest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// What it does.
    pub behavior: Publishing,
    /// From when on, in seconds from its first segment. Before that it follows the protocol.
    pub from_s: f64,
}

/// How a source publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Publishing {
    /// By the protocol.
    #[default]
    Honest,
    /// It says one thing of each segment to half of the peers, and another to the others.
    Equivocating,
    /// It cuts so many segments in place of each, whatever its certificate allows.
    OverRate(u8),
}

/// How many segments an over-rate source cuts in place of one, if no number is given.
const OVER_RATE: u8 = 4;

impl SourceSettings {
    /// Says what is wrong with it, where it stands at `at`.
    pub(crate) fn check(&self, at: &str) -> Result<(), Wrong> {
        wrong::within(wrong::field(at, "from_s"), self.from_s, 0.0, 86_400.0)
    }

    /// Whether it does what an honest source does not.
    pub fn lies(&self) -> bool {
        self.behavior != Publishing::Honest
    }

    /// Whether it signs what contradicts something that it signed.
    pub fn equivocates(&self) -> bool {
        self.behavior == Publishing::Equivocating
    }

    /// How many segments it cuts at once.
    pub(crate) fn at_once(&self, since_first: Duration) -> u32 {
        match self.behavior {
            Publishing::OverRate(times) if since_first.as_secs_f64() >= self.from_s => times.into(),
            _ => 1,
        }
    }

    /// From when on it lies.
    pub(crate) fn from(&self, first: Time) -> Time {
        first + Duration::from_secs_f64(self.from_s)
    }
}

/// The text names nothing that a source can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no source is called `{0}`: choose honest, equivocating, or over-rate, after which may stand how many segments it \
     cuts in place of one (2 to 32), as in over-rate:4"
)]
pub struct ParsePublishingError(String);

impl FromStr for Publishing {
    type Err = ParsePublishingError;

    fn from_str(text: &str) -> Result<Publishing, ParsePublishingError> {
        let wrong = || ParsePublishingError(text.to_owned());
        match text.trim().split_once(':') {
            None => match text.trim() {
                "honest" => Ok(Publishing::Honest),
                "equivocating" => Ok(Publishing::Equivocating),
                "over-rate" => Ok(Publishing::OverRate(OVER_RATE)),
                _ => Err(wrong()),
            },
            Some(("over-rate", times)) => {
                let times = times.parse().ok().filter(|times| (2..=32).contains(times));
                times.map(Publishing::OverRate).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for Publishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Publishing::Honest => f.write_str("honest"),
            Publishing::Equivocating => f.write_str("equivocating"),
            Publishing::OverRate(times) => write!(f, "over-rate:{times}"),
        }
    }
}

impl From<Publishing> for String {
    fn from(publishing: Publishing) -> String {
        publishing.to_string()
    }
}

impl TryFrom<String> for Publishing {
    type Error = ParsePublishingError;

    fn try_from(text: String) -> Result<Publishing, ParsePublishingError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_does_is_read_as_it_is_written() {
        for publishing in [
            Publishing::Honest,
            Publishing::Equivocating,
            Publishing::OverRate(9),
        ] {
            assert_eq!(publishing.to_string().parse(), Ok(publishing));
        }
        assert_eq!("over-rate".parse(), Ok(Publishing::OverRate(OVER_RATE)));
        for wrong in [
            "",
            "silent",
            "over-rate:1",
            "over-rate:33",
            "honest:2",
            "equivocating:x",
        ] {
            assert!(wrong.parse::<Publishing>().is_err(), "{wrong}");
        }
    }
}
