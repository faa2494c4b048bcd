//! Which options of a world take which values.

use crate::scenario::Overrides;
use clap::Parser;
use hamlet_simulator::behaviour::Kind;
use std::str::FromStr;

/// An option of `hamlet-lab simulate` and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vary {
    /// The option, without dashes before it.
    pub option: String,
    /// The values, as written.
    pub values: Vec<String>,
}

/// What stands for every behaviour.
const ALL: &str = "all";

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Vary, String> {
        let (option, values) = text.split_once('=').ok_or_else(|| {
            format!("`{text}`: write an option and its values, as 'byzantine=0 0.1 0.3'")
        })?;
        let option = option.trim_start_matches("--").to_owned();
        let values: Vec<String> = match (&option[..], values.trim()) {
            ("seed" | "seeds", _) => {
                return Err("give the seeds by --seeds: every combination gets all of them".into());
            }
            ("behavior", ALL) => {
                let names = Kind::names().filter(|&name| name != "honest");
                names.map(str::to_owned).collect()
            }
            (_, values) => values.split_whitespace().map(str::to_owned).collect(),
        };
        if values.is_empty() {
            return Err(format!("`{text}` names no values"));
        }
        for value in &values {
            overrides([(&option[..], &value[..])])?;
        }
        Ok(Vary { option, values })
    }
}

/// The command line of a world, read like that of `hamlet-lab simulate`.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct World {
    #[command(flatten)]
    world: Overrides,
}

/// What these options say, each with its value.
fn overrides<'a>(
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Overrides, String> {
    let words = options
        .into_iter()
        .map(|(option, value)| format!("--{option}={value}"));
    let words: Vec<String> = words.collect();
    let parsed = World::try_parse_from(&words);
    parsed.map(|parsed| parsed.world).map_err(|problem| {
        let problem = problem.to_string();
        let first = problem.lines().next().unwrap_or_default();
        let first = first.trim_start_matches("error: ");
        format!("{}: {first}", words.join(" "))
    })
}

/// Every combination of the values: the values, and what they say of a world.
///
/// # Errors
/// Which options do not go together.
pub fn combinations(varied: &[Vary]) -> Result<Vec<(Vec<String>, Overrides)>, String> {
    let start = vec![Vec::new()];
    let all = varied.iter().fold(start, |sofar: Vec<Vec<String>>, vary| {
        let with = |values: &Vec<String>| {
            let values = values.clone();
            let more = |value: &String| [&values[..], std::slice::from_ref(value)].concat();
            vary.values.iter().map(more).collect::<Vec<_>>()
        };
        sofar.iter().flat_map(with).collect()
    });
    let world = |values: Vec<String>| {
        let options = varied.iter().zip(&values);
        let options = options.map(|(vary, value)| (&vary.option[..], &value[..]));
        let world = overrides(options)?;
        Ok((values, world))
    };
    all.into_iter().map(world).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(text: &str) -> Vary {
        text.parse().unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn every_value_meets_every_other() {
        let varied = [
            vary("behavior=silent late:300"),
            vary("byzantine=0 0.1 0.3"),
        ];
        let all = combinations(&varied).unwrap();
        let values: Vec<String> = all.iter().map(|(values, _)| values.join(" ")).collect();
        let expected = [
            "silent 0",
            "silent 0.1",
            "silent 0.3",
            "late:300 0",
            "late:300 0.1",
            "late:300 0.3",
        ];
        assert_eq!(values, expected);
        assert!(vary("behavior=all").values.contains(&"polluter".to_owned()));
    }

    #[test]
    fn a_wrong_option_or_value_is_an_error_that_says_which() {
        let problem = |text: &str| text.parse::<Vary>().unwrap_err();
        assert!(problem("byzantin=0.1").contains("byzantin"));
        assert!(problem("byzantine=1.5").contains("--byzantine=1.5"));
        assert!(
            problem("behavior=quiet").contains("silent"),
            "{}",
            problem("behavior=quiet")
        );
        assert!(problem("peers").contains("write an option"));
        assert!(problem("peers=").contains("no values"));
        assert!(problem("seeds=1..3").contains("--seeds"));
    }
}
