//! Scenarios that come with the program: one for each figure that we claim.

use super::read::Source;
use std::fmt::Write;

/// Name, what it shows, and the file.
const PRESETS: [(&str, &str, &str); 16] = [
    (
        "no-faults",
        "what the network costs when nobody lies",
        include_str!("../../scenarios/no-faults.toml"),
    ),
    (
        "silent",
        "30 % take everything and give nothing; with --byzantine 0.1, 10 %",
        include_str!("../../scenarios/silent.toml"),
    ),
    (
        "adversaries",
        "a cell of the table of adversaries; choose it by --behavior and --byzantine",
        include_str!("../../scenarios/adversaries.toml"),
    ),
    (
        "mixed",
        "30 % of six kinds at once",
        include_str!("../../scenarios/mixed.toml"),
    ),
    (
        "half-rate",
        "a fifth of the peers upload half the stream's rate",
        include_str!("../../scenarios/half-rate.toml"),
    ),
    (
        "captured-source",
        "30 % are silent, and so are two thirds of the source's own cluster",
        include_str!("../../scenarios/captured-source.toml"),
    ),
    (
        "moving-source",
        "30 % are silent, and the source changes clusters every 4 s",
        include_str!("../../scenarios/moving-source.toml"),
    ),
    (
        "moving-peers",
        "30 % are silent, and with every epoch of 4 s a tenth of the peers changes places with others",
        include_str!("../../scenarios/moving-peers.toml"),
    ),
    (
        "streams",
        "five streams at once, each of a fifth of the rate, with 30 % silent; --streams 1 or 20 for others",
        include_str!("../../scenarios/streams.toml"),
    ),
    (
        "lying-source",
        "a source that tells two stories, and an honest one beside it; --source over-rate for one that sends too much",
        include_str!("../../scenarios/lying-source.toml"),
    ),
    (
        "lost-disk",
        "a source whose disk is lost, and which goes on above all numbers that it can have used",
        include_str!("../../scenarios/lost-disk.toml"),
    ),
    (
        "living-rest",
        "clusters agree on their members, and nobody comes or goes",
        include_str!("../../scenarios/living-rest.toml"),
    ),
    (
        "living",
        "clusters agree on their members while peers crash and others come; choose how many by --churn-per-minute",
        include_str!("../../scenarios/living.toml"),
    ),
    (
        "living-silent",
        "the same with 20 % who give nothing, neither shards nor votes; --byzantine 0.3 for more",
        include_str!("../../scenarios/living-silent.toml"),
    ),
    (
        "scale",
        "upload and latency by --peers, 100 to 10000",
        include_str!("../../scenarios/scale.toml"),
    ),
    (
        "speed",
        "10,000 peers as fast as possible",
        include_str!("../../scenarios/speed.toml"),
    ),
];

/// The preset of a name.
///
/// # Errors
/// There is none; the message names those that there are.
pub fn find(name: &str) -> Result<Source, String> {
    let known = PRESETS.iter().find(|(known, ..)| *known == name);
    match known {
        Some((_, _, text)) => Ok(Source::preset(name, text)),
        None => Err(format!(
            "there is no preset `{name}`; there are:\n{}",
            list()
        )),
    }
}

/// All presets, one a line.
pub fn list() -> String {
    PRESETS
        .iter()
        .fold(String::new(), |mut all, (name, shows, _)| {
            // Writing into a text never fails.
            let _ = writeln!(all, "  {name:<17}{shows}");
            all
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_a_world() {
        for (name, ..) in PRESETS {
            let source = find(name).unwrap();
            let scenario = source.parse().unwrap_or_else(|problem| panic!("{problem}"));
            let checked = scenario.settings(1).check();
            assert!(checked.is_ok(), "{name}: {checked:?}");
            let again = Source::preset(name, &scenario.to_toml().unwrap()).parse();
            assert_eq!(
                again.unwrap_or_else(|problem| panic!("{problem}")),
                scenario,
                "written and read"
            );
        }
        let problem = find("peace").err().unwrap_or_default();
        assert!(problem.contains("no-faults"), "{problem}");
    }
}
