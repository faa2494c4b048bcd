//! The folder of one peer, and the lock that keeps two processes from running it at once.

use super::{
    KeyError, PrivateFileError, SecretKey, Store, StoreError,
    genesis::{self, GenesisFileError},
    private::read_private,
};
use hamlet_overlay::{
    genesis::Network,
    hash::{Hash, hex},
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The data folder of one peer.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Held while this process runs the peer of a folder.
#[derive(Debug)]
pub struct Lock {
    folder: Folder,
    // Closing the file gives up the lock.
    _file: File,
}

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there.
    #[error(
        "{}: there is no such data folder; make a network with `hamlet network new`, or name another folder with --folder", .0.display()
    )]
    Missing(PathBuf),
    /// Another process runs its peer.
    #[error(
        "{}: another process runs the peer of this folder; stop it first, or use another folder", .0.display()
    )]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Folder {
    /// The folder at this path, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Folder {
        Folder(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, for its owner alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(&self) -> Result<(), FolderError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).map_err(|error| FolderError::Io {
            path: self.0.clone(),
            error,
        })
    }

    /// The secret key's file.
    pub fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    /// What is there as long as the key has never been used.
    pub fn unused(&self) -> PathBuf {
        unused(&self.key())
    }

    /// The genesis.
    pub fn genesis(&self) -> PathBuf {
        self.0.join("genesis.toml")
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("hamlet.toml")
    }

    /// Where the running node is reached.
    pub fn control(&self) -> PathBuf {
        self.0.join("control.json")
    }

    /// What must not be forgotten of the cluster's agreement in this network.
    pub fn agreement(&self, network: Hash) -> PathBuf {
        let name = hex(&network.0[..4]);
        self.0.join(format!("agreement-{name}.redb"))
    }

    /// What requests over the network need.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// What the running node wrote to [`Folder::control`].
    ///
    /// # Errors
    /// If there is none, it cannot be read, or others can read it too.
    pub fn read_control(&self) -> Result<String, PrivateFileError> {
        read_private(&self.control())
    }

    /// Locks the folder for this process.
    ///
    /// # Errors
    /// If it is not there, or another process holds it.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        if !self.0.is_dir() {
            return Err(FolderError::Missing(self.0.clone()));
        }
        let path = self.0.join("lock");
        let failed = |error| FolderError::Io {
            path: path.clone(),
            error,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock {
                folder: self.clone(),
                _file: file,
            }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The network of the genesis in this folder.
    ///
    /// # Errors
    /// If the file cannot be read or has a mistake.
    pub fn network(&self) -> Result<Network, GenesisFileError> {
        genesis::read(&self.genesis())
    }
}

/// What is beside a key file as long as its key has never been used.
pub(super) fn unused(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".unused");
    name.into()
}

impl Lock {
    /// The folder that is locked.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The peer's secret key.
    ///
    /// # Errors
    /// If the file cannot be read, is exposed, or is no key.
    pub fn key(&self) -> Result<SecretKey, KeyError> {
        SecretKey::read(&self.folder.key())
    }

    /// What must survive a crash.
    ///
    /// # Errors
    /// If the file cannot be opened or is damaged.
    pub fn store(&self) -> Result<Store, StoreError> {
        Store::open(&self.folder.0.join("state.redb"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::at(folder.path().join("peer"));
        assert!(matches!(folder.lock(), Err(FolderError::Missing(_))));
        folder.create().unwrap();
        let lock = folder.lock().unwrap();
        let error = folder.lock().unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        drop(lock);
        folder.lock().unwrap();
    }
}
