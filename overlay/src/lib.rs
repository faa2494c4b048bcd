//! The Hamlet peer: clusters, slots and coded push, as a state machine without IO.

pub mod ablation;
pub mod agreement;
pub mod coding;
mod core;
pub mod digest;
pub mod evidence;
pub mod genesis;
pub mod hash;
pub mod identity;
pub mod io;
mod links;
pub mod membership;
pub mod message;
pub mod peer;
pub mod push;
pub mod report;
pub mod set;
pub mod time;
pub mod view;
pub mod wire;
pub mod work;
