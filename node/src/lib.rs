//! The Hamlet node: transport, disk, ingest, playback and command line around the peer.

pub mod agreement;
pub mod bench;
pub mod cli;
pub mod config;
pub mod control;
pub mod data;
pub mod demo;
pub mod driver;
pub mod failure;
pub mod ingest;
pub mod playback;
pub mod service;
pub mod tally;
pub mod transport;
pub mod ts;
pub mod uri;
