//! Results for scripts.

use crate::failure::{Failure, Kind};
use serde::Serialize;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes a result as JSON to a file, or to standard output if the path is `-`.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Kind::Failed, error))?;
    text.push('\n');
    let written = match path.as_os_str() == "-" {
        true => io::stdout().lock().write_all(text.as_bytes()),
        false => fs::write(path, text),
    };
    written.map_err(|error| {
        let text = format!("cannot write the result to {}: {error}", path.display());
        Failure::new(Kind::Failed, text)
    })
}
