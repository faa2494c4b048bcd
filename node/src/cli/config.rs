//! `hamlet config`

use super::{folder::FolderArguments, output};
use crate::{
    config::{ConfigFile, EXAMPLE},
    failure::Failure,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Check a configuration, or print one to begin with
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check a configuration file; a mistake is named with file, line and remedy
    ///
    /// Streams to be played are looked for in the genesis of the data folder, if there is one.
    Check {
        /// The file to check [default: hamlet.toml in the data folder]
        path: Option<PathBuf>,
        #[command(flatten)]
        folder: FolderArguments,
    },
    /// Print a commented configuration with every setting and its default
    Example,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Example => output::print(EXAMPLE),
        Command::Check { path, folder } => {
            let path = path.clone().unwrap_or_else(|| folder.config_path());
            let config = ConfigFile::read(&path)?;
            let data = folder.folder();
            if data.genesis().exists() {
                let network = data.network()?;
                for uri in &config.play {
                    uri.find(&network)?;
                }
            }
            output::print(&format!("{}: no mistakes\n", path.display()))
        }
    }
}
