//! The Hamlet peer: clusters, slots and coded push, as a state machine without IO.

pub mod digest;
pub mod genesis;
pub mod hash;
pub mod identity;
pub mod io;
pub mod peer;
pub mod report;
pub mod set;
pub mod time;
pub mod view;
pub mod wire;
