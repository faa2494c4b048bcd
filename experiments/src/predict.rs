//! `hamlet-lab predict`: asks a saved network of models.

use crate::{Outcome, json, learn::saved::Saved};
use clap::Args;
use hamlet_gossip_learning::{Row, arena::Kind, model::Learner, model::Model};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

/// Asks a saved network: a profile in, each community's answer out, by holders of its model.
///
/// Example: hamlet-lab predict models YearsCodedJob=10 Remote=Never
#[derive(Args)]
pub struct Arguments {
    /// A network that `hamlet-lab learn --save` kept
    #[arg(value_name = "MODELS")]
    models: PathBuf,
    /// What is known of the profile; the rest is taken as the mean of the training rows
    #[arg(value_name = "COLUMN=VALUE")]
    profile: Vec<String>,
    /// Write the answers as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// The answer of one community's holders.
#[derive(Serialize)]
struct Answer {
    community: String,
    /// Honest peers asked.
    holders: usize,
    /// The median answer, or the class that most say.
    answer: f64,
    /// The class's name, for classes.
    class: Option<String>,
    /// The 10th and the 90th percentile of the holders' answers.
    low: f64,
    high: f64,
    /// The share of the holders that say so, for classes.
    agreement_ratio: Option<f64>,
}

#[derive(Serialize)]
struct Answers {
    label: String,
    assumed: Vec<String>,
    communities: Vec<Answer>,
    /// The answer of the models of everybody, all holders asked.
    everybody: Answer,
}

/// Asks and prints.
pub fn run(arguments: Arguments) -> Outcome {
    let saved = Saved::read(&arguments.models)?;
    let encoder = saved.encoder.as_ref().ok_or(
        "these models were not learned from a table with named columns: there is nothing to ask by",
    )?;
    let mut question = BTreeMap::new();
    for item in &arguments.profile {
        let (column, value) = item
            .split_once('=')
            .ok_or_else(|| format!("`{item}` is no COLUMN=VALUE, as in YearsCodedJob=10"))?;
        question.insert(column.to_owned(), value.to_owned());
    }
    let encoded = encoder.encode(&question)?;
    let wanted = encoded.community.as_deref();
    let label = encoder.label();
    let logarithm = label.starts_with("log10(");
    let row = Row::Dense(&encoded.row);
    let ask = |name: &str, kind: Kind, of: &dyn Fn(u32) -> bool| {
        let holders = (0..saved.arena.peers())
            .filter(|peer| !saved.arena.is_byzantine(*peer) && of(saved.community[*peer]));
        let answers = holders.map(|peer| {
            let learner = saved.arena.learner();
            let answer = f64::from(learner.predict(saved.arena.newest(peer, kind), row));
            if logarithm {
                10f64.powf(answer)
            } else {
                answer
            }
        });
        answer(
            name,
            answers.collect(),
            &saved.classes,
            saved.arena.learner(),
        )
    };
    let communities = (0u32..)
        .zip(&saved.communities)
        .filter(|(_, name)| wanted.is_none_or(|wanted| wanted == *name))
        .map(|(number, name)| ask(name, Kind::Local, &|of| of == number))
        .collect();
    let answers = Answers {
        label: label.to_owned(),
        assumed: encoded.assumed,
        communities,
        everybody: ask("everybody", Kind::Global, &|_| true),
    };
    if let Some(path) = &arguments.json {
        json::write(path, &answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    let unit = label
        .strip_prefix("log10(")
        .map_or(label, |inner| inner.trim_end_matches(')'));
    println!("{unit}, by community (10 % to 90 % of the models that were asked)");
    for answer_of in answers.communities.iter().chain([&answers.everybody]) {
        let Answer {
            community,
            holders,
            answer,
            low,
            high,
            ..
        } = answer_of;
        match (holders, &answer_of.class, answer_of.agreement_ratio) {
            (0, ..) => println!("  {community:<20} nobody to ask"),
            (_, Some(class), Some(share)) => {
                println!(
                    "  {community:<20} {class} ({:.0} % of {holders} models)",
                    100.0 * share
                );
            }
            _ => {
                println!(
                    "  {community:<20} {answer:>12.2}   {low:.2} to {high:.2}, {holders} models"
                );
            }
        }
    }
    if !answers.assumed.is_empty() {
        println!(
            "taken as the mean, for want of a value: {}",
            answers.assumed.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the holders' answers together.
fn answer(name: &str, mut answers: Vec<f64>, classes: &[String], learner: &Learner) -> Answer {
    answers.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * answers.len().saturating_sub(1) as f64).round() as usize;
        answers.get(place).copied().unwrap_or(f64::NAN)
    };
    let (mut median, mut class, mut agreement_ratio) = (at(0.5), None, None);
    if !classes.is_empty() && !answers.is_empty() {
        // Answers are sorted, so equal ones lie together.
        let most = answers
            .chunk_by(|a, b| a == b)
            .max_by_key(|same| same.len());
        if let Some(same) = most {
            median = same[0];
            agreement_ratio = Some(same.len() as f64 / answers.len() as f64);
            let binary = matches!(learner, Learner::Linear(_));
            let place = if binary {
                usize::from(median > 0.0)
            } else {
                median as usize
            };
            class = classes.get(place).cloned();
        }
    }
    Answer {
        community: name.to_owned(),
        holders: answers.len(),
        answer: median,
        class,
        low: at(0.1),
        high: at(0.9),
        agreement_ratio,
    }
}
