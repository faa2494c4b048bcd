//! The arguments of `hamlet-lab simulate`.

use crate::{parallel, scenario::Overrides};
use clap::Args;
use std::path::PathBuf;

/// Stream through a deterministic world of whole peers, some of them Byzantine
///
/// Every peer runs the code of the node; network and time are simulated. One peer publishes, all watch. What world
/// it is a scenario says, and the command line in its place. Equal scenarios give equal results, to the last event
/// (trace_hash), in every build. Exit status: 0 if no invariant was broken, 1 if one was, 130 after Ctrl-C, which
/// shows the results so far.
#[derive(Args, Clone)]
#[command(after_help = "Examples:\n  \
    hamlet-lab simulate\n  \
    hamlet-lab simulate --preset list\n  \
    hamlet-lab simulate --preset silent --byzantine 0.1 --json results.json\n  \
    hamlet-lab simulate --byzantine 0.3 --behavior late:300+slander --seeds 1..20\n  \
    hamlet-lab simulate world.toml --peers 32 --loss 0.01 --uplink 4Mbit")]
pub struct Arguments {
    /// What world
    #[command(flatten)]
    pub world: Overrides,
    /// How many threads work, on several worlds side by side or together on one; this changes no result
    /// [default: one per processor]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Where to write the results as JSON; `-` is the standard output, and then the table goes nowhere
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
}

impl Arguments {
    /// How many threads work.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(parallel::processors).max(1)
    }
}

/// The user's own command, for the world of one seed alone.
pub fn replay(words: impl IntoIterator<Item = String>, seed: u64) -> String {
    let mut command = "hamlet-lab".to_owned();
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if ["--seed", "--seeds", "--json", "--threads"].contains(&name) {
            if name == word {
                words.next();
            }
            continue;
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=.,:+@/%".contains(letter);
        command.push(' ');
        match word.chars().all(plain) {
            true => command.push_str(&word),
            false => command.push_str(&format!("'{}'", word.replace('\'', r"'\''"))),
        }
    }
    format!("{command} --seed {seed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_replays_is_the_users_with_one_seed() {
        let words = "/bin/hamlet-lab simulate it.toml --seeds 1..9 --loss=0.1 --json=- --threads 2 --byzantine 0.3";
        let words = words.split(' ').map(str::to_owned);
        let command = "hamlet-lab simulate it.toml --loss=0.1 --byzantine 0.3 --seed 7";
        assert_eq!(replay(words, 7), command);
        let words = ["hamlet-lab", "simulate", "my world.toml"].map(str::to_owned);
        assert_eq!(
            replay(words, 1),
            "hamlet-lab simulate 'my world.toml' --seed 1"
        );
    }
}
