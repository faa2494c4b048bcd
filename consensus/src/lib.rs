//! Byzantine agreement inside one cluster.
//!
//! So far this crate says what clusters assume of their members, and what follows for their sizes; the
//! replicas are built on it.

mod fault_model;

pub use fault_model::FaultModel;
