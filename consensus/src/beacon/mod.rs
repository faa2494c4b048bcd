//! Randomness that the members of a cluster agree on through their log, and that nobody can choose.
//!
//! The specification, with the rules B1 to B4, is the part *The beacon* of `docs/protocol.md`. A [`Round`] is a pure
//! function of its keys and of the contributions that the log orders; each has one value, which nobody knows before the
//! dealings that it is made of are fixed, and nobody can prevent or change from then on.
//!
//! ```text
//! let round = Round::new(name, keys, faults)?;          // the same at every member
//! if let Some(said) = round.contribution(me, &secret)   // whenever something was taken in; into the log
//! round.take(from, said)                                // in the order of the log
//! round.value()
//! ```
//!
//! This is publicly verifiable secret sharing after Schoenmakers (CRYPTO 1999), with the check of degree of SCRAPE
//! (Cascudo and David, ACNS 2017), over ristretto255. What is new with respect to them is left out: since shares add up,
//! members show one share of the sum of all dealings instead of one of each, so it makes no difference whether a dealer is
//! still there. [`lottery`] is the cheap variant, without dealing, that colluders can bias.

mod dealing;
mod group;
mod key;
pub mod lottery;
mod proof;
mod round;
mod share;
#[cfg(test)]
mod tests;

pub use dealing::Dealing;
pub use key::{Key, Registration, SecretKey};
pub use round::{Contribution, Impossible, Refused, Round};
pub use share::Share;
