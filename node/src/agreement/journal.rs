//! What a peer stores of its cluster's agreement (rules R13, E5 and E9 of `docs/protocol.md`), in a redb database.
//!
//! What was synced survives `kill -9` and loss of power: it is in a committed transaction. What is not synced yet is held
//! in memory and may be lost, which the protocol allows; nothing is ever half there. A journal that is gone is missed: the
//! peer then takes part in no epoch that may have begun before ([`Journal::open`]).

use hamlet_consensus::{
    replica::StartError,
    succession::{Store, Stored, Tag},
    wire,
};
use hamlet_overlay::agreement::order::Nonce;
use redb::{
    Database, DatabaseError, Key, ReadTransaction, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, Value, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt::Display,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// How epochs ended, numbered from 0.
const LINKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("links");
/// What the stores of epochs begin with, by the names of the epochs.
const OPENINGS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("openings");
/// The records of epochs, each numbered from 0.
const RECORDS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("records");
/// The number that was chosen when it was found that there was no journal; until an epoch is begun after that.
const LOST: TableDefinition<'_, (), &[u8]> = TableDefinition::new("lost");
/// The cluster where the peer has its place, if that is not where it was at first, and the clusters that it left.
const HOME: TableDefinition<'_, (), &[u8]> = TableDefinition::new("home");
/// The number that was chosen when something was found to be lost last; it stays.
const FORGOT: TableDefinition<'_, (), &[u8]> = TableDefinition::new("forgot");
/// Evidence against other keys, in the order in which it came: when, in milliseconds since 1970, and its bytes.
const EVIDENCE: TableDefinition<'_, u64, (u64, &[u8])> = TableDefinition::new("evidence");
/// So many pieces of it are kept, the newest.
const MAX_EVIDENCE: u64 = 256;
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

/// Something to be written.
#[derive(Debug)]
enum Write {
    Settle(Home, Nonce),
    Part(Home),
    Link(Vec<u8>),
    Open(Tag, Vec<u8>),
    Record(Tag, Vec<u8>),
    Rewrite(Tag, Vec<Vec<u8>>),
    Drop(Tag),
    Keep(u64, Vec<u8>),
}

/// Where a peer has or looks for its place, once that is not where it was at first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The cluster.
    pub cluster: u64,
    /// The clusters that it left, and the newest epoch of each that it may have taken part in.
    pub left: BTreeMap<u64, u64>,
}

/// What is in a journal.
#[derive(Debug, Default)]
pub struct Content {
    /// What the engine stored.
    pub stored: Stored,
    /// The number that was chosen if anything may be lost.
    pub nonce: Nonce,
    /// Where the peer is, if that is not where it was at first.
    pub home: Option<Home>,
    /// Whether anything was ever lost.
    pub forgetful: bool,
    /// Evidence that was kept, and when, in milliseconds since 1970.
    pub evidence: Vec<(u64, Vec<u8>)>,
}

/// What a peer stores of its cluster's agreement, in a file of its own.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    database: Database,
    /// The number of the next link, and of the next record of each epoch.
    next_link: u64,
    next: BTreeMap<Tag, u64>,
    /// What is not in the database yet.
    waiting: Vec<Write>,
    waiting_bytes: usize,
}

impl Journal {
    /// Opens the journal in this file. If there is none, one is begun: that of a peer that never said anything if
    /// `unused` is there, which is then removed; else that of a peer that does not know any more what it said.
    ///
    /// # Errors
    /// If it is damaged or in use, or the system refuses.
    pub fn open(path: &Path, unused: &Path) -> Result<Journal, JournalError> {
        let failed = |error: &dyn Display| JournalError::Io {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let begins = !path.try_exists().map_err(|error| failed(&error))?;
        let lost = begins && !unused.try_exists().map_err(|error| failed(&error))?;
        let mut journal = Journal::of(path)?;
        if lost {
            let nonce = random_nonce().map_err(|error| failed(&error))?;
            journal.write(|write| {
                write.open_table(LOST)?.insert((), &nonce[..])?;
                write.open_table(FORGOT)?.insert((), &nonce[..])?;
                Ok(())
            })?;
        } else if begins {
            // On disk before the sign that it may be missing is gone.
            journal.write(|write| {
                write
                    .open_table(RECORDS)
                    .map(drop)
                    .map_err(redb::Error::from)
            })?;
        }
        match fs::remove_file(unused) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(journal),
        }
    }

