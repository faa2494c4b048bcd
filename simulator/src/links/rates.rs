//! What peers' lines carry.

use crate::{
    random::Randomness,
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};

/// The slowest line that a peer may have, in bits per second.
const SLOWEST: u64 = 1_000;

/// What a peer's line carries in one direction, over all its links together. Drawn once for each peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rates {
    /// Any amount.
    #[default]
    Unlimited,
    /// The same for all.
    Constant {
        /// Bits per second.
        bits_per_s: u64,
    },
    /// Uniform over peers.
    Uniform {
        /// The lowest, in bits per second.
        low_bits_per_s: u64,
        /// The highest, in bits per second.
        high_bits_per_s: u64,
    },
    /// Lognormal over peers.
    Lognormal {
        /// The median, in bits per second.
        median_bits_per_s: u64,
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// The lowest, in bits per second.
        low_bits_per_s: u64,
    },
    /// Some kinds of lines.
    Classes {
        /// The kinds.
        classes: Vec<Line>,
    },
}

/// A kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The share of peers that have it; the shares need not sum up to 1.
    pub share: f64,
    /// Bits per second; left out, any amount.
    #[serde(default)]
    pub bits_per_s: Option<u64>,
}

impl Rates {
    pub(crate) fn check(&self, at: &str) -> Result<(), Wrong> {
        let rate = |at: &str, name: &str, value: u64| match value >= SLOWEST {
            true => Ok(()),
            false => Err(Wrong::new(
                wrong::field(at, name),
                format!(
                    "{value} is too slow for anything: give at least {SLOWEST} bits per second"
                ),
            )),
        };
        match self {
            Rates::Unlimited => Ok(()),
            Rates::Constant { bits_per_s } => rate(at, "bits_per_s", *bits_per_s),
            Rates::Uniform {
                low_bits_per_s,
                high_bits_per_s,
            } => {
                rate(at, "low_bits_per_s", *low_bits_per_s)?;
                wrong::ordered(at, "bits_per_s", *low_bits_per_s, *high_bits_per_s)
            }
            Rates::Lognormal {
                median_bits_per_s,
                sigma,
                low_bits_per_s,
            } => {
                rate(at, "median_bits_per_s", *median_bits_per_s)?;
                rate(at, "low_bits_per_s", *low_bits_per_s)?;
                wrong::within(wrong::field(at, "sigma"), *sigma, 0.0, 5.0)
            }
            Rates::Classes { classes } => {
                for (number, line) in classes.iter().enumerate() {
                    let at = wrong::field(at, format_args!("classes[{number}]"));
                    wrong::share(wrong::field(&at, "share"), line.share)?;
                    if let Some(bits_per_s) = line.bits_per_s {
                        rate(&at, "bits_per_s", bits_per_s)?;
                    }
                }
                match classes.iter().map(|line| line.share).sum::<f64>() > 0.0 {
                    true => Ok(()),
                    false => Err(Wrong::new(
                        wrong::field(at, "classes"),
                        "nobody has any line: give a class with a share above 0",
                    )),
                }
            }
        }
    }

    /// What the line of a peer carries, in bits per second; `None` for any amount.
    pub(crate) fn draw(&self, dice: Randomness, peer: u64) -> Option<u64> {
        match self {
            Rates::Unlimited => None,
            Rates::Constant { bits_per_s } => Some(*bits_per_s),
            Rates::Uniform {
                low_bits_per_s,
                high_bits_per_s,
            } => Some(dice.within([peer], &(*low_bits_per_s..=*high_bits_per_s))),
            Rates::Lognormal {
                median_bits_per_s,
                sigma,
                low_bits_per_s,
            } => {
                let drawn = *median_bits_per_s as f64 * libm::exp(sigma * dice.normal([peer]));
                Some((drawn.min(1e12) as u64).max(*low_bits_per_s))
            }
            Rates::Classes { classes } => {
                let total: f64 = classes.iter().map(|line| line.share).sum();
                let mut left = dice.unit([peer]) * total;
                let class = classes.iter().find(|line| {
                    left -= line.share;
                    left <= 0.0
                });
                class.or(classes.last())?.bits_per_s
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn lines_are_spread_as_their_law_says() {
        let dice = Randomness::new(1, Purpose::Upload);
        let drawn = |rates: Rates| -> Vec<Option<u64>> {
            rates.check("links.upload").unwrap();
            let mut drawn: Vec<_> = (0..1000).map(|peer| rates.draw(dice, peer)).collect();
            drawn.sort_unstable();
            drawn
        };
        assert_eq!(drawn(Rates::Unlimited)[0], None);
        let half = Line {
            share: 0.2,
            bits_per_s: Some(500_000),
        };
        let any = Line {
            share: 0.6,
            bits_per_s: None,
        };
        let classes = drawn(Rates::Classes {
            classes: vec![half, any],
        });
        let slow = classes.iter().flatten().count();
        assert!((210..290).contains(&slow), "{slow}");
        let lognormal = drawn(Rates::Lognormal {
            median_bits_per_s: 8_000_000,
            sigma: 1.0,
            low_bits_per_s: 1_000_000,
        });
        assert!(lognormal[0] >= Some(1_000_000));
        assert!((Some(7_200_000)..Some(8_800_000)).contains(&lognormal[500]));
    }

    #[test]
    fn lines_that_carry_nothing_are_refused() {
        let none = Rates::Constant { bits_per_s: 0 };
        assert_eq!(
            none.check("links.upload").unwrap_err().field,
            "links.upload.bits_per_s"
        );
        let nobody = Rates::Classes {
            classes: Vec::new(),
        };
        assert!(nobody.check("links.upload").is_err());
    }
}
