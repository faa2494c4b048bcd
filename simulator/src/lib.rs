//! A deterministic world of whole Hamlet peers.
//!
//! A [`World`] runs real [peers](hamlet_overlay::peer::Peer), the same state machines as the node does, in
//! virtual time: it carries their frames over links with latency, jitter, loss and rate, lets some of the
//! peers be Byzantine, streams from one of them to all, checks [invariants](invariant) at every step, and
//! sums up in [`Figures`].
//!
//! * **One order.** What happens to a peer is ordered by (time, sender, number of the sender's event), kept by a
//!   [`Calendar`](calendar::Calendar). Time is virtual and only moves from event to event. Within the time that the
//!   quickest message takes, peers cannot touch each other, so they live through it one after another, or on
//!   several threads; nothing depends on which.
//! * **One seed.** All randomness is a pure function of the seed, its purpose and its place ([`random`]):
//!   each link and each peer has its own, so that a new fault changes nothing but what it touches.
//! * **One hash.** Every event goes into an [audit hash](audit::Audit), so that two runs are compared by one
//!   line of text, whatever the build.
//!
//! Nothing in here reads a clock, a file or the environment, and many worlds may run side by side.

mod accord;
mod agenda;
pub mod agreement;
pub mod audit;
pub mod beacon;
pub mod behaviour;
pub mod calendar;
pub mod churn;
pub mod control;
pub mod directory;
pub mod downlink;
pub mod event;
pub mod figures;
pub mod invariant;
pub mod learning;
pub mod ledger;
pub mod links;
pub mod machines;
mod membership;
pub mod memo;
pub mod message;
pub mod moves;
pub mod placement;
mod presence;
pub mod publisher;
pub mod random;
pub mod scene;
pub mod settings;
pub mod span;
pub mod targets;
pub mod torture;
pub mod turnover;
pub mod uplink;
pub mod walks;
pub mod world;
pub mod wrong;

pub use figures::Figures;
#[cfg(feature = "ablation")]
pub use hamlet_overlay::ablation::Mechanism;
pub use hamlet_overlay::{genesis::Parameters, time::Time};
pub use settings::Settings;
pub use world::World;