    fn of(path: &Path) -> Result<Journal, JournalError> {
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
            next_link: 0,
            next: BTreeMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
        })
    }

    /// Why a peer does not start with what is in this journal.
    pub fn explain(&self, error: StartError) -> JournalError {
        match error {
            StartError::Storage(error) => damaged(&self.path, &error),
            error => JournalError::Start(error),
        }
    }

    /// What is stored.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn load(&mut self) -> Result<Content, JournalError> {
        let checked = catch_unwind(AssertUnwindSafe(|| self.database.check_integrity()));
        match checked {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(damaged(&self.path, &"its checksums do not match")),
            Ok(Err(error)) => return Err(damaged(&self.path, &error)),
            Err(_) => return Err(damaged(&self.path, &"its pages contradict each other")),
        }
        let read = catch_unwind(AssertUnwindSafe(|| self.read()))
            .map_err(|_| damaged(&self.path, &"its pages contradict each other"))?;
        let Tables {
            links,
            stores,
            lost,
            forgot,
            home,
            evidence,
        } = read.map_err(|error| damaged(&self.path, &error))?;
        self.next_link = links.len() as u64;
        let count = |(name, store): (&Tag, &Store)| (*name, store.records.len() as u64);
        self.next = stores.iter().map(count).collect();
        let stored = Stored {
            links,
            stores: stores.into_values().collect(),
            lost: lost.is_some(),
            ..Stored::default()
        };
        Ok(Content {
            stored,
            nonce: lost.or(forgot).unwrap_or_default(),
            home,
            forgetful: forgot.is_some(),
            evidence,
        })
    }

    fn read(&self) -> Result<Tables, Unreadable> {
        let read = self.database.begin_read().map_err(redb::Error::from)?;
        let mut links = Vec::new();
        for (number, link) in all(&read, LINKS, |number| number)? {
            numbered(number, &links)?;
            links.push(link);
        }
        let mut stores: BTreeMap<Tag, Store> = BTreeMap::new();
        for (name, opening) in all(&read, OPENINGS, |name| name)? {
            stores.entry(name).or_default().opening = opening;
        }
        for ((name, number), record) in all(&read, RECORDS, |key| key)? {
            let store = stores.entry(name).or_default();
            numbered(number, &store.records)?;
            store.records.push(record);
        }
        let nonce = |table| -> Result<Option<Nonce>, Unreadable> {
            let nonce = all(&read, table, |()| ())?.pop().map(|(_, nonce)| nonce);
            let nonce = nonce.map(|nonce| Nonce::try_from(nonce).map_err(|_| Unreadable::Gap(0)));
            nonce.transpose()
        };
        let home = all(&read, HOME, |()| ())?.pop().map(|(_, home)| home);
        let home = home.map(|home| wire::decode(&home).map_err(|_| Unreadable::Home));
        Ok(Tables {
            links,
            stores,
            lost: nonce(LOST)?,
            forgot: nonce(FORGOT)?,
            home: home.transpose()?,
            evidence: evidence(&read)?,
        })
    }

    /// Takes note of something to be written: it is on disk after the next [`Journal::sync`].
    fn note(&mut self, write: Write, bytes: usize) -> Result<(), JournalError> {
        self.waiting.push(write);
        self.waiting_bytes += bytes;
        match self.waiting_bytes > MAX_WAITING_BYTES {
            true => self.sync(),
            false => Ok(()),
        }
    }

    /// What follows is about another cluster; what was stored of the one before is forgotten. Until an epoch has begun there a
    /// peer that starts again does not know what it said.
    ///
    /// # Errors
    /// If the system refuses, as with all that writes.
    pub fn settle(&mut self, home: Home) -> Result<(), JournalError> {
        let nonce = random_nonce().map_err(|error| JournalError::Io {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
        self.note(Write::Settle(home, nonce), 0)
    }

    /// The cluster has split: from now on the peer's place is here, and all that is stored stays.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn part(&mut self, home: Home) -> Result<(), JournalError> {
        self.note(Write::Part(home), 0)
    }

    /// How an epoch ended, after the others.
    ///
    /// # Errors
    /// If the system refuses, as with all that writes.
    pub fn link(&mut self, link: Vec<u8>) -> Result<(), JournalError> {
        let bytes = link.len();
        self.note(Write::Link(link), bytes)
    }

    /// Begins the store of an epoch. Nothing is missed any more.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn begin(&mut self, epoch: Tag, opening: Vec<u8>) -> Result<(), JournalError> {
        let bytes = opening.len();
        self.note(Write::Open(epoch, opening), bytes)
    }

    /// A record of an epoch, after the others.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn append(&mut self, epoch: Tag, record: Vec<u8>) -> Result<(), JournalError> {
        let bytes = record.len();
        self.note(Write::Record(epoch, record), bytes)
    }

    /// Forgets the store of an epoch.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn forget(&mut self, epoch: Tag) -> Result<(), JournalError> {
        self.note(Write::Drop(epoch), 0)
    }

    /// Keeps evidence that came at this time, in milliseconds since 1970, and syncs.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn keep(&mut self, unix_ms: u64, evidence: Vec<u8>) -> Result<(), JournalError> {
        self.waiting.push(Write::Keep(unix_ms, evidence));
        self.sync()
    }

    /// Replaces the records of an epoch, all at once, and syncs.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn rewrite(&mut self, epoch: Tag, records: Vec<Vec<u8>>) -> Result<(), JournalError> {
        self.waiting.push(Write::Rewrite(epoch, records));
        self.sync()
    }

    /// Writes all that was noted, in one transaction, which is on disk when this returns.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let (mut next_link, mut next) = (self.next_link, std::mem::take(&mut self.next));
        self.write(|write| {
            for one in waiting {
                put(write, one, &mut next_link, &mut next)?;
            }
            Ok(())
        })?;
        (self.next_link, self.next) = (next_link, next);
        Ok(())
    }

    /// Carries out a transaction.
    fn write(
        &mut self,
        with: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), JournalError> {
        let commit = || -> Result<(), redb::Error> {
            let mut write = self.database.begin_write()?;
            // What was committed must be found even if the file's head is damaged later, or it is no journal.
            write.set_two_phase_commit(true);
            with(&write)?;
            write.commit()?;
            Ok(())
        };
        commit().map_err(|error| JournalError::Io {
            path: self.path.clone(),
            why: error.to_string(),
        })
    }
}

