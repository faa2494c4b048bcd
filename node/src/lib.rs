//! The Hamlet node: transport, disk, ingest, playback and command line around the peer.

pub mod driver;
pub mod ingest;
pub mod transport;
pub mod ts;
