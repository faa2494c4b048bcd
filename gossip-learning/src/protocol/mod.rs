//! The protocol of one peer, after Ormándi, Hegedűs and Jelasity, "Gossip learning with linear models
//! on fully distributed data" (2013, arXiv 1109.1396).
//!
//! Once a round each peer picks a partner and sends its newest model. On receipt of model `m`:
//!
//! ```text
//! RW  random walk         newest ← update(m)
//! MU  merge then update   newest ← update(merge(m, partner))
//! UM  update then merge   newest ← merge(update(m), update(partner))
//! ```
//!
//! where the merge partner is the model received before (`last`, the authors' Java code) or the peer's
//! own newest one (gossipy), and update learns from the peer's own rows. Merged models are as old as
//! the older of the two.
//!
//! Before any of it [`Limits::admit`] refuses what cannot be an honest model. Everything works on
//! slices: [`crate::arena`] and a live peer ([`crate::peer`]) call the same functions.

mod admission;
mod cache;
mod pushsum;
mod step;
mod tokens;

pub use admission::{Limits, Refusal};
pub use cache::vote;
pub use pushsum::{PushSum, Share};
pub use step::{Arriving, Merging, Partner, Rule, Slot, Walk, Weighting, receive};
pub use tokens::Tokens;
