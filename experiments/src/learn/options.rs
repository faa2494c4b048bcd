//! What the user may wish for, on the command line or in a TOML scenario.

use clap::Args;
use serde::{Deserialize, Serialize};
use std::{error::Error, fs, path::Path};

macro_rules! options {
    ($($(#[$note:meta])* $name:ident: $kind:ty,)*) => {
        /// The options of a run. On the command line they have dashes, `--test-share`; in a scenario
        /// underscores, `test_share = 0.1`. The command line wins.
        #[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct Options {
            $(
                $(#[$note])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $name: Option<$kind>,
            )*
        }

        impl Options {
            /// These options, and `base` where they are silent.
            pub fn over(self, base: Options) -> Options {
                Options { $($name: self.$name.or(base.$name),)* }
            }
        }
    };
}

options! {
    /// CSV or LIBSVM file, gzipped or not, or `synthetic:rows=10000,features=16,communities=5`
    #[arg(long, value_name = "FILE|synthetic:…", help_heading = "Data")]
    data: String,
    /// The column to learn: `type`, or `log10(Salary)`
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    label: String,
    /// The column that names each row's community; it is not learned from
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    by: String,
    /// Columns to leave out, with commas between them
    #[arg(long, value_name = "COLUMNS", help_heading = "Data")]
    without: String,
    /// Columns of numbers that name categories, with commas between them
    #[arg(long, value_name = "COLUMNS", help_heading = "Data")]
    categorical: String,
    /// Give rows a column of ones [default: only for regression]
    #[arg(long, value_name = "BOOL", help_heading = "Data")]
    intercept: bool,
    /// Where the constants come from that give features mean 0 and variance 1: `description`, all training
    /// rows, told with the task; `gossip`, each peer's own estimate, by push-sum before learning; `none`, raw
    /// features, which fail [default: description]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    scaling: String,
    /// The share of the rows to judge by [default: 0.1]
    #[arg(long, value_name = "SHARE", help_heading = "Data")]
    test_share: f64,
    /// Peers; each has a row at least [default: one per training row]
    #[arg(long, value_name = "COUNT", help_heading = "Data")]
    peers: usize,
    /// How rows are dealt: `one`, `even`, `community`, `dirichlet:ALPHA` [default: one, or even if there
    /// are fewer peers than rows]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    deal: String,

    /// `pegasos[:lambda=1e-4]`, `logistic[:lambda=1e-2]`, `adaline[:lambda=10]`,
    /// `linear[:rate=0.02,least=0]`, `kmeans[:centres=5,rate=0.05]` [default: pegasos, or linear for
    /// numbers]
    #[arg(long, value_name = "MODEL", help_heading = "Learning")]
    model: String,
    /// `rw` random walk, `mu` merge then update, `um` update then merge [default: mu]
    #[arg(long, value_name = "RULE", help_heading = "Learning")]
    merge: String,
    /// What an arriving model is merged with: `last` received, or `own` newest [default: last]
    #[arg(long, value_name = "WHICH", help_heading = "Learning")]
    partner: String,
    /// How much merged models count: `mean`, `age`, `limited:AGES` [default: mean]
    #[arg(long, value_name = "HOW", help_heading = "Learning")]
    weight: String,
    /// Send models in this many parts, one a message [default: 1]
    #[arg(long, value_name = "COUNT", help_heading = "Learning")]
    parts: usize,
    /// Models that a peer votes with [default: 1]
    #[arg(long, value_name = "COUNT", help_heading = "Learning")]
    cache: usize,
    /// Rounds to run [default: 400]
    #[arg(long, value_name = "COUNT", help_heading = "Learning")]
    rounds: u32,
    /// Peers to judge each time [default: 100]
    #[arg(long, value_name = "COUNT", help_heading = "Learning")]
    sample: usize,

    /// `uniform`, `view[:size=5,refreshes=1]`, `matching`, `graph`; gates for local models:
    /// `triangles[:least=1,reach=100]`, `pens[:of=10,best=2]`, `dac[:a=30,b=0.2]` [default: uniform, or graph if
    /// there is one]
    #[arg(long, value_name = "SAMPLER", help_heading = "Network")]
    sampler: String,
    /// A graph file (edge list, GraphML), or a family: `caveman:degree=10,between=0.03`; see
    /// `hamlet-lab graph generate --help`
    #[arg(long, value_name = "FILE|FAMILY", help_heading = "Network")]
    graph: String,
    /// `always`, `simple:C`, `generalised:C,A`, `randomised:C,A` [default: always]
    #[arg(long, value_name = "ACCOUNT", help_heading = "Network")]
    tokens: String,
    /// Let peers of high degree pass models on unmerged [default: false]
    #[arg(long, value_name = "BOOL", help_heading = "Network")]
    pass_through: bool,
    /// The probability that a message is lost [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Network")]
    loss: f64,
    /// Rounds that a message takes: `1`, or `1..10` for a uniform draw [default: none]
    #[arg(long, value_name = "ROUNDS", help_heading = "Network")]
    delay: String,
    /// The share of the peers that is offline, in lognormal sessions: `0.1[:mu=0,sigma=1]`
    #[arg(long, value_name = "SHARE", help_heading = "Network")]
    churn: String,

    /// The share of the peers that lie [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Liars")]
    byzantine: f64,
    /// What they do: none, sign-flip, label-flip, gaussian, little-is-enough, inner-product, dissensus,
    /// age-inflation, stale-replay, not-a-number, huge-weights, wrong-community; or
    /// `reconstruct`, which recovers rows from models while nobody lies
    #[arg(long, value_name = "ATTACK", help_heading = "Liars")]
    attack: String,
    /// How honest peers merge: mean, clip, median, trimmed-mean, krum, multi-krum, bulyan,
    /// geometric-median, sieve, or `nnm+` in front of one; `acute+` in front of that leaves out first what most
    /// others point away from, `fit+` in front of all what fits the own rows worst; or `jury`: received models judge
    /// the newest one, which alone is merged. Take `jury`; `acute+sieve` where peers own ten rows or more
    /// [default: pairwise, undefended]
    #[arg(long, value_name = "RULE", help_heading = "Liars")]
    defence: String,
    /// Received models that a defence counts beside the own one, 1 to 64 [default: 16, 32 for jury]
    #[arg(long, value_name = "COUNT", help_heading = "Liars")]
    defence_models: usize,

    /// For `--attack reconstruct`: Gaussian noise on steps, as its deviation over the longest step, more than 0 to
    /// 1000 [default: 1, and then 5]
    #[arg(long, value_name = "FACTOR", help_heading = "What a model betrays")]
    noise: f64,
    /// For `--attack reconstruct`: the rows below which a peer passes models on without learning, from 1
    /// [default: 10]
    #[arg(long, value_name = "COUNT", help_heading = "What a model betrays")]
    min_rows: usize,
}

impl Options {
    /// These options, and those of the scenario at `path`, if there is one, where they are silent.
    ///
    /// # Errors
    /// What is wrong with the scenario, with file and line.
    pub fn with_scenario(self, path: Option<&Path>) -> Result<Options, Box<dyn Error>> {
        let scenario = path.map(Options::read).transpose()?;
        Ok(self.over(scenario.unwrap_or_default()))
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    fn read(path: &Path) -> Result<Options, Box<dyn Error>> {
        let place = path.display();
        let text = fs::read_to_string(path).map_err(|e| format!("cannot read {place}: {e}"))?;
        toml::from_str(&text).map_err(|problem| format!("{place}: {problem}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_in_a_scenario_names_its_line_and_what_is_known() {
        let problem = toml::from_str::<Options>("rounds = 5\nroundz = 6\n").unwrap_err();
        let text = problem.to_string();
        assert!(text.contains("line 2") && text.contains("roundz"), "{text}");
        assert!(text.contains("`rounds`"), "{text}");
    }

    #[test]
    fn the_command_line_wins_over_the_scenario() {
        let line = Options {
            rounds: Some(3),
            ..Options::default()
        };
        let file = Options {
            rounds: Some(9),
            cache: Some(2),
            ..Options::default()
        };
        let both = line.over(file);
        assert_eq!(
            (both.rounds, both.cache, both.parts),
            (Some(3), Some(2), None)
        );
    }
}
