//! `hamlet-lab torture consensus --mutants`: whether the torture notices broken rules.

use super::{consensus::Model, explore::explore};
use crate::{Outcome, interrupt, open_range::SeedRange};
use clap::Args;
use hamlet_consensus::mutant::{Mutant, Mutants};
use hamlet_simulator::torture;
use std::{error::Error, process::ExitCode};

/// Which rules to break.
#[derive(Args)]
pub struct Choice {
    /// Break each rule in turn, and show the first schedule that notices.
    #[arg(long)]
    mutants: bool,
}

impl Choice {
    /// Breaks the rules, if that was asked for.
    pub fn run(
        &self,
        model: Model,
        seeds: SeedRange,
        threads: u16,
    ) -> Result<Option<ExitCode>, Box<dyn Error>> {
        if !self.mutants {
            return Ok(None);
        }
        let mut unnoticed = 0;
        for mutant in Mutant::ALL {
            let tally = explore(seeds, threads, false, |seed| {
                torture::run(&model.draw(seed), Mutants::one(mutant))
            });
            match tally.violations.first() {
                Some(broken) => {
                    let detail: String = broken.detail.chars().take(90).collect();
                    println!(
                        "{mutant:?}: seed {} after {:.1} s: {}: {detail}",
                        broken.seed, tally.elapsed_s, broken.invariant
                    );
                }
                None => {
                    unnoticed += 1;
                    println!("{mutant:?}: not noticed in {} schedules", tally.schedules);
                }
            }
            if interrupt::asked() {
                return Ok(Some(ExitCode::from(interrupt::EXIT_STATUS)));
            }
        }
        let outcome: Outcome = Ok(if unnoticed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
        outcome.map(Some)
    }
}
