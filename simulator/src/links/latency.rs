//! How long a message takes from one peer to another.

use super::geography::{Geography, Matrix};
use crate::{
    random::{Purpose, Randomness},
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest latency, in milliseconds.
pub(crate) const MAX_MS: f64 = 60_000.0;

/// The one-way latency of a pair of peers: drawn once, the same both ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// The same for all pairs.
    Constant {
        /// Milliseconds.
        ms: f64,
    },
    /// Uniform over pairs.
    Uniform {
        /// The lowest, in milliseconds.
        low_ms: f64,
        /// The highest, in milliseconds.
        high_ms: f64,
    },
    /// Lognormal over pairs, taken into a stretch: what has a long tail.
    Lognormal {
        /// The median, in milliseconds.
        median_ms: f64,
        /// The standard deviation of the logarithm; 0.5 puts a pair in forty above 2.7 times the median.
        sigma: f64,
        /// The lowest, in milliseconds. A world runs the faster the higher it is.
        #[serde(default = "lowest_ms")]
        low_ms: f64,
        /// The highest, in milliseconds.
        #[serde(default = "highest_ms")]
        high_ms: f64,
    },
    /// Peers live in regions: half of the round trip between their regions, and the way of each to its own.
    Geographic {
        /// The share of peers in each region, by its name; they need not sum up to 1. None: even shares.
        #[serde(default)]
        shares: BTreeMap<String, f64>,
        /// The least that a peer's own line to its region takes, in milliseconds, one way.
        #[serde(default = "access_low_ms")]
        access_low_ms: f64,
        /// The most, in milliseconds; uniform over peers.
        #[serde(default = "access_high_ms")]
        access_high_ms: f64,
        /// The regions and the round trips between them; left out, [those that are shipped](Matrix::shipped).
        #[serde(default)]
        matrix: Option<Matrix>,
    },
}

fn lowest_ms() -> f64 {
    5.0
}

fn highest_ms() -> f64 {
    1000.0
}

fn access_low_ms() -> f64 {
    4.0
}

fn access_high_ms() -> f64 {
    15.0
}

impl Latency {
    /// Peers all over the world, evenly in the regions shipped.
    pub fn geographic() -> Latency {
        Latency::Geographic {
            shares: BTreeMap::new(),
            access_low_ms: access_low_ms(),
            access_high_ms: access_high_ms(),
            matrix: None,
        }
    }

    pub(crate) fn check(&self, at: &str) -> Result<(), Wrong> {
        let ms = |name: &str, value| wrong::within(wrong::field(at, name), value, 0.0, MAX_MS);
        match self {
            Latency::Constant { ms: value } => ms("ms", *value),
            Latency::Uniform { low_ms, high_ms } => {
                ms("low_ms", *low_ms)?;
                ms("high_ms", *high_ms)?;
                wrong::ordered(at, "ms", *low_ms, *high_ms)
            }
            Latency::Lognormal {
                median_ms,
                sigma,
                low_ms,
                high_ms,
            } => {
                wrong::within(wrong::field(at, "median_ms"), *median_ms, 0.001, MAX_MS)?;
                wrong::within(wrong::field(at, "sigma"), *sigma, 0.0, 5.0)?;
                ms("low_ms", *low_ms)?;
                ms("high_ms", *high_ms)?;
                wrong::ordered(at, "ms", *low_ms, *high_ms)
            }
            Latency::Geographic {
                shares,
                access_low_ms,
                access_high_ms,
                matrix,
            } => {
                ms("access_low_ms", *access_low_ms)?;
                ms("access_high_ms", *access_high_ms)?;
                wrong::ordered(at, "ms", *access_low_ms, *access_high_ms)?;
                match matrix {
                    None => Matrix::shipped().check_shares(at, shares),
                    Some(matrix) => {
                        matrix.check(&wrong::field(at, "matrix"))?;
                        matrix.check_shares(at, shares)
                    }
                }
            }
        }
    }
}

/// The latencies of a world.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    law: Law,
    dice: Randomness,
}

#[derive(Clone, Debug)]
enum Law {
    Uniform {
        low: u64,
        high: u64,
    },
    Lognormal {
        median: f64,
        sigma: f64,
        low: u64,
        high: u64,
    },
    Geographic(Geography),
}

