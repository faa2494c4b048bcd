//! What whoever drives a member sees of it, and tells it from the epoch before.

use super::Replica;
use crate::{
    application::Application,
    certificate::Certificate,
    epoch::{Charter, Epoch, Height, Merge, View},
    identity::PeerId,
    member::Member,
    time::Time,
};
use bytes::Bytes;
use std::sync::Arc;

/// How an epoch ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The seal of its last height.
    pub seal: &'a Certificate,
    /// The state after that.
    pub snapshot: &'a Bytes,
    /// The epochs that follow.
    pub successors: &'a [Charter],
    /// What its end has to do with another cluster.
    pub merge: Option<&'a Merge>,
}

impl<A: Application> Replica<A> {
    /// The epoch that this is a member of.
    pub fn epoch(&self) -> &Arc<Epoch> {
        &self.epoch
    }

    /// Which member this is.
    pub fn me(&self) -> Member {
        self.me
    }

    /// The view that it is in.
    pub fn view(&self) -> View {
        self.view
    }

    /// The height that it has executed.
    pub fn height(&self) -> Height {
        self.log.height()
    }

    /// The replicated state.
    pub fn application(&self) -> &A {
        &self.log.application
    }

    /// The leaders whose last proposal did not come in time.
    pub fn suspects(&self) -> Vec<PeerId> {
        let suspected = self.timing.suspected();
        (suspected.iter())
            .filter_map(|member| self.epoch.peer(member))
            .collect()
    }

    /// Waits for these no longer than for those that did not propose in time (R3): so it was in the epoch before.
    pub fn suspect(&mut self, peers: &[PeerId]) {
        for member in peers.iter().filter_map(|peer| self.epoch.position(*peer)) {
            self.timing.suspect(member);
        }
    }

    /// R9: this member comes later than others, or back: it says so, and they say again what they said in its view.
    pub fn greet(&mut self) {
        self.timing.greets = true;
    }

    /// Whether the epoch is over: commands are for the next (E1).
    pub fn is_over(&self) -> bool {
        self.log.end().is_some()
    }

    /// How the epoch ended, once a quorum has sealed that (E2).
    pub fn ending(&self) -> Option<Ending<'_>> {
        let base = self.log.base()?;
        (self.log.end() == Some(base.snapshot.height)).then(|| Ending {
            seal: &base.seal,
            snapshot: &base.snapshot.bytes,
            successors: self.log.successors(),
            merge: self.log.merge(),
        })
    }

    /// A certificate of this epoch, from which follows that a quorum has begun it (E6).
    pub fn established(&self) -> Option<&Certificate> {
        (self.seals.of_origin(&self.epoch))
            .or(self.log.tip_certificate())
            .or(self.log.base().map(|base| &base.seal))
    }

    /// The state that the epoch began with, unless it is its cluster's first.
    pub fn origin(&self) -> Option<&Bytes> {
        self.log.origin()
    }

    /// When a member was last heard of.
    pub fn last_heard(&self, member: Member) -> Option<Time> {
        self.peers.last_heard(member)
    }
}
