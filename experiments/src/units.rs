//! Quantities as people write them: `1Mbit`, `20..100`.

use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

/// A bit rate: a number of bits per second, or one with a unit, as in `500kbit` or `1.5Mbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// In bits per second.
    pub bits_per_s: u64,
}

/// The text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no bit rate: write bits per second, or 500kbit, 1.5Mbit, 1Gbit")]
pub struct ParseRateError(String);

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Rate, ParseRateError> {
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.strip_suffix("/s").unwrap_or(&lower);
        let units = [
            ("kbit", 1e3),
            ("mbit", 1e6),
            ("gbit", 1e9),
            ("bit", 1.0),
            ("", 1.0),
        ];
        let bits = units.into_iter().find_map(|(unit, size)| {
            let number: f64 = lower.strip_suffix(unit)?.trim_end().parse().ok()?;
            Some((number * size).round())
        });
        match bits {
            Some(bits) if (1.0..=1e15).contains(&bits) => Ok(Rate {
                bits_per_s: bits as u64,
            }),
            _ => Err(ParseRateError(text.to_owned())),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_s;
        match () {
            () if bits.is_multiple_of(1_000_000) => write!(f, "{}Mbit", bits / 1_000_000),
            () if bits.is_multiple_of(1_000) => write!(f, "{}kbit", bits / 1_000),
            () => write!(f, "{bits}bit"),
        }
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> String {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = ParseRateError;

    fn try_from(text: String) -> Result<Rate, ParseRateError> {
        text.parse()
    }
}

/// A stretch of milliseconds, as in `20..100`, or one number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub RangeInclusive<Duration>);

/// The text is no stretch of milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no stretch of milliseconds: write the lowest and the highest as in 20..100, or one number"
)]
pub struct ParseMillisecondsError(String);

impl FromStr for Milliseconds {
    type Err = ParseMillisecondsError;

    fn from_str(text: &str) -> Result<Milliseconds, ParseMillisecondsError> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let time = |part: &str| {
            let ms: f64 = part.trim().trim_end_matches("ms").parse().ok()?;
            (0.0..=3_600_000.0)
                .contains(&ms)
                .then(|| Duration::from_secs_f64(ms / 1000.0))
        };
        match (time(low), time(high)) {
            (Some(low), Some(high)) if low <= high => Ok(Milliseconds(low..=high)),
            _ => Err(ParseMillisecondsError(text.to_owned())),
        }
    }
}

/// A share, from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1, as 0.3".to_owned()),
    }
}

/// A share of the peers that leave in a minute, from 0 to 60: at most all in a second.
pub fn rate_of_leaving(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=60.0).contains(&share) => Ok(share),
        _ => Err("the share of the peers that leave in a minute, as 0.3".to_owned()),
    }
}

/// A time in seconds, more than none and at most a day.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds above 0, at most 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let bits = |text: &str| text.parse::<Rate>().map(|rate| rate.bits_per_s).ok();
        assert_eq!(bits("1Mbit"), Some(1_000_000));
        assert_eq!(bits("1.5 mbit/s"), Some(1_500_000));
        assert_eq!(bits("64000"), Some(64_000));
        assert_eq!(bits("500kbit"), Some(500_000));
        for wrong in ["", "fast", "0", "-1Mbit", "1MB", "1e30", "nan"] {
            assert_eq!(bits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn stretches_of_milliseconds_are_read() {
        let ms = Duration::from_millis;
        assert_eq!("20..100".parse(), Ok(Milliseconds(ms(20)..=ms(100))));
        assert_eq!("5ms".parse(), Ok(Milliseconds(ms(5)..=ms(5))));
        for wrong in ["", "100..20", "-1..5", "a..b", "1..2..3"] {
            assert!(wrong.parse::<Milliseconds>().is_err(), "{wrong}");
        }
    }
}
