//! Who may be in a network, and in which of its clusters: rules W1 to W7 of `docs/protocol.md`.
//!
//! Nobody chooses the cluster that it comes to. A peer that wants a place asks any cluster for a [walk], whose every step is
//! drawn by a beacon that nobody knew before; where the walk ends the peer is taken in, for the time of a lease.
//! What members of a cluster decide about that is in [`agreement`](crate::agreement).

pub mod admission;
pub mod cycle;
pub mod lineage;
pub mod walk;
