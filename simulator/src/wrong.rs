//! What is wrong with a value of a scenario: where it stands, and what to write instead.

use std::fmt::Display;

/// A value that makes no world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {remedy}")]
pub struct Wrong {
    /// Where the value stands, as in `links.faults[2].during`.
    pub field: String,
    /// What is wrong with it, and what to write instead.
    pub remedy: String,
}

impl Wrong {
    /// A value is wrong.
    pub fn new(field: impl Into<String>, remedy: impl Into<String>) -> Wrong {
        Wrong {
            field: field.into(),
            remedy: remedy.into(),
        }
    }
}

/// A field of the value at `at`.
pub(crate) fn field(at: &str, name: impl Display) -> String {
    match at {
        "" => name.to_string(),
        _ => format!("{at}.{name}"),
    }
}

/// Refuses what is no share.
pub(crate) fn share(field: String, value: f64) -> Result<(), Wrong> {
    within(field, value, 0.0, 1.0)
}

/// Refuses what is not a number from `low` to `high`.
pub(crate) fn within(field: String, value: f64, low: f64, high: f64) -> Result<(), Wrong> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(Wrong::new(
            field,
            format!("{value} is not a number from {low} to {high}"),
        )),
    }
}

/// Refuses a stretch whose low end is above its high end.
pub(crate) fn ordered<T: PartialOrd + Display>(
    at: &str,
    unit: &str,
    low: T,
    high: T,
) -> Result<(), Wrong> {
    match low <= high {
        true => Ok(()),
        false => Err(Wrong::new(
            field(at, format_args!("low_{unit}")),
            format!("{low} is above high_{unit}, which is {high}; exchange them"),
        )),
    }
}
