//! Log lines on standard error.

use crate::config::{ConfigFile, DEFAULT_LOG, LogFormat, LogSettings};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Begins to log as command line, environment and configuration file say, in this order.
pub(super) fn begin(settings: &LogSettings, file: &ConfigFile) {
    let level = settings.log.as_deref().or(file.log_level.as_deref());
    let format = settings.log_format.or(file.log_format).unwrap_or_default();
    let filter = EnvFilter::builder().parse_lossy(directives(level.unwrap_or(DEFAULT_LOG)));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    // It is begun once per process; a second time would change nothing.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}

/// A level alone is about Hamlet; libraries speak up when something is wrong.
fn directives(level: &str) -> String {
    match level.to_ascii_lowercase().as_str() {
        level @ ("info" | "debug" | "trace") => {
            format!(
                "warn,hamlet={level},hamlet_node={level},hamlet_overlay={level},mpeg2ts_reader=error"
            )
        }
        _ => level.to_owned(),
    }
}
