//! Files that nobody but their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The longest private file that is read, in bytes.
const BYTES_MAX: u64 = 4096;

/// A private file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others can read or change it.
    #[error(
        "{}: others can read or change this file (mode {mode:o}); allow it to its owner alone with `chmod 600 {}`",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is too long, or no text.
    #[error("{}: this is not a file that hamlet wrote", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// Writes a file that only its owner may read, whole or not at all; replaces one that is there only if
/// `replace` says so.
///
/// # Errors
/// If it cannot be written, or is there and must not be replaced.
pub fn write_private(path: &Path, text: &str, replace: bool) -> Result<(), PrivateFileError> {
    let failed = |error| PrivateFileError::Io {
        path: path.to_owned(),
        error,
    };
    if replace {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = fs::remove_file(&beside);
        write_new(&beside, text).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)
    } else {
        write_new(path, text).map_err(failed)
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a file that only its owner may read.
///
/// # Errors
/// If it cannot be read, others may read it, or it is no short text.
pub fn read_private(path: &Path) -> Result<String, PrivateFileError> {
    let failed = |error| PrivateFileError::Io {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(PrivateFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
    }
    let foreign = || PrivateFileError::Foreign {
        path: path.to_owned(),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(foreign());
    }
    String::from_utf8(bytes).map_err(|_| foreign())
}
