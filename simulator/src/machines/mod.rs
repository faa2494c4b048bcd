//! What goes wrong with the machines that peers run on.

mod clock;
mod disk;
mod plan;

pub(crate) use disk::Disk;
pub(crate) use plan::{DRAWS, Machine, plan};

use crate::{
    span::{MAX_S, Span},
    targets::Targets,
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};

/// Something that is wrong with some machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineFault {
    /// What.
    pub fault: Fault,
    /// With whose.
    pub of: Targets,
}

/// What can be wrong with a machine. Moments are in seconds after the source cut its first segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// It stops without a word. What it knew is gone, but for what is on disk.
    Crash {
        /// When.
        at_s: f64,
        /// After how many seconds it starts again; left out, never.
        #[serde(default)]
        back_after_s: Option<f64>,
        /// What becomes of the disk.
        #[serde(default)]
        disk: DiskFate,
    },
    /// Writing to disk takes long.
    SlowDisk {
        /// How long until what is written would survive a crash, in milliseconds.
        write_ms: f64,
        /// When; left out, always.
        #[serde(default)]
        during: Span,
    },
    /// Its clock runs too fast, or too slow if this is below zero.
    ClockDrift {
        /// By how many millionths.
        ppm: f64,
    },
    /// Its clock jumps.
    ClockJump {
        /// When.
        at_s: f64,
        /// By how many milliseconds; below zero it jumps back.
        by_ms: f64,
    },
    /// It stands still from time to time, and then takes everything that came meanwhile.
    Pause {
        /// For how long it works between two pauses, in the mean, in seconds.
        every_s: f64,
        /// For how long it stands still, in milliseconds.
        for_ms: f64,
        /// When; left out, always.
        #[serde(default)]
        during: Span,
    },
}

/// What becomes of the disk of a machine that crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFate {
    /// What was being written is on it.
    #[default]
    Kept,
    /// What was being written is not; what was there before is.
    Torn,
    /// Nothing is: a source does not know any more which numbers it has used, and uses them again.
    Lost,
}

impl MachineFault {
    /// Says what is wrong with it in a world of so many peers, where it stands at `at`.
    pub fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        self.of.check(&wrong::field(at, "of"), peers)?;
        let at = wrong::field(at, "fault");
        let within =
            |name: &str, value, low, high| wrong::within(wrong::field(&at, name), value, low, high);
        match &self.fault {
            Fault::Crash {
                at_s, back_after_s, ..
            } => {
                within("at_s", *at_s, 0.0, MAX_S)?;
                within("back_after_s", back_after_s.unwrap_or(0.0), 0.0, MAX_S)
            }
            Fault::SlowDisk { write_ms, during } => {
                during.check(&wrong::field(&at, "during"))?;
                within("write_ms", *write_ms, 0.0, 60_000.0)
            }
            Fault::ClockDrift { ppm } => within("ppm", *ppm, -500_000.0, 500_000.0),
            Fault::ClockJump { at_s, by_ms } => {
                within("at_s", *at_s, 0.0, MAX_S)?;
                within("by_ms", *by_ms, -3_600_000.0, 3_600_000.0)
            }
            Fault::Pause {
                every_s,
                for_ms,
                during,
            } => {
                during.check(&wrong::field(&at, "during"))?;
                within("every_s", *every_s, 0.0, MAX_S)?;
                within("for_ms", *for_ms, 1.0, 3_600_000.0)
            }
        }
    }
}
