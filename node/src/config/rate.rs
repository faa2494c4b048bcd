//! Bit rates as people write them.

use serde::{Deserialize, Serialize, de};
use std::{fmt, str::FromStr};

/// A bit rate. Written as a number with a unit, `400kbit` or `1.5Mbit`, or as plain bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Bits per second, at least one.
    pub bits_per_s: u64,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no rate: write a number above 0 and bit, kbit, Mbit or Gbit, for example 400kbit or 1.5Mbit"
)]
pub struct ParseRateError(String);

const UNITS: [(&str, u64); 4] = [
    ("Gbit", 1_000_000_000),
    ("Mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Rate, ParseRateError> {
        let parse = || {
            let lower = text.trim().to_ascii_lowercase();
            let lower = lower.strip_suffix("/s").unwrap_or(&lower);
            let (number, unit) = UNITS
                .iter()
                .find_map(|(name, unit)| {
                    Some((lower.strip_suffix(&name.to_ascii_lowercase())?, *unit))
                })
                .unwrap_or((lower, 1));
            let number = number.trim_end();
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let scale = 10u64.pow(fraction.len() as u32);
            let fraction: u64 = match fraction {
                "" => 0,
                digits => digits.parse().ok()?,
            };
            let whole: u64 = whole.parse().ok()?;
            let bits_per_s = whole
                .checked_mul(unit)?
                .checked_add(fraction * unit / scale)?;
            (bits_per_s > 0).then_some(Rate { bits_per_s })
        };
        parse().ok_or_else(|| ParseRateError(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_s;
        let (name, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| bits >= *unit)
            .unwrap_or(("bit", 1));
        let (whole, fraction) = (bits / unit, bits % unit);
        if fraction == 0 {
            return write!(f, "{whole}{name}");
        }
        let digits = unit.ilog10() as usize;
        let fraction = format!("{fraction:0digits$}");
        write!(f, "{whole}.{}{name}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a rate, for example \"4Mbit\"")]
        enum Written {
            Text(String),
            Number(u64),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        };
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let bits = |text: &str| text.parse::<Rate>().map(|rate| rate.bits_per_s).ok();
        assert_eq!(bits("400kbit"), Some(400_000));
        assert_eq!(bits("1.5 Mbit/s"), Some(1_500_000));
        assert_eq!(bits("2gbit"), Some(2_000_000_000));
        assert_eq!(bits("64000"), Some(64_000));
        for wrong in [
            "",
            "0",
            "fast",
            "-1Mbit",
            "1.Mbit2",
            "99999999999Gbit",
            "1e6",
            "Mbit",
        ] {
            assert_eq!(bits(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_rate_is_the_same_rate(bits_per_s in 1u64..) {
            let rate = Rate { bits_per_s };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn any_text_can_be_read(text in "\\PC{0,30}") {
            let _ = text.parse::<Rate>();
        }
    }
}
