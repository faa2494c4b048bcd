//! Agreement inside a cluster, on this machine: what a [replica](hamlet_consensus::Replica) must not forget, on disk.

mod journal;

pub use journal::{Journal, JournalError};
