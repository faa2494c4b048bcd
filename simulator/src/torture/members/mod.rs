//! Torture of membership: whole peers in several clusters that agree, while a stream plays.
//!
//! Real [peers](hamlet_overlay::peer::Peer) with the cheap signer: operators want members added and removed, members crash
//! with torn disks or lose them, some keep silent, links delay and lose. Every step is held against the promises of A1 to A7
//! in `docs/protocol.md`; where nothing but membership changes, nobody misses a segment. After a while the network gets well, and
//! everybody must come to the same members, logs and views.

mod cost;
mod oracle;
mod plan;
#[cfg(test)]
mod tests;
mod world;

pub use cost::{Cost, Setting, measure};
pub use plan::Plan;
pub use world::run;
