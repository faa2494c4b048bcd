//! What the push's view follows: the own cluster's newest epoch, and those of the neighbours that the log names.

use super::{
    Agreement,
    card::Card,
    state::{Context, number_of},
};
use crate::{
    identity::PeerId,
    view::{Change, Cluster, Epoch, First, Next, View},
};
use hamlet_consensus::epoch::Charter;
use std::{collections::BTreeSet, sync::Arc};

/// For so many epochs those who were put out are told, if they ask.
const TOLD_FOR: usize = 8;
/// So many epochs may govern segments that are under way.
const GOVERNING: usize = 4;
/// By so many members each.
const GUIDES: usize = 3;

impl Agreement {
    /// Whether the surroundings may have changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What the cluster agreed on and the view does not know yet.
    pub fn changes(&self, view: &View) -> Vec<Change> {
        let n = view.parameters.n;
        let known = view.newest();
        if !self.has_arrived {
            return Vec::new();
        }
        if known.own.id != self.cluster && self.is_member() {
            return self.arrive(view).into_iter().collect();
        }
        let mut changes = self.followed(&known.own, n);
        if known.own.id != self.cluster {
            return changes;
        }
        // Slots are dealt only when that is news: every executed command asks this.
        let newer = |charter: &&Charter, old: &Cluster| charter.number > old.epoch;
        let Some(state) = self.state() else {
            return changes;
        };
        let around = state.neighbours();
        if known.neighbours.is_empty() && !around.is_empty() {
            return self.arrive(view).into_iter().collect();
        }
        for neighbour in around {
            let (id, next) = (neighbour.cluster(), neighbour.charter());
            let mut old = known.neighbours.iter();
            let old = old.find(|old| old.id == id);
            if old.is_some_and(|old| !newer(&next, old)) {
                continue;
            }
            if let Some((cluster, first)) = in_epoch(id, next, n) {
                let next = match old {
                    Some(_) => Next::Cluster(cluster),
                    None => Next::Comes(cluster),
                };
                changes.push(Change { first, next });
            }
        }
        let is_there = |id: u64| around.iter().any(|neighbour| neighbour.cluster() == id);
        let gone = known.neighbours.iter().map(|cluster| cluster.id);
        changes.extend(gone.filter(|id| !is_there(*id)).map(|id| Change {
            first: First::new(),
            next: Next::Goes(id),
        }));
        changes
    }

    /// The own cluster in the newest epoch that is known.
    pub fn own_change(&self, n: u8) -> Option<Change> {
        let (cluster, first) = in_epoch(self.cluster, self.succession.newest().charter(), n)?;
        Some(Change {
            first,
            next: Next::Cluster(cluster),
        })
    }

    /// The newest epochs of the own cluster after the one that is known, and of the one that it split from: whoever has just come,
    /// perhaps as a guest, receives by those that govern now.
    fn followed(&self, known: &Cluster, n: u8) -> Vec<Change> {
        let newest = self.succession.newest().number();
        if known.id == self.cluster && known.epoch >= newest {
            return Vec::new();
        }
        let named = |charter| Some((number_of(self.network, charter)?, charter));
        let charters: Vec<&Charter> = self.succession.chain().charters().collect();
        let governing = &charters[charters.len().saturating_sub(GOVERNING)..];
        let governing: Vec<(u64, &Charter)> = governing.iter().copied().filter_map(named).collect();
        let is_known = |(id, charter): &(u64, &Charter)| (*id, charter.number) == known.name();
        let begin = governing.iter().position(is_known);
        let mut at = known.id;
        let mut changes = Vec::new();
        for &(id, charter) in &governing[begin.map_or(0, |place| place + 1)..] {
            let same = std::mem::replace(&mut at, id) == id;
            if same && charter.number <= known.epoch {
                continue;
            }
            let Some((own, first)) = in_epoch(id, charter, n) else {
                continue;
            };
            let next = match same {
                true => Next::Cluster(own),
                false => Next::Neighbourhood(Epoch {
                    own,
                    neighbours: Vec::new(),
                }),
            };
            changes.push(Change { first, next });
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

    /// Whom it may have to speak with, whatever the view says: members, those of the epoch before while they may need one
    /// another, and those put out whom this member is to tell.
    pub fn contacts(&self) -> Vec<PeerId> {
        let before = self.succession.chain().last_handover();
        let serves = self.succession.is_retiring() || self.succession.replica().is_none();
        let before = before.filter(|_| serves);
        let before = before.into_iter().flat_map(|(epoch, _)| epoch.members());
        let mut contacts: Vec<PeerId> = before.copied().collect();
        contacts.extend_from_slice(self.succession.newest().members());
        contacts.extend(self.to_be_told());
        contacts.extend(self.guests());
        contacts.sort_unstable();
        contacts.dedup();
        contacts
    }

    /// Who was put out lately, and would ask this member what followed if it was away meanwhile (E7): it only knows those
    /// who were members beside it, and a few of them are enough.
    fn to_be_told(&self) -> Vec<PeerId> {
        let newest = self.succession.newest();
        if newest.position(self.me).is_none() {
            return Vec::new();
        }
        let charters: Vec<&Charter> = self.succession.chain().charters().collect();
        let past = charters.iter().rev().skip(1).take(TOLD_FOR);
        let mut seen: BTreeSet<PeerId> = newest.members().iter().copied().collect();
        let mut told = Vec::new();
        for charter in past {
            let stays = |member: &&PeerId| newest.position(**member).is_some();
            for &gone in charter
                .members
                .iter()
                .filter(|member| seen.insert(**member))
            {
                let beside = charter.members.iter().filter(stays);
                let mut guides: Vec<&PeerId> = beside.collect();
                guides.sort_by_key(|guide| distance(guide, &gone));
                if guides.iter().take(GUIDES).any(|guide| **guide == self.me) {
                    told.push(gone);
                }
            }
        }
        told
    }

    /// Where peers around can be reached that are no founders.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.state().into_iter().flat_map(|state| state.cards())
    }
}

/// Differs from pair to pair, so that everybody has other guides.
fn distance(a: &PeerId, b: &PeerId) -> [u8; 32] {
    std::array::from_fn(|at| a.0[at] ^ b.0[at])
}

/// A cluster in the epoch of this charter, and the first segments that it governs.
fn in_epoch(cluster: u64, charter: &Charter, n: u8) -> Option<(Arc<Cluster>, First)> {
    let context = Context::of(charter)?;
    Some((Arc::new(context.deal(cluster, charter, n)), context.first))
}
