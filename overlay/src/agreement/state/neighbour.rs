//! A5: the clusters next to this one, as far as its members agree on them.

use super::{ClusterState, Context, Ground, founding_charter, walking::Owed};
use crate::{
    agreement::{
        card::Card,
        entry::{Act, Answer, Void},
        order::Progress,
    },
    hash::Hash,
    identity::PeerId,
    view::Cluster,
};
use hamlet_consensus::{
    Epoch,
    epoch::{Charter, Height, Origin},
    succession::Handover,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A cluster next to the own one, in the newest epoch that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    cluster: u64,
    charter: Charter,
    origin: Origin,
    cards: BTreeMap<PeerId, Card>,
    /// Walks that its charters named.
    pub(super) owed: Owed,
    /// Since when walks have been under way to it and it has come to no other epoch, in milliseconds since 1970.
    pub(super) awaited_unix_ms: Option<u64>,
    /// The own epoch with which it is forgotten, if it lies next to this cluster no more.
    pub(super) fades_at: Option<u64>,
}

impl Neighbour {
    pub(super) fn founding(ground: &Ground, cluster: &Cluster) -> Neighbour {
        let charter = founding_charter(ground.network, &ground.parameters, cluster);
        Neighbour::new(cluster.id, charter, Origin::default(), BTreeMap::new())
    }

    pub(super) fn new(
        cluster: u64,
        charter: Charter,
        origin: Origin,
        cards: BTreeMap<PeerId, Card>,
    ) -> Neighbour {
        Neighbour {
            cluster,
            charter,
            origin,
            cards,
            owed: Owed::default(),
            awaited_unix_ms: None,
            fades_at: None,
        }
    }

    /// No walks are under way between it and this cluster, which has just begun.
    pub(super) fn begin_anew(&mut self) {
        self.owed = Owed::default();
        self.awaited_unix_ms = None;
    }

    /// The cluster's number.
    pub fn cluster(&self) -> u64 {
        self.cluster
    }

    /// Its membership.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// Its epoch in the engine.
    pub fn epoch(&self, network: Hash) -> Option<Epoch> {
        self.charter.clone().found(network, self.origin).ok()
    }

    /// The cards of its members that are no founders.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.cards.values()
    }

    pub(super) fn owed(&self) -> &Owed {
        &self.owed
    }

    /// The epoch that follows by this handover, whose signatures are not looked at.
    pub fn next(&self, network: Hash, handover: &Handover) -> Option<Epoch> {
        let epochs = handover.epochs(&self.epoch(network)?)?;
        let next = epochs.into_iter().next()?;
        Context::of(next.charter())?;
        Some((*next).clone())
    }
}

impl ClusterState {
    /// A neighbouring cluster is in its next epoch.
    pub(super) fn follow(&mut self, height: Height, progress: &Progress) -> Result<Answer, Void> {
        let (network, verifier) = (self.ground.network, &*self.ground.verifier);
        let mut neighbours = self.shared.neighbours.iter_mut();
        let neighbour = neighbours.find(|neighbour| neighbour.cluster == progress.cluster);
        let neighbour = neighbour.ok_or(Void::Unproved)?;
        let ended = neighbour.epoch(network).ok_or(Void::Unproved)?;
        let next = neighbour
            .next(network, &progress.handover)
            .ok_or(Void::Already)?;
        let begun = progress.handover.epochs(&ended).unwrap_or_default();
        let begun = begun.get(1).cloned();
        if progress.handover.verify(&ended, verifier).is_none() {
            return Err(Void::Unproved);
        }
        let context = Context::of(next.charter()).ok_or(Void::Unproved)?;
        let own = self.shared.cluster;
        for (_, hash) in context.walks.into_iter().filter(|(to, _)| *to == own) {
            neighbour.owed.note(next.number(), hash);
        }
        neighbour.charter = next.charter().clone();
        neighbour.origin = next.origin();
        neighbour.awaited_unix_ms = None;
        let follows = |peer: PeerId| {
            let begun = begun.as_ref().and_then(|begun| begun.position(peer));
            begun.or(next.position(peer)).is_some()
        };
        let is_new = |card: &&Card| follows(card.peer) && ended.position(card.peer).is_none();
        for card in progress.cards.iter().filter(is_new) {
            if card.is_valid(network, verifier) {
                neighbour.cards.insert(card.peer, card.clone());
            }
        }
        if let Some((split, begun)) = context.split.zip(begun.as_ref()) {
            self.neighbour_splits(split, begun.charter(), begun.origin());
        }
        let mut neighbours = self.shared.neighbours.iter_mut();
        if let Some(neighbour) = neighbours.find(|neighbour| neighbour.cluster == progress.cluster)
        {
            let stays = |peer: PeerId| next.position(peer).is_some();
            neighbour.cards.retain(|peer, _| stays(*peer));
        }
        let act = Act::Neighbour {
            cluster: progress.cluster,
            epoch: next.number(),
        };
        Ok(self.enter(height, act))
    }
}
