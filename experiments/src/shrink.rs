//! `hamlet-lab shrink`: makes a failing scenario smaller.

use crate::{
    Outcome, interrupt,
    scenario::{Overrides, Scenario},
    trial::{self, Bar},
};
use clap::Args;
use hamlet_simulator::{churn::Churn, links::LinkSettings, settings::Adversaries};
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

/// Make a failing scenario smaller
///
/// Leaves out one thing after the other (adversaries, faults, peers, time) as long as the world of its first seed
/// still fails, and prints what is left. Ctrl-C prints what there is so far.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    hamlet-lab hunt --peers 320 --seconds 8 --save worst.toml; hamlet-lab shrink worst.toml --save small.toml")]
pub struct Arguments {
    /// What world
    #[command(flatten)]
    world: Overrides,
    /// What it has to reach
    #[command(flatten)]
    bar: Bar,
    /// Where to write the smaller scenario, besides the standard output
    #[arg(long, value_name = "PATH")]
    save: Option<PathBuf>,
}

/// The fewest peers, and the shortest stream, that are tried.
const PEERS_MIN: usize = 8;
const SECONDS_MIN: f64 = 1.0;

/// Runs the command.
pub fn run(arguments: Arguments) -> Outcome {
    let mut scenario = arguments.world.scenario()?;
    let seed = scenario.seeds.first();
    scenario = scenario.with_seed(seed);
    interrupt::listen()?;
    let fails = |scenario: &Scenario| -> Result<Option<String>, Box<dyn Error>> {
        let run = trial::run(scenario, seed)?;
        Ok(arguments.bar.failure(&run).filter(|_| !interrupt::asked()))
    };
    let Some(failure) = fails(&scenario)? else {
        return Err(format!("the world of seed {seed} does not fail: give another seed, or a higher bar by --on-time").into());
    };
    eprintln!("{failure}");
    while let Some(step) = step(&scenario, fails)? {
        eprintln!("{}: {}", step.what, step.failure);
        scenario = step.smaller;
    }
    let text = scenario.to_toml()?;
    if let Some(path) = &arguments.save {
        let problem = |error| format!("cannot write the scenario to {}: {error}", path.display());
        fs::write(path, &text).map_err(problem)?;
    }
    print!("{text}");
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

/// Why a world fails, if it does.
type Failure = Result<Option<String>, Box<dyn Error>>;

/// A scenario made smaller that still fails.
struct Step {
    what: String,
    smaller: Scenario,
    failure: String,
}

/// The first way of making a scenario smaller in which it still fails.
fn step(
    scenario: &Scenario,
    fails: impl Fn(&Scenario) -> Failure,
) -> Result<Option<Step>, Box<dyn Error>> {
    for (what, smaller) in smaller(scenario) {
        if interrupt::asked() {
            break;
        }
        // Some of them may make no world.
        if smaller.settings(smaller.seeds.first()).check().is_ok()
            && let Some(failure) = fails(&smaller)?
        {
            return Ok(Some(Step {
                what,
                smaller,
                failure,
            }));
        }
    }
    Ok(None)
}

/// All ways of making a scenario smaller by a step, those that save most first.
fn smaller(scenario: &Scenario) -> Vec<(String, Scenario)> {
    let mut ways = Vec::new();
    let mut way = |what: String, change: &dyn Fn(&mut Scenario)| {
        let mut smaller = scenario.clone();
        change(&mut smaller);
        if smaller != *scenario {
            ways.push((what, smaller));
        }
    };
    if scenario.peers / 2 >= PEERS_MIN {
        way(format!("{} peers", scenario.peers / 2), &|it| it.peers /= 2);
    }
    if scenario.seconds / 2.0 >= SECONDS_MIN {
        way(format!("{} s", scenario.seconds / 2.0), &|it| {
            it.seconds /= 2.0
        });
    }
    way("no churn".to_owned(), &|it| it.churn = Churn::default());
    for place in 0..scenario.machines.len() {
        way(format!("without machines[{place}]"), &|it| {
            drop(it.machines.remove(place))
        });
    }
    for place in 0..scenario.links.faults.len() {
        way(format!("without links.faults[{place}]"), &|it| {
            drop(it.links.faults.remove(place))
        });
    }
    way("links as usual".to_owned(), &|it| {
        it.links = LinkSettings::default()
    });
    for (place, group) in scenario.adversaries.iter().enumerate() {
        way(format!("without adversaries[{place}]"), &|it| {
            drop(it.adversaries.remove(place))
        });
        if group.behavior.kinds.len() > 1 {
            for kind in 0..group.behavior.kinds.len() {
                way(format!("adversaries[{place}] do a thing less"), &|it| {
                    it.adversaries[place].behavior.kinds.remove(kind);
                });
            }
        }
        way(format!("adversaries[{place}] all the time"), &|it| {
            let Adversaries {
                share, behavior, ..
            } = it.adversaries[place].clone();
            it.adversaries[place] = Adversaries::new(share, behavior);
            it.adversaries[place].behavior.rhythm = None;
        });
        if group.share >= 0.01 {
            let share = (group.share * 500.0).floor() / 1000.0;
            way(format!("adversaries[{place}] are {share}"), &|it| {
                it.adversaries[place].share = share
            });
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let group = |share, text: &str| Adversaries {
            from_s: 1.0,
            ..Adversaries::new(share, text.parse().unwrap())
        };
        let mut scenario = Scenario {
            adversaries: vec![
                group(0.1, "silent@1/2"),
                group(0.1, "late+slander"),
                group(0.1, "flood"),
            ],
            ..Scenario::default()
        };
        scenario.links.jitter_ms = 4.0;
        // Only slander matters, by at least 5 % of the peers, of which there are at least 100.
        let fails = |scenario: &Scenario| -> Failure {
            let slanders = |group: &&Adversaries| group.behavior.to_string().contains("slander");
            let share: f64 = scenario
                .adversaries
                .iter()
                .filter(slanders)
                .map(|group| group.share)
                .sum();
            let fails = share >= 0.05 && scenario.peers >= 100;
            Ok(fails.then(|| "it fails".to_owned()))
        };
        while let Some(step) = step(&scenario, fails).unwrap() {
            scenario = step.smaller;
        }
        assert_eq!(
            scenario.adversaries,
            [Adversaries::new(0.05, "slander".parse().unwrap())]
        );
        assert_eq!(
            (scenario.peers, scenario.links),
            (120, LinkSettings::default())
        );
        assert!(scenario.seconds < 2.0);
    }
}
