//! E7: the chain of epochs, as far as a peer knows it.

use super::handover::{Handover, Tag, tag};
use crate::{
    epoch::{Charter, Epoch},
    identity::PeerId,
};
use std::{collections::VecDeque, sync::Arc};

/// How many epochs a peer remembers.
pub const MAX_CHAIN: usize = 1024;

/// An epoch, and how it ended.
#[derive(Clone, Debug)]
struct Link {
    epoch: Arc<Epoch>,
    handover: Option<Handover>,
}

/// The epochs that lead to the newest, each proved by the one before.
#[derive(Clone, Debug)]
pub struct Chain {
    links: VecDeque<Link>,
}

impl Chain {
    /// A chain that begins with an epoch that is trusted.
    pub fn new(trusted: Arc<Epoch>) -> Chain {
        Chain {
            links: VecDeque::from([Link {
                epoch: trusted,
                handover: None,
            }]),
        }
    }

    /// The newest epoch.
    pub fn newest(&self) -> &Arc<Epoch> {
        // There is always one.
        &self.links[self.links.len() - 1].epoch
    }

    /// Goes on to the epoch that follows the newest, for `me`: the one that it is a member of, or else that of the
    /// same cluster. All that follow are returned, or none if this is not how the newest ended. The seal's signatures
    /// were checked before.
    pub fn follow(&mut self, me: PeerId, handover: &Handover) -> Option<Vec<Arc<Epoch>>> {
        let epochs = handover.epochs(self.newest())?;
        let mine = epochs.iter().find(|epoch| epoch.position(me).is_some());
        let next = mine.or(epochs.first())?.clone();
        if let Some(last) = self.links.back_mut() {
            last.handover = Some(handover.clone());
        }
        self.links.push_back(Link {
            epoch: next,
            handover: None,
        });
        if self.links.len() > MAX_CHAIN {
            self.links.pop_front();
        }
        Some(epochs)
    }

    /// Forgets what followed an epoch. Whether it is in the chain.
    pub(super) fn go_back(&mut self, name: Tag) -> bool {
        let place = (self.links.iter()).position(|link| tag(&link.epoch) == name);
        let Some(place) = place else {
            return false;
        };
        self.links.truncate(place + 1);
        if let Some(last) = self.links.back_mut() {
            last.handover = None;
        }
        true
    }

    /// Whether an epoch of this name is in the chain.
    pub fn knows(&self, name: Tag) -> bool {
        self.links.iter().any(|link| tag(&link.epoch) == name)
    }

    /// Whether it is known how an epoch ended.
    pub fn has_ended(&self, name: Tag) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link.handover.is_some() && tag(&link.epoch) == name)
    }

    /// How the epochs from this one on ended: the first `count`. None if it is not in the chain.
    pub fn after(&self, name: Tag, count: usize) -> Option<Vec<Handover>> {
        let first = (self.links.iter()).position(|link| tag(&link.epoch) == name)?;
        let links = self.links.iter().skip(first).take(count);
        Some(links.filter_map(|link| link.handover.clone()).collect())
    }

    /// The memberships of the epochs, the oldest first.
    pub fn charters(&self) -> impl Iterator<Item = &Charter> {
        self.links.iter().map(|link| link.epoch.charter())
    }

    /// The epoch before the newest, and how it ended.
    pub fn last_handover(&self) -> Option<(&Arc<Epoch>, &Handover)> {
        let link = self.links.get(self.links.len().checked_sub(2)?)?;
        Some((&link.epoch, link.handover.as_ref()?))
    }
}
