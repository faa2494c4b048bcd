//! `hamlet-lab torture … --mutants`: whether the torture notices broken rules.

use super::explore::explore;
use crate::{interrupt, open_range::SeedRange};
use clap::Args;
use hamlet_consensus::mutant::Mutant;
use hamlet_simulator::torture;
use std::process::ExitCode;

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
        all: &[Mutant],
        seeds: SeedRange,
        threads: u16,
        run: impl Fn(u64, Mutant) -> torture::Outcome + Sync,
    ) -> Option<ExitCode> {
        if !self.mutants {
            return None;
        }
        let mut unnoticed = 0;
        for &mutant in all {
            let tally = explore(seeds, threads, false, |seed| run(seed, mutant));
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
                return Some(ExitCode::from(interrupt::EXIT_STATUS));
            }
        }
        Some(match unnoticed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}
