//! A network of models on disk: what a run goes on from, and what `predict` asks.

use super::{options::Options, outcome::Point};
use hamlet_gossip_learning::{arena::Arena, data::Encoder};
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
};

/// The first bytes of every such file; the last is the version.
const MAGIC: &[u8; 8] = b"HAMLEARN";
/// The most bytes of one file.
const LIMIT: usize = 64 << 30;

/// A network of models between two rounds.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    /// What it was started with, as a TOML scenario.
    pub scenario: String,
    /// The seed of this run.
    pub seed: u64,
    /// How questions become rows, where the data is a table.
    pub encoder: Option<Encoder>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Names of the communities.
    pub communities: Vec<String>,
    /// The community of each peer.
    pub community: Vec<u32>,
    /// All peers.
    pub arena: Arena,
    /// What was measured so far.
    pub curve: Vec<Point>,
    /// Seconds spent so far: in all, and in rounds.
    pub seconds: (f64, f64),
}

impl Saved {
    /// Writes it so that a crash leaves either the old file or the new one.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let place = path.display();
        let beside = path.with_added_extension("new");
        let written = File::create(&beside)
            .map_err(Box::<dyn Error>::from)
            .and_then(|file| {
                let mut to = BufWriter::with_capacity(1 << 20, file);
                to.write_all(MAGIC)?;
                bincode::serde::encode_into_std_write(self, &mut to, bincode::config::standard())?;
                to.into_inner()?.sync_all()?;
                fs::rename(&beside, path)?;
                Ok(())
            });
        written.map_err(|problem| format!("cannot save the models to {place}: {problem}").into())
    }

    /// Reads it.
    pub fn read(path: &Path) -> Result<Saved, Box<dyn Error>> {
        let place = path.display();
        let file = File::open(path).map_err(|problem| format!("cannot read {place}: {problem}"))?;
        let mut from = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0; MAGIC.len()];
        if from.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Err(format!("{place} holds no models: make them by `learn --save`").into());
        }
        let config = bincode::config::standard().with_limit::<LIMIT>();
        bincode::serde::decode_from_std_read(&mut from, config)
            .map_err(|problem| format!("{place} is damaged: {problem}").into())
    }

    /// What it was started with.
    pub fn options(&self) -> Result<Options, Box<dyn Error>> {
        Ok(toml::from_str(&self.scenario)?)
    }
}
