//! Results for other programs: `--json PATH`, where `-` is the standard output.

use serde::Serialize;
use std::{
    error::Error,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// Writes `value` as JSON to the file at `path`, or to the standard output if it is `-`.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), Box<dyn Error>> {
    let written = if path == Path::new("-") {
        print(io::stdout().lock(), value)
    } else {
        File::create(path).and_then(|file| print(BufWriter::new(file), value))
    };
    written.map_err(|error| format!("cannot write JSON to {}: {error}", path.display()).into())
}

fn print(mut to: impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut to, value)?;
    writeln!(to)?;
    to.flush()
}
