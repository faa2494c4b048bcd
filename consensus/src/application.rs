//! What is replicated: the door to the application.

use crate::epoch::{Charter, Epoch, Height, Merge};

/// A deterministic state machine, whose state every member holds.
///
/// Members that executed the same commands must be in the same state, down to the bytes of their snapshots.
pub trait Application {
    /// Executes a command and answers it: at most [`MAX_OUTCOME_BYTES`](crate::outcome::MAX_OUTCOME_BYTES),
    /// what is longer is cut off. Nonsense is answered, not refused: it has its place in the log.
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8>;

    /// The whole state.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the state by that of a snapshot.
    ///
    /// # Errors
    /// If it is none; then the state is as before. A quorum vouches for every snapshot that comes here, so this
    /// means that members run different programs.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot>;

    /// The epochs that follow, once the state says that this one is over (E1); none while it goes on. With the
    /// command that makes it say so the epoch's log ends: what comes after it is not executed.
    fn successors(&self) -> Vec<Charter> {
        Vec::new()
    }

    /// Once there are successors: whether the cluster asks another to take it in, or takes in one that asked (E10, E11).
    fn merge(&self) -> Option<Merge> {
        None
    }

    /// An epoch begins with this state, with which another ended. From now on there are no successors.
    fn begin(&mut self, _epoch: &Epoch) {}
}

/// Bytes that are no snapshot of this application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no snapshot of this application; do all members run the same version?")]
pub struct BadSnapshot;
