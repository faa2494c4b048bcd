//! Agreement inside a cluster, on this machine: what a [replica](hamlet_consensus::Replica) must not forget, on disk,
//! and a thread that writes it and checks signatures, so that streams never wait for either.

mod journal;
mod worker;

pub use journal::{Content, Home, Journal, JournalError};
pub(crate) use worker::{Done, Worker};
