//! Opening files that may be gzipped.

use flate2::bufread::MultiGzDecoder;
use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// The bytes of every gzip file begin so.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The file at `path`, unpacked if it is gzipped, whatever its name.
pub fn read(path: &Path) -> Result<Box<dyn Read>, Box<dyn Error>> {
    let problem = |error| format!("cannot read {}: {error}", path.display());
    let mut file = BufReader::new(File::open(path).map_err(problem)?);
    let packed = file.fill_buf().map_err(problem)?.starts_with(&GZIP);
    Ok(if packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

/// All bytes of the file at `path`, unpacked, of which there may be `limit` at most.
pub fn read_all(path: &Path, limit: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    let length = (read(path)?.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if length as u64 > limit {
        let path = path.display();
        return Err(
            format!("{path} holds more than {limit} bytes: is this the right file?").into(),
        );
    }
    Ok(bytes)
}
