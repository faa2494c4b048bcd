//! What must survive a crash, in a small database (redb).

use hamlet_overlay::{hash::Hash, view::SegmentNumber};
use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition, TableError};
use std::{
    panic,
    path::{Path, PathBuf},
};

/// Per network, the first segment number that the peer of this folder has never used as a source.
const PUBLISH_FROM: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("publish_from");

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is damaged.
    #[error(
        "{}: the store is damaged ({why}). It keeps this peer from ever signing two segments under one number. \
         If the peer never publishes, delete the file. If it does, put back an intact copy, or give the source \
         a new key: signing a number twice would stop its stream for good", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refuses.
    #[error("{}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

/// What must survive a crash.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    database: Database,
}

impl Store {
    /// Opens the store, or makes a new one if there is none.
    ///
    /// # Errors
    /// If it cannot be opened or is damaged.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        // Some damage trips assertions inside the database, so a panic there is a finding too.
        let opened = panic::catch_unwind(|| Database::create(path));
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(DatabaseError::Storage(StorageError::Io(error))))
                if error.kind() != std::io::ErrorKind::InvalidData
                    && error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                return Err(StoreError::Io {
                    path: path.to_owned(),
                    why: error.to_string(),
                });
            }
            Ok(Err(error)) => return Err(damaged(path, &error)),
            Err(_) => return Err(damaged(path, &"its pages contradict each other")),
        };
        Ok(Store {
            path: path.to_owned(),
            database,
        })
    }

    /// The first segment number that this peer has never used in this network, if that was ever noted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn publish_from(&self, network: Hash) -> Result<Option<SegmentNumber>, StoreError> {
        let failed = |error: redb::Error| damaged(&self.path, &error);
        let read = self.database.begin_read().map_err(|e| failed(e.into()))?;
        match read.open_table(PUBLISH_FROM) {
            Ok(table) => {
                let number = table.get(network.0).map_err(|e| failed(e.into()))?;
                Ok(number.map(|number| number.value()))
            }
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Notes that numbers below this one may have been used; it is on disk when this returns.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_publish_from(&self, network: Hash, number: SegmentNumber) -> Result<(), StoreError> {
        let write = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            write.open_table(PUBLISH_FROM)?.insert(network.0, number)?;
            write.commit()?;
            Ok(())
        };
        write().map_err(|error| StoreError::Io {
            path: self.path.clone(),
            why: error.to_string(),
        })
    }
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NETWORK: Hash = Hash([1; 32]);

    #[test]
    fn numbers_survive_and_belong_to_one_network() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let store = Store::open(&path).unwrap();
        assert_eq!(store.publish_from(NETWORK).unwrap(), None);
        store.set_publish_from(NETWORK, 256).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.publish_from(NETWORK).unwrap(), Some(256));
        assert_eq!(store.publish_from(Hash([2; 32])).unwrap(), None);
    }

    #[test]
    fn damage_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        Store::open(&path)
            .unwrap()
            .set_publish_from(NETWORK, 7)
            .unwrap();
        let whole = fs::read(&path).unwrap();
        let damages: [(&str, Vec<u8>); 4] = [
            ("another file", b"this is not a database".repeat(100)),
            ("cut short", whole[..whole.len() / 3].to_vec()),
            (
                "begins with zeros",
                [vec![0; 512], whole[512..].to_vec()].concat(),
            ),
            (
                "noise after the header",
                [&whole[..64], &vec![0xa5; whole.len() - 64]].concat(),
            ),
        ];
        for (name, bytes) in damages {
            fs::write(&path, bytes).unwrap();
            match Store::open(&path) {
                Err(StoreError::Damaged { .. }) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
