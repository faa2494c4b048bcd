//! The configuration of a node: command line over environment over file over default.

mod file;
pub mod mistake;
pub mod rate;
mod settings;

pub use file::{ConfigError, ConfigFile, EXAMPLE, LogFormat};
pub use rate::Rate;
pub use settings::{DEFAULT_HTTP, DEFAULT_LOG, LogSettings, Overrides, Settings};
