//! What the push's view follows: the own cluster's newest epoch, and those of the neighbours that the log names.

use super::{
    Agreement,
    card::Card,
    state::{Context, Neighbour},
};
use crate::{
    identity::PeerId,
    view::{Change, Cluster, Epoch, First, Next, View},
};
use hamlet_consensus::epoch::Charter;
use std::sync::Arc;

impl Agreement {
    /// Whether the surroundings may have changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What the cluster agreed on and the view does not know yet.
    pub fn changes(&self, view: &View) -> Vec<Change> {
        let n = view.parameters.n;
        let known = view.newest();
        let mut changes = Vec::new();
        let own = in_epoch(self.cluster, self.succession.newest().charter(), n);
        if let Some((cluster, first)) = own.filter(|(own, _)| own.epoch > known.own.epoch) {
            changes.push(Change {
                first,
                next: Next::Cluster(cluster),
            });
        }
        let Some(state) = self.state() else {
            return changes;
        };
        let ids = known.neighbours.iter().map(|cluster| cluster.id);
        if !ids.eq(state.neighbours().iter().map(Neighbour::cluster)) {
            return self.arrive(view).into_iter().collect();
        }
        for (neighbour, old) in state.neighbours().iter().zip(&known.neighbours) {
            let next = in_epoch(neighbour.cluster(), neighbour.charter(), n);
            if let Some((cluster, first)) = next.filter(|(next, _)| next.epoch > old.epoch) {
                changes.push(Change {
                    first,
                    next: Next::Cluster(cluster),
                });
            }
        }
        changes
    }

    /// The whole neighbourhood: for a peer that has just become a member.
    fn arrive(&self, view: &View) -> Option<Change> {
        let n = view.parameters.n;
        let (own, first) = in_epoch(self.cluster, self.succession.newest().charter(), n)?;
        let around = self.state()?.neighbours().iter();
        let around = around.filter_map(|neighbour| {
            let (cluster, _) = in_epoch(neighbour.cluster(), neighbour.charter(), n)?;
            Some(cluster)
        });
        Some(Change {
            first,
            next: Next::Neighbourhood(Epoch {
                own,
                neighbours: around.collect(),
            }),
        })
    }

    /// Whom it may have to speak with, whatever the view says.
    pub fn contacts(&self) -> Vec<PeerId> {
        let before = self.succession.chain().last_handover();
        let serves = self.succession.is_retiring() || self.succession.replica().is_none();
        let before = before.filter(|_| serves);
        let before = before.into_iter().flat_map(|(epoch, _)| epoch.members());
        let mut contacts: Vec<PeerId> = before.copied().collect();
        contacts.extend_from_slice(self.succession.newest().members());
        contacts
    }

    /// Where peers around can be reached that are no founders.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.state().into_iter().flat_map(|state| state.cards())
    }
}

/// A cluster in the epoch of this charter, and the first segments that it governs.
fn in_epoch(cluster: u64, charter: &Charter, n: u8) -> Option<(Arc<Cluster>, First)> {
    let context = Context::of(charter)?;
    Some((Arc::new(context.deal(cluster, charter, n)), context.first))
}
