//! The world of a run: rows, whose they are, and the links between peers.

use super::{options::Options, scaling::Scaling};
use crate::open;
use hamlet_gossip_learning::{
    Dataset, Partition,
    arena::World,
    data::{self, DataError, Dealing, Encoder, Recipe, Synthetic},
    graph::{Graph, Spec, TriangleSupport, format},
};
use std::{error::Error, path::Path};

/// Everything that a run's peers live in.
pub struct Stage {
    /// The rows.
    pub data: Dataset,
    /// How questions become rows, where the data is a table.
    pub encoder: Option<Encoder>,
    /// Whose the rows are.
    pub partition: Partition,
    links: Option<(Graph, TriangleSupport)>,
}

impl Stage {
    /// Reads or makes the data and the graph.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub fn set(options: &Options, seed: u64) -> Result<Stage, Box<dyn Error>> {
        let scaling = Scaling::of(options)?;
        let Loaded {
            mut data,
            mut encoder,
            last_line,
        } = load(options, scaling, seed)?;
        let fewer = options.peers.is_some_and(|peers| peers < data.train.len());
        let deal = options
            .deal
            .as_deref()
            .unwrap_or(if fewer { "even" } else { "one" });
        let partition = deal.parse::<Dealing>()?.deal(&data, options.peers, seed);
        let partition = partition.map_err(|problem| DataError {
            source: options.data.clone().unwrap_or_default(),
            line: last_line,
            ..problem
        })?;
        if scaling == Scaling::Gossip {
            data::scale_by_gossip(&mut data, encoder.as_mut(), &partition, seed)?;
        }
        let links = match &options.graph {
            None => None,
            Some(text) => {
                let graph = graph(text, &partition, seed)?;
                let support = TriangleSupport::of(&graph);
                Some((graph, support))
            }
        };
        Ok(Stage {
            data,
            encoder,
            partition,
            links,
        })
    }

    /// The graph, if there is one.
    pub fn graph(&self) -> Option<&Graph> {
        self.links.as_ref().map(|(graph, _)| graph)
    }

    /// The same as the arena wants it.
    pub fn world(&self) -> World<'_> {
        let links = self.links.as_ref().map(|(graph, support)| (graph, support));
        World {
            data: &self.data,
            partition: &self.partition,
            links,
        }
    }
}

/// A data set as it was read.
struct Loaded {
    data: Dataset,
    /// How questions become rows, where the data is a table.
    encoder: Option<Encoder>,
    /// Where the table's last row begins.
    last_line: Option<u64>,
}

impl From<Dataset> for Loaded {
    fn from(data: Dataset) -> Loaded {
        Loaded {
            data,
            encoder: None,
            last_line: None,
        }
    }
}

fn load(options: &Options, scaling: Scaling, seed: u64) -> Result<Loaded, Box<dyn Error>> {
    let source = options.data.as_deref().ok_or(
        "--data is missing: name a CSV or LIBSVM file, or synthetic:rows=10000,features=16",
    )?;
    let test_share = options.test_share.unwrap_or(0.1);
    if source.starts_with("synthetic") {
        let data = source.parse::<Synthetic>()?.generate(test_share, seed)?;
        return Ok(data.into());
    }
    let scaled = scaling == Scaling::Description;
    let file = open::read(Path::new(source))?;
    let bare = source.trim_end_matches(".gz");
    if [".libsvm", ".svm", ".svmlight"]
        .iter()
        .any(|ending| bare.ends_with(ending))
    {
        return Ok(data::libsvm::read(source, file, scaled, test_share, seed)?.into());
    }
    let names = |columns: &Option<String>| -> Vec<String> {
        let columns = columns.iter().flat_map(|columns| columns.split(','));
        columns.map(|column| column.trim().to_owned()).collect()
    };
    let categorical = [
        names(&options.categorical),
        options.by.iter().cloned().collect(),
    ]
    .concat();
    let table = data::csv::read(source, file, &categorical)?;
    let label = options.label.clone().ok_or_else(|| {
        let names: Vec<&str> = table.column_names().map(String::as_str).take(30).collect();
        format!(
            "--label is missing: {source} has the columns {}",
            names.join(", ")
        )
    })?;
    let mut recipe = Recipe {
        label,
        by: options.by.clone(),
        drop: names(&options.without),
        scaled,
        intercept: options.intercept.unwrap_or(true),
        test_share,
        seed,
    };
    let (mut data, mut encoder) = table.prepare(&recipe)?;
    if options.intercept.is_none() && data.task != hamlet_gossip_learning::Task::Regression {
        // Classes lie on both sides of the mean of scaled rows; numbers need a level.
        recipe.intercept = false;
        (data, encoder) = table.prepare(&recipe)?;
    }
    Ok(Loaded {
        data,
        encoder: Some(encoder),
        last_line: table.last_line(),
    })
}

fn graph(text: &str, partition: &Partition, seed: u64) -> Result<Graph, Box<dyn Error>> {
    let peers = partition.peers();
    let communities: Vec<u32> = (0..peers).map(|peer| partition.community(peer)).collect();
    let path = Path::new(text);
    if !path.exists() {
        return Ok(text.parse::<Spec>()?.generate(&communities, seed)?);
    }
    let bytes = open::read_all(path, 1 << 30)?;
    let graph = if bytes.trim_ascii_start().starts_with(b"<") {
        format::graphml::read(&bytes)
    } else {
        format::edge_list::read(&bytes)
    };
    let graph = graph.map_err(|problem| format!("{text}: {problem}"))?;
    if graph.peers() != peers {
        let found = graph.peers();
        return Err(format!(
            "{text}: the graph has {found} peers and the data {peers}: set --peers {found}"
        )
        .into());
    }
    Ok(graph)
}
