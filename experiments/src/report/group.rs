//! Runs of one scenario under several seeds, and what tells scenarios apart.

use super::learning::Shown;
use std::{collections::BTreeMap, error::Error};

/// Runs of one scenario under several seeds.
pub struct Group<'a> {
    /// What tells it from the other groups; empty if it is alone.
    pub name: String,
    /// The options that were given, by name.
    pub settings: BTreeMap<String, String>,
    /// One a seed.
    pub runs: Vec<&'a Shown<'a>>,
}

impl Group<'_> {
    /// One of its settings, in words.
    pub fn said(&self, name: &str) -> String {
        let value = self.settings.get(name).map(String::as_str);
        match (
            name,
            value.map(|value| value.split_once(':').unwrap_or((value, ""))),
        ) {
            ("sampler", None | Some(("graph", ""))) => "without a gate".to_owned(),
            ("sampler", Some(("triangles", ""))) => "with triangulation".to_owned(),
            ("sampler", Some(("triangles", how))) => format!("with triangulation, {how}"),
            _ => format!("{} {}", name.replace('_', " "), value.unwrap_or("usual")),
        }
    }
}

/// Puts runs together that differ in their seed only, and names the groups by what tells them apart.
pub fn grouped<'a>(runs: &'a [Shown<'a>]) -> Result<Vec<Group<'a>>, Box<dyn Error>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for run in runs {
        let table: toml::Table = toml::from_str(&run.saved.scenario)?;
        let text = |value: toml::Value| match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        let settings: BTreeMap<String, String> = table
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect();
        match groups.iter_mut().find(|group| group.settings == settings) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group {
                name: String::new(),
                settings,
                runs: vec![run],
            }),
        }
    }
    if groups.len() > 1 {
        let differing = differing(&groups);
        for group in &mut groups {
            let parts: Vec<String> = differing.iter().map(|name| group.said(name)).collect();
            group.name = parts.join(", ");
        }
    }
    Ok(groups)
}

/// Settings that are not the same in all groups.
fn differing(groups: &[Group<'_>]) -> Vec<String> {
    let mut names: Vec<&String> = groups
        .iter()
        .flat_map(|group| group.settings.keys())
        .collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&&String| {
        let value = |group: &Group<'_>| group.settings.get(**name).cloned();
        groups
            .windows(2)
            .any(|pair| value(&pair[0]) != value(&pair[1]))
    };
    names
        .iter()
        .filter(differs)
        .map(|name| (*name).clone())
        .collect()
}

/// Every setting with its values, for who wants to run it again.
pub fn settings(groups: &[Group<'_>]) -> Vec<(String, String)> {
    let mut names: Vec<&String> = groups
        .iter()
        .flat_map(|group| group.settings.keys())
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut lines: Vec<(String, String)> = (names.into_iter())
        .map(|name| {
            let mut values: Vec<&str> = (groups.iter())
                .map(|group| group.settings.get(name).map_or("usual", String::as_str))
                .collect();
            values.dedup();
            (name.replace('_', " "), values.join("  |  "))
        })
        .collect();
    let seeds = groups
        .iter()
        .flat_map(|group| &group.runs)
        .map(|run| run.saved.seed);
    let mut seeds: Vec<u64> = seeds.collect();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    lines.push(("seeds".into(), seeds.join(", ")));
    lines
}

/// The text with a capital at its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    first
        .iter()
        .flat_map(|c| c.to_uppercase())
        .chain(letters)
        .collect()
}
