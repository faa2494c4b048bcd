//! E7: the chain of epochs, as far as a peer knows it.

use super::handover::{Doubt, Handover, Tag, tag};
use crate::{
    epoch::{Charter, Epoch},
    hash::Hash,
    identity::PeerId,
    mutant::Mutant,
};
use std::{collections::VecDeque, sync::Arc};

/// How many epochs a peer remembers.
pub const MAX_CHAIN: usize = 1024;

/// An epoch, and how it ended.
#[derive(Clone, Debug)]
struct Link {
    epoch: Arc<Epoch>,
    /// Its own handover; and, if it asked in vain to be taken in, that of the epoch that it asked.
    handovers: Vec<Handover>,
}

impl Link {
    fn new(epoch: Arc<Epoch>) -> Link {
        Link {
            epoch,
            handovers: Vec::new(),
        }
    }
}

/// The epochs that lead to the newest, each proved by the one before.
///
/// Where a cluster was taken in by another, the epoch that it asked comes after its last one, and then what followed that.
#[derive(Clone, Debug)]
pub struct Chain {
    links: VecDeque<Link>,
    doubt: Option<Doubt>,
    /// The clusters that it goes on with where they split off, one after the other.
    ahead: VecDeque<Hash>,
}

impl Chain {
    /// A chain that begins with an epoch that is trusted.
    pub fn new(trusted: Arc<Epoch>) -> Chain {
        Chain::toward(trusted, &[])
    }

    /// The same, on the way to a cluster that split from one that split from another, and so on, from the trusted epoch's: their
    /// names in this order.
    pub fn toward(trusted: Arc<Epoch>, lineage: &[Hash]) -> Chain {
        Chain {
            links: VecDeque::from([Link::new(trusted)]),
            doubt: None,
            ahead: lineage.iter().copied().collect(),
        }
    }

    /// The newest epoch. It may have ended, if it is in doubt what follows.
    pub fn newest(&self) -> &Arc<Epoch> {
        // There is always one.
        &self.links[self.links.len() - 1].epoch
    }

    /// Whether the newest epoch ended and asked another cluster to take this one in, and what follows therefore (E10).
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// The epoch whose end leads on: the newest, or, while what follows that is in doubt, the one that was asked.
    pub fn awaited(&self) -> &Arc<Epoch> {
        match &self.doubt {
            Some(doubt) => &doubt.host,
            None => self.newest(),
        }
    }

    /// Goes on by the end of the epoch that is [awaited](Chain::awaited), to the epoch that follows for `me`: on the way
    /// to another cluster that of the next cluster on this way, if it begins; then the one that it is a member of; or else that of the same
    /// cluster. All that follow are returned, none of them while that is in doubt;
    /// or nothing, if this is not how that epoch ended. The seal's signatures were checked before.
    pub fn follow(&mut self, me: PeerId, handover: &Handover) -> Option<Vec<Arc<Epoch>>> {
        let ended = self.awaited().clone();
        let mut epochs = handover.epochs(&ended)?;
        match self.doubt.take() {
            Some(doubt) if !takes(handover, &doubt) => {
                self.last()?.handovers.push(handover.clone());
                epochs = vec![doubt.guest];
            }
            doubt => {
                if let Some(Doubt { host, .. }) = doubt {
                    self.push(host);
                }
                self.last()?.handovers.push(handover.clone());
                self.doubt = handover.doubt(&ended).filter(|_| epochs.is_empty());
            }
        }
        let next = match self.ahead.front() {
            Some(name) => epochs.iter().find(|epoch| epoch.charter().cluster == *name),
            None => epochs.iter().find(|epoch| epoch.position(me).is_some()),
        };
        if let Some(next) = next.or(epochs.first()).cloned() {
            if self.ahead.front() == Some(&next.charter().cluster) {
                self.ahead.pop_front();
            }
            self.push(next);
        }
        Some(epochs)
    }

    fn last(&mut self) -> Option<&mut Link> {
        self.links.back_mut()
    }

    fn push(&mut self, epoch: Arc<Epoch>) {
        self.links.push_back(Link::new(epoch));
        if self.links.len() > MAX_CHAIN {
            self.links.pop_front();
        }
    }

    /// Forgets what followed an epoch. Whether it is in the chain.
    pub(super) fn go_back(&mut self, name: Tag) -> bool {
        let Some(place) = self.place(name) else {
            return false;
        };
        self.links.truncate(place + 1);
        self.doubt = None;
        if let Some(last) = self.last() {
            last.handovers.clear();
        }
        true
    }

    fn place(&self, name: Tag) -> Option<usize> {
        (self.links.iter()).position(|link| tag(&link.epoch) == name)
    }

    /// Whether an epoch of this name is in the chain.
    pub fn knows(&self, name: Tag) -> bool {
        self.place(name).is_some()
    }

    /// The newest of these epochs that is in the chain.
    pub(super) fn latest(&self, names: impl Iterator<Item = Tag>) -> Option<Tag> {
        let newest = names.filter_map(|name| self.place(name)).max()?;
        Some(tag(&self.links[newest].epoch))
    }

    /// Whether it is known how an epoch ended.
    pub fn has_ended(&self, name: Tag) -> bool {
        let mut links = self.links.iter();
        links.any(|link| !link.handovers.is_empty() && tag(&link.epoch) == name)
    }

    /// What leads on from this epoch: the first `count` handovers. None if it is not in the chain.
    pub fn after(&self, name: Tag, count: usize) -> Option<Vec<Handover>> {
        let links = self.links.iter().skip(self.place(name)?);
        let handovers = links.flat_map(|link| &link.handovers).take(count);
        Some(handovers.cloned().collect())
    }

    /// How an epoch of the chain ended, and what followed it; none while that is not known, or in doubt.
    pub(super) fn end_of(&self, name: Tag) -> Option<(Vec<Handover>, Vec<Arc<Epoch>>)> {
        let place = self.place(name)?;
        let (link, next) = (&self.links[place], self.links.get(place + 1)?);
        let own = link.handovers.first()?;
        match (own.doubt(&link.epoch), next.handovers.first()) {
            (Some(doubt), Some(host)) if doubt.host == next.epoch => {
                let handovers = vec![own.clone(), host.clone()];
                Some((handovers, host.epochs(&next.epoch)?))
            }
            (Some(doubt), _) => Some((link.handovers.clone(), vec![doubt.guest])),
            (None, _) => Some((vec![own.clone()], own.epochs(&link.epoch)?)),
        }
    }

    /// The memberships of the epochs, the oldest first.
    pub fn charters(&self) -> impl Iterator<Item = &Charter> {
        self.links.iter().map(|link| link.epoch.charter())
    }

    /// The epoch with whose last state the newest began, and how it ended.
    pub fn last_handover(&self) -> Option<(&Arc<Epoch>, &Handover)> {
        let (epoch, handovers) = self.opening()?;
        Some((epoch, handovers.first()?))
    }

    /// That epoch, and all that proves that the newest follows.
    pub(super) fn opening(&self) -> Option<(&Arc<Epoch>, &[Handover])> {
        let link = self.links.get(self.links.len().checked_sub(2)?)?;
        Some((&link.epoch, &link.handovers))
    }
}

/// E11: whether the end of the epoch that was asked says that the guest is taken in.
fn takes(handover: &Handover, doubt: &Doubt) -> bool {
    let mutants = doubt.guest.mutants;
    if mutants.has(Mutant::TakenAnyway) {
        return handover.doubt(&doubt.host).is_none();
    }
    handover.takes(&doubt.guest) && !mutants.has(Mutant::LiveOn)
}
