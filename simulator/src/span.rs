//! Stretches of time in a scenario.

use crate::{
    random::Randomness,
    settings::Settings,
    wrong::{self, Wrong},
};
use hamlet_overlay::time::{Duration, Time};
use serde::{Deserialize, Serialize};

/// A stretch of time, in seconds after the source cut its first segment. An end that is left out is the
/// world's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Span {
    /// Its first moment.
    pub from_s: Option<f64>,
    /// The first moment after it.
    pub to_s: Option<f64>,
}

/// The most seconds that a scenario may speak of: a year.
pub(crate) const MAX_S: f64 = 31_536_000.0;

impl Span {
    pub(crate) fn check(&self, at: &str) -> Result<(), Wrong> {
        for (name, value) in [("from_s", self.from_s), ("to_s", self.to_s)] {
            if let Some(value) = value {
                wrong::within(wrong::field(at, name), value, 0.0, MAX_S)?;
            }
        }
        if let Span {
            from_s: Some(from),
            to_s: Some(to),
        } = *self
            && from >= to
        {
            let remedy = format!("{to} does not come after from_s, which is {from}");
            return Err(Wrong::new(wrong::field(at, "to_s"), remedy));
        }
        Ok(())
    }

    pub(crate) fn resolve(&self) -> Stretch {
        Stretch {
            from: self.from_s.map_or(Time::ZERO, at),
            to: self.to_s.map_or(Time::NEVER, at),
        }
    }
}

/// The moment so many seconds after the first segment was cut.
pub(crate) fn at(seconds: f64) -> Time {
    Time::ZERO + Settings::WARM_UP + duration(seconds)
}

/// A duration that was checked to be a number from zero to [`MAX_S`].
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::from_micros((seconds.clamp(0.0, MAX_S) * 1e6).round() as u64)
}

/// A stretch of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub from: Time,
    pub to: Time,
}

impl Stretch {
    pub fn contains(&self, now: Time) -> bool {
        self.from <= now && now < self.to
    }
}

/// Something that lasts for a while once in every period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    period_micros: u64,
    lasts_micros: u64,
}

impl Pulse {
    pub fn new(clear_s: f64, lasts_s: f64) -> Pulse {
        let micros = |seconds| duration(seconds).as_micros() as u64;
        Pulse {
            period_micros: micros(clear_s) + micros(lasts_s),
            lasts_micros: micros(lasts_s),
        }
    }

    /// Until when it lasts at this place, if it does now.
    pub fn lasts_until(self, dice: Randomness, place: [u64; 3], now: Time) -> Option<Time> {
        let [fault, one, other] = place;
        let phase = dice.within([fault, one, other, 1], &(0..=self.period_micros - 1));
        let moved = now.as_micros() + phase;
        let period = moved / self.period_micros;
        let clear = 0..=self.period_micros - self.lasts_micros;
        let begins = dice.within([fault, one, other, 2, period], &clear);
        let since = moved - period * self.period_micros;
        let lasts = (begins..begins + self.lasts_micros).contains(&since);
        let left = begins + self.lasts_micros - since.min(begins + self.lasts_micros);
        lasts.then(|| now + Duration::from_micros(left))
    }
}