/// Whole microseconds, and at least one: nothing takes no time at all.
pub(super) fn micros(ms: f64) -> u64 {
    (ms.clamp(0.0, MAX_MS) * 1000.0).round().max(1.0) as u64
}

impl Latencies {
    pub fn new(seed: u64, latency: &Latency) -> Latencies {
        let law = match latency {
            Latency::Constant { ms } => Law::Uniform {
                low: micros(*ms),
                high: micros(*ms),
            },
            Latency::Uniform { low_ms, high_ms } => Law::Uniform {
                low: micros(*low_ms),
                high: micros(*high_ms),
            },
            Latency::Lognormal {
                median_ms,
                sigma,
                low_ms,
                high_ms,
            } => Law::Lognormal {
                median: median_ms * 1000.0,
                sigma: *sigma,
                low: micros(*low_ms),
                high: micros(*high_ms),
            },
            Latency::Geographic {
                shares,
                access_low_ms,
                access_high_ms,
                matrix,
            } => {
                let matrix = matrix.clone().unwrap_or_else(Matrix::shipped);
                let access = *access_low_ms..=*access_high_ms;
                Law::Geographic(Geography::new(seed, &matrix, shares, access))
            }
        };
        Latencies {
            law,
            dice: Randomness::new(seed, Purpose::Latency),
        }
    }

    /// The least of them, in microseconds; at least one.
    pub fn shortest_micros(&self) -> u64 {
        match &self.law {
            Law::Uniform { low, .. } | Law::Lognormal { low, .. } => *low,
            Law::Geographic(geography) => geography.shortest_micros(),
        }
    }

    /// The latency between two peers, in microseconds.
    pub fn micros(&self, one: u32, other: u32) -> u64 {
        let pair = [one.min(other).into(), one.max(other).into()];
        match &self.law {
            Law::Uniform { low, high } => self.dice.within(pair, &(*low..=*high)),
            Law::Lognormal {
                median,
                sigma,
                low,
                high,
            } => {
                let drawn = median * libm::exp(sigma * self.dice.normal(pair));
                (drawn.round() as u64).clamp(*low, *high)
            }
            Law::Geographic(geography) => geography.micros(one, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(latency: &Latency) -> Vec<u64> {
        latency.check("links.latency").unwrap();
        let latencies = Latencies::new(1, latency);
        let mut all: Vec<u64> = (1..2001).map(|other| latencies.micros(0, other)).collect();
        assert!(
            all.iter()
                .all(|&micros| micros >= latencies.shortest_micros())
        );
        all.sort_unstable();
        all
    }

    #[test]
    fn latencies_follow_their_law() {
        let constant = drawn(&Latency::Constant { ms: 30.0 });
        assert_eq!((constant[0], constant[1999]), (30_000, 30_000));
        let uniform = drawn(&Latency::Uniform {
            low_ms: 20.0,
            high_ms: 100.0,
        });
        assert!(uniform[0] < 21_000 && uniform[1999] > 99_000);
        assert!((57_000..63_000).contains(&uniform[1000]));
        let lognormal = drawn(&Latency::Lognormal {
            median_ms: 50.0,
            sigma: 0.5,
            low_ms: 5.0,
            high_ms: 200.0,
        });
        assert!(
            (47_000..53_000).contains(&lognormal[1000]),
            "{}",
            lognormal[1000]
        );
        // One standard deviation above the median: 84 %, e^0.5 times as long.
        assert!(
            (76_000..90_000).contains(&lognormal[1683]),
            "{}",
            lognormal[1683]
        );
        assert!(lognormal[1999] <= 200_000 && lognormal[0] >= 5_000);
    }

    #[test]
    fn latencies_that_make_no_sense_are_refused_by_name() {
        for (field, wrong) in [
            ("links.latency.ms", Latency::Constant { ms: -1.0 }),
            (
                "links.latency.low_ms",
                Latency::Uniform {
                    low_ms: 9.0,
                    high_ms: 3.0,
                },
            ),
            (
                "links.latency.sigma",
                Latency::Lognormal {
                    median_ms: 50.0,
                    sigma: f64::NAN,
                    low_ms: 5.0,
                    high_ms: 200.0,
                },
            ),
        ] {
            assert_eq!(wrong.check("links.latency").unwrap_err().field, field);
        }
    }
}
