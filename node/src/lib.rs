//! The Hamlet node: transport, disk, ingest, playback and command line around the peer.

pub mod config;
pub mod data;
pub mod driver;
pub mod ingest;
pub mod playback;
pub mod transport;
pub mod ts;
pub mod uri;
