//! What a peer knows of the network around it: its own cluster, those next to it, and who may publish.
//!
//! The push never asks "who is in my cluster" but "who governs this segment of this stream": a view holds
//! up to two epochs at a time, so that both ends of a link deal alike while membership changes.

use crate::{
    coding::Coder,
    genesis::{Network, Parameters, Publisher, generator, shuffle},
    hash::{Domain, Hash},
    identity::PeerId,
    set::{MAX_SLOTS, SlotSet},
};
use std::{collections::BTreeMap, sync::Arc};

/// A segment's number within its stream.
pub type SegmentNumber = u64;

/// A stream's number: the place of its publisher's certificate among those of the network.
pub type StreamNumber = u16;

/// One cluster in one epoch: its members, and the slots that its beacon dealt to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's number.
    pub id: u64,
    /// The epoch of its membership.
    pub epoch: u64,
    members: Vec<PeerId>,
    /// Per slot, the place of its holder among the members.
    slots: Vec<u8>,
}

impl Cluster {
    /// Deals the `n` slots of a cluster to its members by its beacon: every member holds one before any
    /// holds a second.
    pub fn deal(id: u64, epoch: u64, mut members: Vec<PeerId>, beacon: Hash, n: u8) -> Cluster {
        members.sort_unstable();
        members.dedup();
        members.truncate(MAX_SLOTS.into());
        let mut order: Vec<u8> = (0..members.len() as u8).collect();
        let mut random = generator(
            Domain::Slots,
            &[&beacon.0, &id.to_le_bytes(), &epoch.to_le_bytes()],
        );
        shuffle(&mut order, &mut random);
        let slots = order.iter().copied().cycle().take(n.into()).collect();
        Cluster {
            id,
            epoch,
            members,
            slots,
        }
    }

    /// The members, in ascending order of their keys.
    pub fn members(&self) -> &[PeerId] {
        &self.members
    }

    /// The place of `peer` among the members.
    pub fn place(&self, peer: PeerId) -> Option<usize> {
        self.members.binary_search(&peer).ok()
    }

    /// Who holds `slot`.
    pub fn holder(&self, slot: u8) -> PeerId {
        self.members[usize::from(self.slots[usize::from(slot)])]
    }

    /// The slots that `peer` holds.
    pub fn slots_of(&self, peer: PeerId) -> SlotSet {
        let Some(place) = self.place(peer) else {
            return SlotSet::EMPTY;
        };
        (0..self.slots.len() as u8)
            .filter(|&slot| usize::from(self.slots[usize::from(slot)]) == place)
            .collect()
    }
}

/// The neighbourhood of one peer while no membership in it changes.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Per stream, the first segment that this epoch governs; a stream not listed is governed from 0.
    pub first: BTreeMap<StreamNumber, SegmentNumber>,
    /// The peer's own cluster.
    pub own: Cluster,
    /// The clusters next to it on the cycles, in ascending order of their numbers.
    pub neighbours: Vec<Cluster>,
}

impl Epoch {
    /// The cluster of `peer`, if it is the own one or a neighbour.
    pub fn cluster_of(&self, peer: PeerId) -> Option<&Cluster> {
        std::iter::once(&self.own)
            .chain(&self.neighbours)
            .find(|cluster| cluster.place(peer).is_some())
    }
}

/// What a peer knows of the network around it.
#[derive(Clone, Debug)]
pub struct View {
    /// The network's identity.
    pub network: Hash,
    /// The network's parameters.
    pub parameters: Parameters,
    /// The code of the network's `k` and `n`.
    pub coder: Coder,
    /// The certificates of the publishers; a stream's number is its place.
    pub publishers: Vec<Publisher>,
    /// The randomness that rotates shards over slots; one for the network, since equal slots of all
    /// clusters carry the same shard.
    pub rotation_beacon: Hash,
    older: Option<Arc<Epoch>>,
    newer: Arc<Epoch>,
}

impl View {
    /// The view of the founder `peer` at the founding, if it is one.
    pub fn founding(network: &Network, peer: PeerId) -> Option<View> {
        let own = network.cluster_of(peer)?;
        let neighbours = network
            .neighbours(own.id as usize)
            .into_iter()
            .cloned()
            .collect();
        let genesis = network.genesis();
        Some(View {
            network: network.id(),
            parameters: genesis.parameters,
            coder: network.coder().clone(),
            publishers: genesis.publishers.clone(),
            rotation_beacon: Domain::Beacon.hash(&[&network.id().0, &genesis.seed.0]),
            older: None,
            newer: Arc::new(Epoch {
                first: BTreeMap::new(),
                own: own.clone(),
                neighbours,
            }),
        })
    }

    /// The epoch that governs a segment.
    pub fn governing(&self, stream: StreamNumber, segment: SegmentNumber) -> &Arc<Epoch> {
        let first = self.newer.first.get(&stream).copied().unwrap_or(0);
        match &self.older {
            Some(older) if segment < first => older,
            _ => &self.newer,
        }
    }

    /// Begins the next epoch; the one before goes on to govern the segments before `next.first`.
    pub fn begin(&mut self, next: Epoch) {
        self.older = Some(std::mem::replace(&mut self.newer, Arc::new(next)));
    }

    /// The newest epoch held.
    pub fn newest(&self) -> &Arc<Epoch> {
        &self.newer
    }

    /// The epochs held, the older first.
    pub fn epochs(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.older.iter().chain([&self.newer])
    }

    /// The stream published under this key.
    pub fn stream(&self, key: PeerId) -> Option<StreamNumber> {
        self.publishers
            .iter()
            .position(|publisher| publisher.stream == key)
            .map(|place| place as StreamNumber)
    }

    /// Everybody with whom `me` exchanges messages: fellow members, the holders of its slots in
    /// neighbouring clusters, and, around a source, the source itself.
    pub fn links(&self, me: PeerId) -> Vec<PeerId> {
        let mut links = Vec::new();
        for epoch in self.epochs() {
            let mine = epoch.own.slots_of(me);
            links.extend_from_slice(epoch.own.members());
            for neighbour in &epoch.neighbours {
                links.extend(mine.iter().map(|slot| neighbour.holder(slot)));
                for publisher in &self.publishers {
                    if publisher.stream == me {
                        links.extend_from_slice(neighbour.members());
                    } else if neighbour.place(publisher.stream).is_some() {
                        links.push(publisher.stream);
                    }
                }
            }
        }
        links.sort_unstable();
        links.dedup();
        links.retain(|&peer| peer != me);
        links
    }
}