/// What the tables hold.
struct Tables {
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, Store>,
    /// The number that was chosen if anything may be lost now, and that of the last loss.
    lost: Option<Nonce>,
    forgot: Option<Nonce>,
    home: Option<Home>,
    evidence: Vec<(u64, Vec<u8>)>,
}

/// Puts one thing into a transaction.
fn put(
    to: &WriteTransaction,
    write: Write,
    next_link: &mut u64,
    next: &mut BTreeMap<Tag, u64>,
) -> Result<(), redb::Error> {
    let drop_records = |epoch: Tag| -> Result<(), redb::Error> {
        let mut table = to.open_table(RECORDS)?;
        table.retain_in((epoch, 0)..=(epoch, u64::MAX), |_, _| false)?;
        Ok(())
    };
    match write {
        Write::Settle(home, nonce) => {
            for table in [OPENINGS, LINKS] {
                to.open_table(table)?.retain(|_, _| false)?;
            }
            to.open_table(RECORDS)?.retain(|_, _| false)?;
            to.open_table(HOME)?.insert((), &wire::encode(&home)[..])?;
            to.open_table(LOST)?.insert((), &nonce[..])?;
            *next_link = 0;
            next.clear();
        }
        Write::Part(home) => {
            to.open_table(HOME)?.insert((), &wire::encode(&home)[..])?;
        }
        Write::Link(link) => {
            to.open_table(LINKS)?.insert(*next_link, &link[..])?;
            *next_link += 1;
        }
        Write::Open(epoch, opening) => {
            drop_records(epoch)?;
            to.open_table(OPENINGS)?.insert(epoch, &opening[..])?;
            to.open_table(LOST)?.remove(())?;
            next.insert(epoch, 0);
        }
        Write::Record(epoch, record) => {
            let number = next.entry(epoch).or_default();
            to.open_table(RECORDS)?
                .insert((epoch, *number), &record[..])?;
            *number += 1;
        }
        Write::Rewrite(epoch, records) => {
            drop_records(epoch)?;
            let mut table = to.open_table(RECORDS)?;
            for (number, record) in (0..).zip(&records) {
                table.insert((epoch, number), &record[..])?;
            }
            next.insert(epoch, records.len() as u64);
        }
        Write::Drop(epoch) => {
            drop_records(epoch)?;
            to.open_table(OPENINGS)?.remove(epoch)?;
            next.remove(&epoch);
        }
        Write::Keep(unix_ms, evidence) => {
            let mut table = to.open_table(EVIDENCE)?;
            let next = table.last()?.map_or(0, |(last, _)| last.value() + 1);
            table.insert(next, (unix_ms, &evidence[..]))?;
            let gone = next.saturating_sub(MAX_EVIDENCE - 1);
            table.retain_in(..gone, |_, _| false)?;
        }
    }
    Ok(())
}

/// All entries of a table.
fn all<K: Key + 'static, T>(
    read: &ReadTransaction,
    table: TableDefinition<'_, K, &[u8]>,
    key: impl Fn(<K as Value>::SelfType<'_>) -> T,
) -> Result<Vec<(T, Vec<u8>)>, Unreadable> {
    let table = match read.open_table(table) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(Unreadable::Database(error.into())),
    };
    let mut entries = Vec::new();
    for entry in table.iter().map_err(redb::Error::from)? {
        let (at, bytes) = entry.map_err(redb::Error::from)?;
        entries.push((key(at.value()), bytes.value().to_vec()));
    }
    Ok(entries)
}

fn evidence(read: &ReadTransaction) -> Result<Vec<(u64, Vec<u8>)>, Unreadable> {
    let table = match read.open_table(EVIDENCE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(Unreadable::Database(error.into())),
    };
    let mut evidence = Vec::new();
    for entry in table.iter().map_err(redb::Error::from)? {
        let (_, value) = entry.map_err(redb::Error::from)?;
        let (unix_ms, bytes) = value.value();
        evidence.push((unix_ms, bytes.to_vec()));
    }
    Ok(evidence)
}

/// Entries are numbered without a gap.
fn numbered(number: u64, before: &[Vec<u8>]) -> Result<(), Unreadable> {
    match number == before.len() as u64 {
        true => Ok(()),
        false => Err(Unreadable::Gap(before.len())),
    }
}

/// Records that cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Database(#[from] redb::Error),
    #[error("record {0} is missing")]
    Gap(usize),
    #[error("it does not say where the peer is")]
    Home,
}

fn random_nonce() -> Result<Nonce, getrandom::Error> {
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce)?;
    Ok(nonce)
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
