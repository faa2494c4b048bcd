//! The report of learning runs: one run, or several beside one another.

use super::{
    Chart, Figure, Panel, Report, Series,
    axis::label,
    group::{self, Group},
};
use crate::{
    graph::MAX_DRAWN,
    learn::{baselines::Baselines, outcome::Point, saved::Saved, stage::Stage},
};
use hamlet_gossip_learning::{
    Task,
    arena::{Kind, evaluate},
};
use std::error::Error;

/// A run to be shown.
pub struct Shown<'a> {
    /// Its models and curve.
    pub saved: &'a Saved,
    /// Its world.
    pub stage: &'a Stage,
    /// What to compare with.
    pub baselines: &'a Baselines,
}

/// A curve of a run's points.
type Curve = fn(&Point) -> Option<f64>;

/// Makes the report of `runs`, those of one scenario as one with a band over their seeds.
pub fn html(runs: &[Shown<'_>]) -> Result<String, Box<dyn Error>> {
    let groups = group::grouped(runs)?;
    let Some(first) = runs.first() else {
        return Err("a report needs a run: name the files that `learn --save` wrote".into());
    };
    let figure = figure(&groups);
    let models: Vec<Vec<f32>> = figure
        .iter()
        .map(|shown| local_models(shown.saved))
        .collect();
    let panels = (figure.iter().zip(&models).zip(&groups))
        .filter_map(|((shown, models), group)| {
            let title = match &group.name[..] {
                "" => group.said("sampler"),
                name => name.to_owned(),
            };
            Some(Panel {
                title: group::capitalised(&title),
                note: note(shown),
                graph: shown.stage.graph()?,
                communities: communities(shown),
                models,
            })
        })
        .collect();
    let report = Report {
        title: title(&groups),
        subtitle: subtitle(&groups, first),
        tiles: tiles(&groups, first),
        figures: vec![Figure {
            title: "Who holds which model".into(),
            caption: "Each dot is a peer in the colour of its local model in the end; under each community\u{2019}s name is its \
                      peers\u{2019} mean error on its own test rows."
                .into(),
            panels,
        }],
        charts: charts(&groups, first),
        settings: group::settings(&groups),
    };
    Ok(report.html())
}

/// What a run came to, in a few words.
fn note(shown: &Shown<'_>) -> String {
    let Some(last) = shown.saved.curve.last() else {
        return String::new();
    };
    let mean = label(last.error_mean);
    match shown.saved.communities.len() {
        0 | 1 => format!("error {mean}"),
        _ => {
            let worst = label(last.error_worst_community);
            format!("error {mean}, worst community {worst}")
        }
    }
}

/// The communities' names, each with the mean error of its peers on its own test rows.
fn communities(shown: &Shown<'_>) -> Vec<(String, String)> {
    let Saved {
        arena, community, ..
    } = shown.saved;
    let error = |place: usize| {
        let members = (0u32..)
            .zip(community)
            .filter(|(peer, of)| **of as usize == place && !arena.is_byzantine(*peer as usize));
        let peers: Vec<u32> = members.map(|(peer, _)| peer).take(JUDGED).collect();
        match peers[..] {
            [] => String::new(),
            _ => label(evaluate(arena, shown.stage.world(), &peers).local.own_mean),
        }
    };
    let names = shown.saved.communities.iter().enumerate();
    names
        .map(|(place, name)| (name.clone(), error(place)))
        .collect()
}

/// Peers of each community whose errors are shown in the figure.
const JUDGED: usize = 200;

/// The first run of each group, if all have a graph that can be drawn.
fn figure<'a>(groups: &[Group<'a>]) -> Vec<&'a Shown<'a>> {
    let firsts: Vec<&Shown<'_>> = groups
        .iter()
        .filter_map(|group| group.runs.first().copied())
        .collect();
    let drawn = |shown: &&Shown<'_>| {
        shown
            .stage
            .graph()
            .is_some_and(|graph| graph.peers() <= MAX_DRAWN)
    };
    let alike = |pair: &[&Shown<'_>]| {
        pair[0].saved.arena.newest(0, Kind::Local).len()
            == pair[1].saved.arena.newest(0, Kind::Local).len()
    };
    match firsts.iter().all(drawn) && firsts.windows(2).all(alike) {
        true => firsts,
        false => Vec::new(),
    }
}

fn local_models(saved: &Saved) -> Vec<f32> {
    (0..saved.arena.peers())
        .flat_map(|peer| saved.arena.newest(peer, Kind::Local))
        .copied()
        .collect()
}

