//! Torture of succession: clusters whose members change, under random schedules.
//!
//! As the torture of one epoch, with real [successions](hamlet_consensus::succession::Succession): members are added,
//! put out and replaced, all at once too, clusters split and take others in, members crash in the middle of a hand-over, and liars
//! withhold, forge handovers and states, and run twice under one key.

mod liar;
mod network;
mod oracle;
mod plan;
pub(crate) mod society;
#[cfg(test)]
mod tests;
mod world;

pub use plan::Plan;
pub use world::run;
