//! Torture of agreement: one cluster's replicas under random schedules, with everything that may go wrong.
//!
//! A [`Plan`] is drawn from a seed: how many members, which of them are Byzantine and what they try, what the
//! network does, who crashes when. [`run`] carries it out with real [replicas](hamlet_consensus::Replica) in virtual
//! time and holds every step against the [oracle](oracle::Oracle). After a while the network gets well, everybody
//! honest is restarted, and what was submitted must get done.
//!
//! The world is light: no frames, no overlay, cheap signatures; so thousands of schedules a second can be tried.

mod byzantine;
pub(crate) mod dice;
pub(crate) mod disk;
mod keys;
mod ledger;
pub mod members;
mod network;
pub mod oracle;
mod plan;
pub mod succession;
#[cfg(test)]
mod tests;
pub mod twins;
mod world;

pub use byzantine::Tactic;
pub use keys::{CheapKeys, CheapSigner};
pub use ledger::Ledger;
pub use oracle::Violation;
pub use plan::Plan;
pub use world::{Outcome, run};