fn title(groups: &[Group<'_>]) -> String {
    let data = groups.first().and_then(|group| group.settings.get("data"));
    let name = data.map_or("data", |path| path.rsplit('/').next().unwrap_or(path));
    let name = name.split(['.', ':']).next().unwrap_or(name);
    let name = group::capitalised(name);
    match groups {
        [_, _, ..] => format!("{name}: {} runs compared", groups.len()),
        _ => format!("{name}, learned by gossip"),
    }
}

fn subtitle(groups: &[Group<'_>], first: &Shown<'_>) -> String {
    let peers = first.saved.arena.peers();
    let seeds: usize = groups
        .iter()
        .map(|group| group.runs.len())
        .max()
        .unwrap_or(1);
    let communities = match first.saved.communities.len() {
        0 | 1 => String::new(),
        count => format!(" in {count} communities"),
    };
    let seeds = if seeds > 1 {
        format!(", {seeds} seeds")
    } else {
        String::new()
    };
    format!(
        "{peers} peers{communities}, {} rounds{seeds}: models walk, merge and learn; rows stay where they are.",
        first.saved.arena.round()
    )
}

fn unit(first: &Shown<'_>) -> &'static str {
    match first.stage.data.task {
        _ if !first.saved.arena.learner().predicts_labels() => {
            "root mean squared distance from the nearest centre"
        }
        Task::Regression => "root mean squared error",
        _ => "share of wrong labels",
    }
}

fn tiles(groups: &[Group<'_>], first: &Shown<'_>) -> Vec<(String, String)> {
    let last = |group: &Group<'_>, of: Curve| {
        let ends = group
            .runs
            .iter()
            .filter_map(|run| run.saved.curve.last().and_then(of));
        let ends: Vec<f64> = ends.collect();
        (!ends.is_empty()).then(|| label(ends.iter().sum::<f64>() / ends.len() as f64))
    };
    let mut tiles = Vec::new();
    if let [group] = groups {
        let mut figures: Vec<(&str, Curve)> = vec![("messages", |p| Some(p.messages as f64))];
        if first.saved.communities.len() < 2 {
            figures.insert(0, ("error", |p| Some(p.error_mean)));
        } else {
            let errors: [(&str, Curve); 3] = [
                ("error, own community", |p| Some(p.error_mean)),
                ("error, worst community", |p| Some(p.error_worst_community)),
                ("error of global models", |p| Some(p.global_error_mean)),
            ];
            figures.splice(0..0, errors);
        }
        for (name, of) in figures {
            tiles.extend(last(group, of).map(|value| (name.to_owned(), value)));
        }
        tiles.push(("peers".to_owned(), first.saved.arena.peers().to_string()));
    } else {
        for group in groups {
            tiles.extend(
                last(group, |p| Some(p.error_mean))
                    .map(|value| (format!("error, {}", group.name), value)),
            );
        }
    }
    tiles
}

fn levels(first: &Shown<'_>) -> Vec<(String, f64)> {
    let b = first.baselines;
    let pairs = match b.ridge {
        Some(_) => [
            ("pooled ridge", b.ridge),
            ("ridge per community", b.ridge_per_community),
        ],
        None => [("centralised", b.central), ("bagging (WB2)", b.wb2)],
    };
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn charts(groups: &[Group<'_>], first: &Shown<'_>) -> Vec<Chart> {
    let series = |name: &str, group: &Group<'_>, of: Curve| {
        let points = |run: &&Shown<'_>| {
            let curve = run.saved.curve.iter();
            curve
                .filter_map(|p| Some((u64::from(p.round), of(p)?)))
                .collect::<Vec<_>>()
        };
        let runs: Vec<Vec<(u64, f64)>> = group.runs.iter().map(points).collect();
        let name = match (name, group.name.as_str()) {
            (name, "") => name.to_owned(),
            ("", group) => group.to_owned(),
            (name, group) => format!("{group}: {name}"),
        };
        Series { name, runs }
    };
    let chart = |title: &str, unit: &str, log_y: bool, curves: &[(&str, Curve)], levels| Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        log_y,
        series: (groups.iter())
            .flat_map(|group| curves.iter().map(|(name, of)| series(name, group, *of)))
            .filter(|series| series.runs.iter().any(|run| !run.is_empty()))
            .collect(),
        levels,
    };
    let unit = unit(first);
    let mut charts = if groups.len() == 1 {
        one_scenario(first, chart)
    } else {
        let one = |of: Curve| [("", of)];
        vec![
            chart(
                "Error in the own community",
                unit,
                true,
                &one(|p| Some(p.error_mean)),
                levels(first),
            ),
            chart(
                "Error in the worst community",
                unit,
                true,
                &one(|p| Some(p.error_worst_community)),
                vec![],
            ),
            chart(
                "Error of global models on all rows",
                unit,
                true,
                &one(|p| Some(p.global_error_mean)),
                vec![],
            ),
        ]
    };
    let alike: [(&str, Curve); 2] = [
        ("within communities", |p| Some(p.cosine_within)),
        ("between communities", |p| p.cosine_between),
    ];
    charts.push(chart(
        "How alike models are",
        "cosine similarity",
        false,
        &alike,
        vec![],
    ));
    charts
}

/// The charts of one scenario; `chart` takes title, unit, whether the axis is logarithmic, curves and
/// levels.
fn one_scenario(
    first: &Shown<'_>,
    chart: impl Fn(&str, &str, bool, &[(&str, Curve)], Vec<(String, f64)>) -> Chart,
) -> Vec<Chart> {
    let unit = unit(first);
    let mut own: Vec<(&str, Curve)> = vec![
        ("mean", |p| Some(p.error_mean)),
        ("95th percentile", |p| Some(p.error_p95)),
    ];
    let ages: [(&str, Curve); 3] = [
        ("mean", |p| Some(p.age_mean)),
        ("5th percentile", |p| Some(p.age_p5)),
        ("95th percentile", |p| Some(p.age_p95)),
    ];
    let mut charts = Vec::new();
    if first.saved.communities.len() < 2 {
        charts.push(chart("Error", unit, true, &own, levels(first)));
    } else {
        own.push(("worst community", |p| Some(p.error_worst_community)));
        let slots: [(&str, Curve); 3] = [
            ("local, own community", |p| Some(p.error_mean)),
            ("local, all rows", |p| Some(p.error_all_mean)),
            ("global, all rows", |p| Some(p.global_error_mean)),
        ];
        charts.push(chart(
            "Error in the own community",
            unit,
            true,
            &own,
            levels(first),
        ));
        charts.push(chart(
            "Local and global models",
            unit,
            true,
            &slots,
            levels(first),
        ));
    }
    charts.push(chart("Age of the models", "rows seen", true, &ages, vec![]));
    let sent: [(&str, Curve); 1] = [("bytes", |p| Some(p.bytes as f64))];
    charts.push(chart("Sent so far", "bytes", true, &sent, vec![]));
    charts
}
