//! What must survive a crash: the trait that drivers implement, and what records look like.

use crate::{
    block::Block,
    certificate::Certificate,
    epoch::Epoch,
    hash::{Domain, Hash},
    vote::SignedVote,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A store of records that survive crashes, in the order in which they were written.
///
/// A crash may lose any number of the last records that were not yet synced, and may tear the last that is left:
/// its end may be missing or zero. Nothing else may happen to a record; if it does it is found out.
pub trait Storage {
    /// Why the store failed.
    type Error;

    /// All records that are there.
    ///
    /// # Errors
    /// If they cannot be read.
    fn load(&mut self) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Writes a record after the others.
    ///
    /// # Errors
    /// If it cannot be written. Then the replica must not be driven any further.
    fn append(&mut self, record: &[u8]) -> Result<(), Self::Error>;

    /// Returns when all that was written will survive a crash.
    ///
    /// # Errors
    /// If that cannot be made sure. Then the replica must not be driven any further.
    fn sync(&mut self) -> Result<(), Self::Error>;

    /// Replaces all records by these, as a whole or not at all, and syncs.
    ///
    /// # Errors
    /// If it cannot. Then the replica must not be driven any further.
    fn rewrite(&mut self, records: &[Vec<u8>]) -> Result<(), Self::Error>;
}

/// Stored records that cannot be relied on. The replica must not run: it could contradict what it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// A record is not what was written.
    #[error(
        "record {record} of the agreement's store is damaged. Going on could make this member contradict what it \
         signed, which is held against it for ever. Put back an intact copy of the store; if there is none, \
         give up this identity and join with a new key"
    )]
    Damaged {
        /// Which record, from 0.
        record: usize,
    },
    /// The records are of something else.
    #[error(
        "record {record} of the agreement's store is whole but does not fit in here: is the store another member's, or of another \
         version?"
    )]
    Foreign {
        /// Which record, from 0.
        record: usize,
    },
}

/// What a replica writes down (R13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The state that the epoch begins with (E5): the very first record, unless the epoch is its cluster's first.
    Origin {
        /// The snapshot.
        snapshot: Bytes,
    },
    /// What the log begins with, instead of everything before: the first record after a rewrite, but for the origin.
    Base {
        /// The seal of the snapshot.
        seal: Certificate,
        /// The snapshot.
        snapshot: Vec<u8>,
    },
    /// A block that is voted for or committed.
    Block(Arc<Block>),
    /// A vote of this member.
    Vote(SignedVote),
    /// A certificate that this member acted on.
    Certificate(Certificate),
}

/// Turns records into bytes that betray any damage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Framing {
    epoch: Hash,
    next: u64,
}

/// Length and sequence number before, checksum and a mark after the record.
const HEAD_BYTES: usize = 12;
const SUM_BYTES: usize = 16;
/// What was written to its end ends so; what was torn ends early or in zeros.
const MARK: [u8; 4] = [0x5a, 0xa5, 0x96, 0x69];

impl Framing {
    pub fn new(epoch: &Epoch) -> Framing {
        Framing {
            epoch: epoch.id(),
            next: 0,
        }
    }

    fn sum(&self, head: &[u8], body: &[u8]) -> [u8; SUM_BYTES] {
        let mut hasher = Domain::Record.hasher();
        hasher.update(&self.epoch.0);
        hasher.update(head);
        hasher.update(body);
        let mut sum = [0; SUM_BYTES];
        sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM_BYTES]);
        sum
    }

    /// The bytes of the next record.
    pub fn frame(&mut self, record: &Record) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes =
            bincode::serde::encode_into_std_write(record, &mut bytes, bincode::config::standard())
                .map_or_else(|_| Vec::new(), |_| bytes);
        let length = bytes.len().saturating_sub(HEAD_BYTES) as u32;
        if let Some(head) = bytes.first_chunk_mut::<HEAD_BYTES>() {
            head[..4].copy_from_slice(&length.to_le_bytes());
            head[4..].copy_from_slice(&self.next.to_le_bytes());
        }
        self.next += 1;
        let (head, body) = bytes.split_at(HEAD_BYTES.min(bytes.len()));
        let sum = self.sum(head, body);
        bytes.extend_from_slice(&sum);
        bytes.extend_from_slice(&MARK);
        bytes
    }

    /// Starts again from the first record.
    pub fn restart(&mut self) {
        self.next = 0;
    }

    /// The records of these bytes. A last one that was torn is left out: it was never synced, so nothing that
    /// depended on it was sent.
    pub fn parse(&mut self, stored: &[Vec<u8>]) -> Result<Parsed, StorageError> {
        let mut records = Vec::with_capacity(stored.len());
        for (at, bytes) in stored.iter().enumerate() {
            match self.parse_one(bytes) {
                Ok(record) => records.push(record),
                Err(Torn::Yes) if at + 1 == stored.len() => {
                    return Ok(Parsed {
                        records,
                        torn: true,
                    });
                }
                Err(Torn::Foreign) => return Err(StorageError::Foreign { record: at }),
                Err(_) => return Err(StorageError::Damaged { record: at }),
            }
            self.next += 1;
        }
        Ok(Parsed {
            records,
            torn: false,
        })
    }

    fn parse_one(&self, bytes: &[u8]) -> Result<Record, Torn> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Err(Torn::Yes);
        };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if rest.len() < length + SUM_BYTES + MARK.len() || rest.ends_with(&[0]) {
            return Err(Torn::Yes);
        }
        let (body, tail) = rest.split_at(length);
        if tail != [&self.sum(head, body)[..], &MARK].concat() {
            return Err(Torn::No);
        }
        if head[4..] != self.next.to_le_bytes() {
            return Err(Torn::No);
        }
        match bincode::serde::decode_from_slice(body, bincode::config::standard()) {
            Ok((record, used)) if used == body.len() => Ok(record),
            _ => Err(Torn::Foreign),
        }
    }
}

/// What became of stored records.
pub(crate) struct Parsed {
    pub records: Vec<Record>,
    /// Whether a torn record at the end was left out.
    pub torn: bool,
}

enum Torn {
    Yes,
    No,
    Foreign,
}
