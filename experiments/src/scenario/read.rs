//! Reading scenarios, and saying where in them a problem is.

use super::Scenario;
use hamlet_simulator::settings::SettingsError;
use std::{fs, path::Path};
use toml::de::{DeTable, DeValue};

/// The text of a scenario, and where it is from.
#[derive(Default)]
pub struct Source {
    /// The file, or the preset; empty for the built-in defaults.
    name: String,
    text: String,
}

impl Source {
    /// A file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(path: &Path) -> Result<Source, String> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|problem| {
            format!(
                "cannot read the scenario {name}: {problem} (presets are given by --preset NAME)"
            )
        })?;
        Ok(Source { name, text })
    }

    /// A preset.
    pub fn preset(name: &str, text: &str) -> Source {
        Source {
            name: format!("preset {name}"),
            text: text.to_owned(),
        }
    }

    /// The scenario in it.
    ///
    /// # Errors
    /// What is wrong, with file, line, field, and what there may be.
    pub fn parse(&self) -> Result<Scenario, String> {
        toml::from_str(&self.text).map_err(|problem| format!("{}: {problem}", self.name))
    }

    /// A problem with the settings of a scenario, and the line that it is in.
    pub fn place(&self, problem: &SettingsError) -> String {
        let line = match problem {
            SettingsError::Wrong(wrong) => self.line_of(&wrong.field),
            _ => None,
        };
        match line {
            Some(line) => format!("{}, line {line}: {problem}", self.name),
            None if self.name.is_empty() => problem.to_string(),
            None => format!("{}: {problem}", self.name),
        }
    }

    /// The line of a field as in `links.faults[2].during`, or of what holds it.
    fn line_of(&self, field: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut at = None;
        let mut table = Some(table.get_ref());
        for part in field.split('.') {
            let (name, numbers) = part.split_once('[').unwrap_or((part, ""));
            let Some((_, value)) = table?.iter().find(|(key, _)| key.get_ref() == name) else {
                break;
            };
            at = Some(value.span().start);
            let mut inner = value.get_ref();
            for number in numbers.split('[').filter(|text| !text.is_empty()) {
                let place: usize = number.trim_end_matches(']').parse().ok()?;
                let element = inner.as_array()?.get(place)?;
                at = Some(element.span().start);
                inner = element.get_ref();
            }
            table = match inner {
                DeValue::Table(table) => Some(table),
                _ => None,
            };
            if table.is_none() {
                break;
            }
        }
        Some(self.text[..at?].matches('\n').count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let source = Source {
            name: "world.toml".to_owned(),
            text: text.to_owned(),
        };
        match source.parse() {
            Err(problem) => problem,
            Ok(scenario) => match scenario.settings(1).check() {
                Err(problem) => source.place(&problem),
                Ok(()) => panic!("nothing is wrong with it"),
            },
        }
    }

    fn names(problem: &str, parts: &[&str]) {
        assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
    }

    #[test]
    fn problems_name_file_line_field_and_remedy() {
        names(
            &problem("peers = 9\npeerz = 5\n"),
            &["world.toml", "line 2", "peerz", "`peers`"],
        );
        names(
            &problem("[[adversaries]]\nshare = 0.1\nbehavior = 'quiet'\n"),
            &["world.toml", "line 3", "quiet", "silent"],
        );
        let late = "peers = 64\n\n[[adversaries]]\nshare = 0.1\nbehavior = 'silent'\n\n[[adversaries]]\nshare = 1.5\nbehavior = 'late'\n";
        names(
            &problem(late),
            &["world.toml, line 8", "adversaries[1].share", "from 0 to 1"],
        );
        names(
            &problem("[links]\njitter_ms = -4\n"),
            &[
                "world.toml, line 2",
                "links.jitter_ms",
                "not a number from 0",
            ],
        );
        names(&problem("peers = 1\n"), &["world.toml", "2 peers or more"]);
        names(&problem("rate = 'fast'\n"), &["line 1", "1.5Mbit"]);
    }
}
