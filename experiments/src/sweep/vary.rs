//! Which option takes which values.

use crate::learn::options::Options;
use std::str::FromStr;

/// An option of a run and the values that it takes.
#[derive(Clone, Debug)]
pub struct Vary {
    /// The option, with underscores.
    pub option: String,
    /// Each value as written, and the options with it alone set.
    pub values: Vec<(String, Options)>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Vary, String> {
        let (option, values) = text.split_once('=').ok_or_else(|| {
            format!("`{text}`: write an option and its values, 'defence=none clip fit+sieve'")
        })?;
        let option = option.trim_start_matches("--").replace('-', "_");
        let values: Result<Vec<_>, String> = values
            .split_whitespace()
            .map(|value| Ok((value.to_owned(), set(&option, value)?)))
            .collect();
        let values = values?;
        if values.is_empty() {
            return Err(format!("`{text}` names no values"));
        }
        Ok(Vary { option, values })
    }
}

/// Options with one of them set. What is no number and no truth value is text.
fn set(option: &str, value: &str) -> Result<Options, String> {
    let plain = toml::from_str(&format!("{option} = {value}"));
    plain
        .or_else(|_| toml::from_str(&format!("{option} = {value:?}")))
        .map_err(|problem| format!("{option} {value}: {}", problem.message()))
}

/// Every combination of the values over `base`: the values' names, and the options.
pub fn combinations(varied: &[Vary], base: &Options) -> Vec<(Vec<String>, Options)> {
    let start = vec![(Vec::new(), base.clone())];
    varied.iter().fold(start, |sofar, vary| {
        let with = |(names, options): &(Vec<String>, Options)| {
            let (names, options) = (names.clone(), options.clone());
            let each = vary.values.iter().map(move |(name, set)| {
                let names = names.iter().chain([name]).cloned().collect();
                (names, set.clone().over(options.clone()))
            });
            each.collect::<Vec<_>>()
        };
        sofar.iter().flat_map(with).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_meets_every_other() {
        let varied = ["attack=none sign-flip", "defence-models=8 16 24"];
        let varied: Vec<Vary> = varied.iter().map(|text| text.parse().unwrap()).collect();
        let base = Options {
            rounds: Some(7),
            ..Options::default()
        };
        let all = combinations(&varied, &base);
        assert_eq!(all.len(), 6);
        let (names, options) = &all[5];
        assert_eq!(names, &["sign-flip", "24"]);
        assert_eq!(options.attack.as_deref(), Some("sign-flip"));
        assert_eq!(
            (options.defence_models, options.rounds),
            (Some(24), Some(7))
        );
    }

    #[test]
    fn a_wrong_option_or_value_is_an_error_that_says_which() {
        let problem = |text: &str| text.parse::<Vary>().unwrap_err();
        assert!(problem("atack=none").contains("atack"));
        assert!(problem("rounds=ten").contains("rounds ten"));
        assert!(problem("attack").contains("write an option"));
        assert!(problem("attack=").contains("no values"));
    }
}
