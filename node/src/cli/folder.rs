//! Which data folder a command is about.

use crate::{
    config::{ConfigFile, Overrides, Settings},
    data::Folder,
    failure::Failure,
};
use clap::Args;
use std::{env, path::PathBuf};

/// Which data folder a command is about.
#[derive(Args, Clone, Debug)]
pub(super) struct FolderArguments {
    /// The peer's data folder: key, genesis, configuration and state [default: hamlet in your data directory]
    #[arg(long, short, env = "HAMLET_FOLDER", value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Read the configuration from this file instead of hamlet.toml in the data folder
    #[arg(long, env = "HAMLET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl FolderArguments {
    /// The data folder.
    pub(super) fn folder(&self) -> Folder {
        Folder::at(self.folder.clone().unwrap_or_else(default_folder))
    }

    /// The configuration file: the one that was named, or the data folder's, if it has one.
    pub(super) fn config(&self) -> Result<ConfigFile, Failure> {
        let own = self.folder().config();
        match &self.config {
            Some(path) => Ok(ConfigFile::read(path)?),
            None if own.exists() => Ok(ConfigFile::read(&own)?),
            None => Ok(ConfigFile::default()),
        }
    }

    /// The path of the configuration file that is to be checked.
    pub(super) fn config_path(&self) -> PathBuf {
        let own = || self.folder().config();
        self.config.clone().unwrap_or_else(own)
    }

    /// The settings of a node that this command runs itself. It need not be found by players, so it takes
    /// any free port unless told otherwise.
    pub(super) fn passing_settings(&self, file: ConfigFile) -> Settings {
        let mut settings = Settings::resolve(&Overrides::default(), file);
        settings.http.set_port(0);
        settings
    }
}

fn default_folder() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_DATA_HOME")
        .or_else(|| Some(set("HOME")?.join(".local/share")))
        .unwrap_or_default()
        .join("hamlet")
}
