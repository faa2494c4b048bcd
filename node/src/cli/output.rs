//! Results, on standard output or in files.

use crate::failure::{Failure, Kind};
use serde::Serialize;
use std::{
    fs,
    io::{self, ErrorKind, Write},
    ops::ControlFlow,
    path::Path,
};

/// Writes a result for people to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    written(Path::new("-"), to_stdout(text))
}

/// Writes one more part of a result for people to standard output. Breaks off if nobody reads it any more.
pub(super) fn print_more(text: &str) -> Result<ControlFlow<()>, Failure> {
    let mut stdout = io::stdout().lock();
    let result = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        result => written(Path::new("-"), result).map(ControlFlow::Continue),
    }
}

/// Writes a result as JSON to a file, or to standard output if the path is `-`.
pub(super) fn json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Kind::Failed, error))?;
    text.push('\n');
    let result = match path.as_os_str() == "-" {
        true => to_stdout(&text),
        false => fs::write(path, text),
    };
    written(path, result)
}

fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn written(path: &Path, result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| {
        let text = format!("cannot write the result to {}: {error}", path.display());
        Failure::new(Kind::Failed, text)
    })
}
