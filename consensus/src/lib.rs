//! Byzantine agreement inside one cluster: a state machine without IO.
//!
//! A [`Replica`] is one member of one [`Epoch`]. It takes an [`Input`] and the time, changes its state, and hands
//! out [`Output`]s: what to write to disk, what to send, which signatures to check, when to be woken. The
//! specification, with the numbers of the rules that the code names, is the part *Agreement inside a cluster* of
//! `docs/protocol.md`.
//!
//! ```text
//! replica.handle(now, Input::…)
//! while let Some(output) = replica.poll() { carry out, in this order }
//! ```
//!
//! * [`succession`]: how a peer goes from one epoch to the next, with the rules E1 to E9.
//! * [`replica`]: the rules R1 to R14, one module for each group of them.
//! * [`beacon`]: randomness that members agree on through their log, with the rules B1 to B4.
//! * [`vote`], [`certificate`], [`block`], [`command`], [`message`], [`outcome`], [`evidence`]: what is said.
//! * [`application`], [`storage`], [`identity`]: what a driver provides; [`ed25519`] provides the last.

pub mod application;
pub mod beacon;
pub mod block;
pub mod certificate;
pub mod check;
pub mod command;
pub mod ed25519;
pub mod epoch;
pub mod evidence;
mod fault_model;
pub mod hash;
pub mod identity;
pub mod io;
mod log;
pub mod member;
pub mod message;
pub mod mutant;
pub mod outcome;
mod pool;
pub mod replica;
pub mod storage;
pub mod succession;
mod tally;
pub mod time;
mod view;
pub mod vote;
pub mod wire;

pub use application::Application;
pub use epoch::{Epoch, Terms};
pub use fault_model::{FaultModel, Model};
pub use io::{Input, Output, Settings};
pub use message::Message;
pub use replica::Replica;
