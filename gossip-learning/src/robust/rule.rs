//! The rules by name, as users choose them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How several models become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Rule {
    /// `mean`: the undefended average.
    Mean,
    /// `clip`: ClippedGossip (He, Karimireddy, Jaggi 2022, arXiv 2202.01545): the mean of the differences
    /// to the own model, each shortened to the radius.
    Clip {
        /// The longest difference that counts in full.
        radius: Radius,
    },
    /// `median`: the median of each coordinate (Yin et al. 2018).
    Median,
    /// `trimmed-mean`: the mean of each coordinate without the f largest and f smallest (Yin et al.
    /// 2018).
    TrimmedMean,
    /// `krum`: the model nearest to its n − f − `short` nearest others (Blanchard et al. 2017).
    Krum {
        /// 2 in the paper; ByzFL takes 1.
        short: usize,
    },
    /// `multi-krum`: the mean of the `best` models by that score.
    MultiKrum {
        /// As for Krum.
        short: usize,
        /// How many; n − f if none.
        best: Option<usize>,
    },
    /// `bulyan`: Krum chooses n − 2f models one by one; in each coordinate the mean of the n − 4f values
    /// nearest to their median (El Mhamdi, Guerraoui, Rouault 2018).
    Bulyan {
        /// As for Krum.
        short: usize,
    },
    /// `geometric-median`: the point of least total distance (Pillutla, Kakade, Harchaoui 2022), by
    /// smoothed Weiszfeld steps from the coordinate-wise median.
    GeometricMedian {
        /// Distances below this count as this.
        smoothing: f32,
        /// Steps, a fixed number.
        steps: u32,
    },
    /// `sieve`: the mean of what is left when models that stand out along the direction of greatest
    /// variance have been taken out one by one (Diakonikolas et al. 2017, arXiv 1703.00893).
    Sieve {
        /// How many median absolute deviations from the median do not stand out yet.
        reach: f32,
    },
    /// `nnm+RULE`: each model is replaced by the mean of the n − f nearest to it, itself among them
    /// (nearest-neighbour mixing, Allouah et al. 2023, arXiv 2302.01772), then the rule follows.
    NearestFirst(Box<Rule>),
    /// `acute+RULE`: models that make an obtuse angle with more than half of the others are left out, then the
    /// rule follows.
    Acute(Box<Rule>),
}

/// The clipping radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// The same always.
    Fixed(f32),
    /// The median of the distances of the received models from the own one: it shrinks as models
    /// agree, and liars who are fewer than half cannot widen it.
    Median,
}

/// The text names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no defence: write mean, clip[:radius=R], median, trimmed-mean, krum[:short=2], multi-krum[:short=2,best=M], bulyan[:short=2], geometric-median[:smoothing=0.001,steps=16], sieve[:reach=3], or nnm+ in front of one of them, or acute+ in front of all that"
)]
pub struct ParseRuleError(String);

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Rule, ParseRuleError> {
        let wrong = || ParseRuleError(text.chars().take(80).collect());
        if let Some(rest) = text.strip_prefix("acute+") {
            return match rest.parse().map_err(|_| wrong())? {
                Rule::Acute(_) => Err(wrong()),
                rule => Ok(Rule::Acute(Box::new(rule))),
            };
        }
        if let Some(rest) = text.strip_prefix("nnm+") {
            return match rest.parse().map_err(|_| wrong())? {
                Rule::NearestFirst(_) | Rule::Acute(_) => Err(wrong()),
                rule => Ok(Rule::NearestFirst(Box::new(rule))),
            };
        }
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let mut rule = match name {
            "mean" => Rule::Mean,
            "clip" => Rule::Clip {
                radius: Radius::Median,
            },
            "median" => Rule::Median,
            "trimmed-mean" => Rule::TrimmedMean,
            "krum" => Rule::Krum { short: 2 },
            "multi-krum" => Rule::MultiKrum {
                short: 2,
                best: None,
            },
            "bulyan" => Rule::Bulyan { short: 2 },
            "geometric-median" => Rule::GeometricMedian {
                smoothing: 1e-3,
                steps: 16,
            },
            "sieve" => Rule::Sieve { reach: 3.0 },
            _ => return Err(wrong()),
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or_else(wrong)?;
            let length = || match value.parse::<f32>() {
                Ok(length) if length > 0.0 && length.is_finite() => Ok(length),
                _ => Err(wrong()),
            };
            let count = || match value.parse::<u16>() {
                Ok(count) => Ok(usize::from(count)),
                Err(_) => Err(wrong()),
            };
            match (&mut rule, key) {
                (Rule::Clip { radius }, "radius") => *radius = Radius::Fixed(length()?),
                (
                    Rule::Krum { short } | Rule::MultiKrum { short, .. } | Rule::Bulyan { short },
                    "short",
                ) => {
                    *short = count()?;
                }
                (Rule::MultiKrum { best, .. }, "best") => *best = Some(count()?.max(1)),
                (Rule::Sieve { reach }, "reach") => *reach = length()?,
                (Rule::GeometricMedian { smoothing, .. }, "smoothing") => *smoothing = length()?,
                (Rule::GeometricMedian { steps, .. }, "steps") => *steps = count()? as u32,
                _ => return Err(wrong()),
            }
        }
        Ok(rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Mean => write!(to, "mean"),
            Rule::Clip {
                radius: Radius::Median,
            } => write!(to, "clip"),
            Rule::Clip {
                radius: Radius::Fixed(radius),
            } => write!(to, "clip:radius={radius}"),
            Rule::Median => write!(to, "median"),
            Rule::TrimmedMean => write!(to, "trimmed-mean"),
            Rule::Krum { short } => write!(to, "krum:short={short}"),
            Rule::MultiKrum { short, best: None } => write!(to, "multi-krum:short={short}"),
            Rule::MultiKrum {
                short,
                best: Some(best),
            } => {
                write!(to, "multi-krum:short={short},best={best}")
            }
            Rule::Bulyan { short } => write!(to, "bulyan:short={short}"),
            Rule::GeometricMedian { smoothing, steps } => {
                write!(to, "geometric-median:smoothing={smoothing},steps={steps}")
            }
            Rule::Sieve { reach } => write!(to, "sieve:reach={reach}"),
            Rule::NearestFirst(rule) => write!(to, "nnm+{rule}"),
            Rule::Acute(rule) => write!(to, "acute+{rule}"),
        }
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}

impl TryFrom<String> for Rule {
    type Error = ParseRuleError;

    fn try_from(text: String) -> Result<Rule, ParseRuleError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_its_text() {
        for text in [
            "clip",
            "clip:radius=0.5",
            "krum:short=1",
            "multi-krum:short=2,best=3",
            "nnm+median",
            "acute+nnm+median",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "krm",
            "clip:radius=-1",
            "median:short=1",
            "nnm+nnm+mean",
            "nnm+acute+mean",
            "acute+acute+mean",
            "krum:short",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
