//! A trial: one world of a scenario, and whether it is good enough.

use crate::{
    scenario::Scenario,
    simulate::{Run, Threads, run_one},
};
use clap::Args;
use hamlet_simulator::settings::SettingsError;
use indicatif::ProgressBar;

/// What a world has to reach.
#[derive(Args, Clone, Copy)]
pub struct Bar {
    /// The share of segments on time below which a world has failed; one in which an invariant is broken always has
    #[arg(long, value_name = "SHARE", default_value = "0.999", value_parser = crate::units::share)]
    on_time: f64,
}

impl Bar {
    /// Why a world has failed, if it has.
    pub fn failure(&self, run: &Run) -> Option<String> {
        if let Some(violation) = run.violations.first() {
            return Some(violation.to_string());
        }
        let on_time = run.figures.on_time_ratio;
        (on_time < self.on_time).then(|| format!("{on_time:.5} on time"))
    }
}

/// Runs the world of a seed on the calling thread. After Ctrl-C it ends early.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Run, SettingsError> {
    run_one(scenario, seed, Threads::ONE, &ProgressBar::hidden())
}
