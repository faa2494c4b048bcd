//! The records of a replica (rule R13 of `docs/protocol.md`) in a redb database of their own.
//!
//! A synced record survives `kill -9` and loss of power: it is in a committed transaction. Records that are not
//! synced yet are held in memory and may be lost, which the protocol allows; none is ever half there.

use hamlet_consensus::{replica::StartError, storage::Storage};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableError,
};
use std::{
    fmt::Display,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// The records, numbered from 0.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// How many bytes wait in memory for a sync, at most; then they are written without being asked.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is damaged, or another member's.
    #[error(
        "{}: the journal of agreement cannot be relied on ({why}). Going on could make this peer contradict what it \
         signed, which is held against it for ever. Put back an intact copy of the file; if there is none, give up \
         this identity and join with a new key", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another process has it open.
    #[error("{}: another process uses this journal; stop it first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("{}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The replica cannot start, whatever is in the journal.
    #[error(transparent)]
    Start(StartError),
}

/// The records of one replica in one epoch, in a file of their own.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    database: Database,
    /// The number of the next record.
    next: u64,
    /// Records that are not in the database yet.
    waiting: Vec<Vec<u8>>,
    waiting_bytes: usize,
}

impl Journal {
    /// Opens the journal in this file, or begins one if there is no such file.
    ///
    /// # Errors
    /// If it is damaged or in use, or the system refuses.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        // Some damage trips assertions inside the database, so a panic there is a finding too.
        let opened = catch_unwind(|| Database::create(path));
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => {
                return Err(JournalError::InUse {
                    path: path.to_owned(),
                });
            }
            Ok(Err(DatabaseError::Storage(StorageError::Io(error)))) if !is_damage(&error) => {
                return Err(JournalError::Io {
                    path: path.to_owned(),
                    why: error.to_string(),
                });
            }
            Ok(Err(error)) => return Err(damaged(path, &error)),
            Err(_) => return Err(damaged(path, &"its pages contradict each other")),
        };
        Ok(Journal {
            path: path.to_owned(),
            database,
            next: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
        })
    }

    /// Why a replica does not start with the records of this journal.
    pub fn explain(&self, error: StartError) -> JournalError {
        match error {
            StartError::Storage(error) => damaged(&self.path, &error),
            error => JournalError::Start(error),
        }
    }

    /// The records in the database. They are numbered without a gap.
    fn read(&self) -> Result<Vec<Vec<u8>>, Unreadable> {
        let read = self.database.begin_read().map_err(redb::Error::from)?;
        let table = match read.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(Unreadable::Database(error.into())),
        };
        let mut records = Vec::new();
        for entry in table.iter().map_err(redb::Error::from)? {
            let (number, bytes) = entry.map_err(redb::Error::from)?;
            if number.value() != records.len() as u64 {
                return Err(Unreadable::Gap(records.len()));
            }
            records.push(bytes.value().to_vec());
        }
        Ok(records)
    }

    /// Writes records in one transaction, which is on disk when this returns.
    fn write(&mut self, records: &[Vec<u8>], anew: bool) -> Result<(), JournalError> {
        let first = if anew { 0 } else { self.next };
        let write = || -> Result<(), redb::Error> {
            let mut write = self.database.begin_write()?;
            // What was committed must be found even if the file's head is damaged later, or it is no journal.
            write.set_two_phase_commit(true);
            if anew {
                write.delete_table(RECORDS)?;
            }
            let mut table = write.open_table(RECORDS)?;
            for (number, record) in (first..).zip(records) {
                table.insert(number, &record[..])?;
            }
            drop(table);
            write.commit()?;
            Ok(())
        };
        write().map_err(|error| JournalError::Io {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
        self.next = first + records.len() as u64;
        Ok(())
    }
}

impl Storage for Journal {
    type Error = JournalError;

    fn load(&mut self) -> Result<Vec<Vec<u8>>, JournalError> {
        let checked = catch_unwind(AssertUnwindSafe(|| self.database.check_integrity()));
        match checked {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(damaged(&self.path, &"its checksums do not match")),
            Ok(Err(error)) => return Err(damaged(&self.path, &error)),
            Err(_) => return Err(damaged(&self.path, &"its pages contradict each other")),
        }
        let records = catch_unwind(AssertUnwindSafe(|| self.read()))
            .map_err(|_| damaged(&self.path, &"its pages contradict each other"))?
            .map_err(|error| damaged(&self.path, &error))?;
        self.next = records.len() as u64;
        Ok(records)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), JournalError> {
        self.waiting.push(record.to_vec());
        self.waiting_bytes += record.len();
        if self.waiting_bytes > MAX_WAITING_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.write(&waiting, false)
    }

    fn rewrite(&mut self, records: &[Vec<u8>]) -> Result<(), JournalError> {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.write(records, true)
    }
}

/// Records that cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Database(#[from] redb::Error),
    #[error("record {0} is missing")]
    Gap(usize),
}

/// Whether the system's error is about what is in the file.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

fn damaged(path: &Path, why: &dyn Display) -> JournalError {
    JournalError::Damaged {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests;
