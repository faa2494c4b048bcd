//! The links of a peer: everybody it exchanges messages with, under small dense numbers.

use crate::{
    genesis::Publisher,
    identity::PeerId,
    message::{MAX_NOTICES, Notice},
    set::SlotSet,
    time::{Duration, Time},
    view::{Epoch, StreamNumber, View},
};
use std::{collections::VecDeque, sync::Arc};

/// The number of a link within its peer. A number is used again some time after its link was wanted last.
pub(crate) type LinkId = usize;

/// A set of links: one bit each.
#[derive(Default)]
pub(crate) struct LinkSet(Vec<u64>);

impl LinkSet {
    pub fn contains(&self, link: LinkId) -> bool {
        let word = self.0.get(link / 64).copied().unwrap_or_default();
        word >> (link % 64) & 1 == 1
    }

    /// Puts a link in; whether it was not there.
    pub fn insert(&mut self, link: LinkId) -> bool {
        if self.0.len() <= link / 64 {
            self.0.resize(link / 64 + 1, 0);
        }
        let new = !self.contains(link);
        self.0[link / 64] |= 1 << (link % 64);
        new
    }

    pub fn remove(&mut self, link: LinkId) {
        if let Some(word) = self.0.get_mut(link / 64) {
            *word &= !(1 << (link % 64));
        }
    }
}

/// All links of a peer.
#[derive(Default)]
pub(crate) struct Links {
    /// Whom each of them leads to.
    peers: Vec<PeerId>,
    /// Those that are still wanted, and those over which frames pass.
    wanted: LinkSet,
    connected: LinkSet,
    /// What is to be told each when the peer has dealt with the present input.
    notices: Vec<Vec<Notice>>,
    /// Peers and the numbers of their links, each near the place that the peer's key names. The length is a
    /// power of two, and at most half is full.
    table: Vec<Option<(PeerId, u32)>>,
    /// Links with notices to be sent.
    noticed: Vec<LinkId>,
    /// Links that were not wanted any more, and since when.
    unwanted: VecDeque<(Time, LinkId)>,
}

/// What changes when other links are wanted.
#[derive(Default)]
pub(crate) struct Change {
    pub connect: Vec<PeerId>,
    pub release: Vec<PeerId>,
    /// Numbers that are those of other peers now.
    pub reused: Vec<LinkId>,
}

impl Links {
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whom a link leads to.
    pub fn peer(&self, link: LinkId) -> PeerId {
        self.peers[link]
    }

    /// The link with `peer`, if it is wanted.
    pub fn find(&self, peer: PeerId) -> Option<LinkId> {
        self.number(peer).filter(|&link| self.wanted.contains(link))
    }

    fn number(&self, peer: PeerId) -> Option<LinkId> {
        // Every frame that comes asks this: nearly always the first place answers.
        let mut place = self.place(peer)?;
        loop {
            let (known, link) = self.table[place].as_ref()?;
            if *known == peer {
                return Some(*link as LinkId);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
    }

    /// Where to look for a peer first; `None` while there are no links.
    fn place(&self, peer: PeerId) -> Option<usize> {
        let [a, b, c, d, ..] = peer.0;
        let mask = self.table.len().checked_sub(1)?;
        Some(u32::from_be_bytes([a, b, c, d]) as usize & mask)
    }

    /// Enters a link into the table, which has room for it.
    fn enter(&mut self, link: LinkId) {
        let peer = self.peers[link];
        let Some(mut place) = self.place(peer) else {
            return;
        };
        while self.table[place].is_some() {
            place = (place + 1) & (self.table.len() - 1);
        }
        self.table[place] = Some((peer, link as u32));
    }

    pub fn connected(&self, link: LinkId) -> bool {
        self.connected.contains(link)
    }

    /// How many links are wanted, and how many of them are connected.
    pub fn count(&self) -> (usize, usize) {
        let wanted = (0..self.len()).filter(|&link| self.wanted.contains(link));
        (
            wanted.clone().count(),
            wanted.filter(|&link| self.connected(link)).count(),
        )
    }

    /// Wants exactly these links from now on; they are in ascending order. Nothing refers any more to links that have
    /// not been wanted for so long: their numbers are used again.
    pub fn want(&mut self, peers: &[PeerId], now: Time, quarantine: Duration) -> Change {
        let mut change = Change::default();
        for (link, peer) in self.peers.iter().enumerate() {
            if self.wanted.contains(link) && peers.binary_search(peer).is_err() {
                self.wanted.remove(link);
                self.connected.remove(link);
                self.notices[link].clear();
                self.unwanted.push_back((now, link));
                change.release.push(*peer);
            }
        }
        for &peer in peers {
            let link = match (self.number(peer), self.free(now, quarantine)) {
                (Some(link), _) => link,
                (None, Some(link)) => {
                    self.give_anew(link, peer);
                    change.reused.push(link);
                    link
                }
                (None, None) => self.add(peer),
            };
            if self.wanted.insert(link) {
                change.connect.push(peer);
            }
        }
        change
    }

    /// A link whose number may be used again.
    fn free(&mut self, now: Time, quarantine: Duration) -> Option<LinkId> {
        while let Some(&(since, link)) = self.unwanted.front() {
            if self.wanted.contains(link) {
                self.unwanted.pop_front();
            } else {
                return (since + quarantine <= now).then_some(link);
            }
        }
        None
    }

    fn give_anew(&mut self, link: LinkId, peer: PeerId) {
        self.unwanted.pop_front();
        self.peers[link] = peer;
        self.fill_table();
    }

    fn fill_table(&mut self) {
        self.table.fill(None);
        (0..self.len()).for_each(|link| self.enter(link));
    }

    fn add(&mut self, peer: PeerId) -> LinkId {
        let link = self.len();
        self.notices.push(Vec::new());
        self.peers.push(peer);
        if self.len() * 2 > self.table.len() {
            self.table = vec![None; (self.len() * 4).next_power_of_two()];
            self.fill_table();
        } else {
            self.enter(link);
        }
        link
    }

    pub fn set_connected(&mut self, link: LinkId, connected: bool) {
        if connected {
            self.connected.insert(link);
        } else {
            self.connected.remove(link);
            self.notices[link].clear();
        }
    }

    /// Queues a notice. A newer standing of a stream replaces the older one that was not sent yet.
    pub fn notify(&mut self, link: LinkId, notice: Notice) {
        if !self.connected.contains(link) {
            return;
        }
        let notices = &mut self.notices[link];
        if notices.is_empty() {
            self.noticed.push(link);
        }
        if let Notice::Standing { stream, .. } = notice {
            notices
                .retain(|old| !matches!(old, Notice::Standing { stream: s, .. } if *s == stream));
        }
        notices.push(notice);
    }

    /// The next link with notices, and up to [`MAX_NOTICES`] of them.
    pub fn take_notices(&mut self) -> Option<(LinkId, Vec<Notice>)> {
        while let Some(&link) = self.noticed.last() {
            let notices = &mut self.notices[link];
            let rest = notices.split_off(notices.len().min(MAX_NOTICES));
            let taken = std::mem::replace(notices, rest);
            if notices.is_empty() {
                self.noticed.pop();
            }
            if !taken.is_empty() {
                return Some((link, taken));
            }
        }
        None
    }
}

/// An epoch with the links that its slots are reached by.
pub(crate) struct Deal {
    pub epoch: Arc<Epoch>,
    /// The slots that this peer holds.
    pub mine: SlotSet,
    /// Per slot of the own cluster, the link to its holder; `None` for the own slots.
    pub holders: Vec<Option<LinkId>>,
    /// Links to all fellow members, and to guests of the cluster, who receive like them and hold no slots.
    pub fellows: Vec<LinkId>,
    /// Per slot, the links to its holders in neighbouring clusters; only for own slots.
    pub across: Vec<Vec<LinkId>>,
    /// Links to everybody who holds an own slot in a neighbouring cluster, each once.
    pub outward: Vec<LinkId>,
    /// Per stream, the slots of the own cluster that its source holds.
    of_sources: Vec<SlotSet>,
}

impl Deal {
    pub fn new(
        epoch: &Arc<Epoch>,
        me: PeerId,
        view: &View,
        links: &Links,
        guests: &[PeerId],
    ) -> Deal {
        let n = view.parameters.n;
        let own = &epoch.own;
        // Who has a place next to this cluster is served there.
        let served =
            |guest: &&PeerId| own.place(me).is_some() && epoch.cluster_of(**guest).is_none();
        let guests = guests.iter().filter(served);
        let mine = epoch.own.slots_of(me);
        let slots = |publisher: &Publisher| epoch.own.slots_of(publisher.stream);
        let holders = (0..n)
            .map(|slot| links.find(epoch.own.holder(slot)))
            .collect();
        let across: Vec<Vec<LinkId>> = (0..n)
            .map(|slot| match mine.contains(slot) {
                true => epoch
                    .neighbours
                    .iter()
                    .filter_map(|next| links.find(next.holder(slot)))
                    .collect(),
                false => Vec::new(),
            })
            .collect();
        let mut outward: Vec<LinkId> = across.iter().flatten().copied().collect();
        outward.sort_unstable();
        outward.dedup();
        let fellows = epoch
            .own
            .members()
            .iter()
            .chain(guests)
            .filter_map(|&peer| links.find(peer))
            .collect();
        Deal {
            epoch: epoch.clone(),
            mine,
            holders,
            fellows,
            across,
            outward,
            of_sources: view.publishers.iter().map(slots).collect(),
        }
    }

    /// Whether a peer is a member of the own cluster.
    pub fn is_member(&self, peer: PeerId) -> bool {
        self.epoch.own.place(peer).is_some()
    }

    /// The slots of the own cluster that the source of a stream holds.
    pub fn slots_of_source(&self, stream: StreamNumber) -> SlotSet {
        let slots = self.of_sources.get(usize::from(stream));
        slots.copied().unwrap_or_default()
    }

    /// The link to the holder of a slot of the own cluster.
    pub fn holder(&self, slot: u8) -> Option<LinkId> {
        self.holders.get(usize::from(slot)).copied().flatten()
    }

    /// A slot of the own cluster that a link holds.
    pub fn slot_held_by(&self, link: LinkId) -> Option<u8> {
        let mut held = self.holders.iter().zip(0u8..);
        held.find_map(|(&holder, slot)| (holder == Some(link)).then_some(slot))
    }

    /// Whether the neighbours that a slot reaches are those of another deal.
    pub fn reaches_across_as(&self, other: &Deal, slot: u8) -> bool {
        self.mine.contains(slot) == other.mine.contains(slot)
            && self.across[usize::from(slot)] == other.across[usize::from(slot)]
    }

    /// The slots of the own cluster that a link holds.
    pub fn slots_of(&self, link: LinkId) -> SlotSet {
        let held = self.holders.iter().zip(0u8..);
        held.filter_map(|(&holder, slot)| (holder == Some(link)).then_some(slot))
            .collect()
    }

    /// Whether `from` relays `slot` to this peer: as its holder in the own cluster, or as its holder in a
    /// neighbouring one when the slot is an own slot too.
    pub fn relays(&self, from: LinkId, slot: u8) -> bool {
        self.holders[usize::from(slot)] == Some(from)
            || self.mine.contains(slot) && self.across[usize::from(slot)].contains(&from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64) -> PeerId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        PeerId(id)
    }

    #[test]
    fn numbers_are_used_again_after_their_quarantine_and_not_before() {
        let mut links = Links::default();
        let quarantine = Duration::from_secs(10);
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        links.want(&[peer(1), peer(2)], at(0), quarantine);
        let change = links.want(&[peer(2), peer(3)], at(1), quarantine);
        assert_eq!(
            (change.release, change.connect),
            (vec![peer(1)], vec![peer(3)])
        );
        assert_eq!((links.len(), links.find(peer(1))), (3, None));
        // The same peer has its number back, and that is not free any more.
        let change = links.want(&[peer(1), peer(2), peer(3)], at(2), quarantine);
        assert_eq!(
            (change.connect, links.find(peer(1))),
            (vec![peer(1)], Some(0))
        );
        links.want(&[peer(2), peer(3)], at(3), quarantine);
        links.set_connected(0, true);
        let change = links.want(&[peer(2), peer(3), peer(4)], at(12), quarantine);
        assert_eq!((change.reused, links.len()), (vec![], 4));
        let change = links.want(&[peer(2), peer(3), peer(4), peer(5)], at(13), quarantine);
        assert_eq!(change.reused, [0]);
        for (number, link) in [(5, 0), (2, 1), (3, 2), (4, 3)] {
            assert_eq!(links.find(peer(number)), Some(link));
        }
        assert_eq!((links.find(peer(1)), links.len()), (None, 4));
    }

    #[test]
    fn peers_that_come_and_go_for_ever_take_bounded_room() {
        let mut links = Links::default();
        for number in 0..10_000 {
            let now = Time::ZERO + Duration::from_secs(number);
            links.want(
                &[peer(number), peer(number + 1)],
                now,
                Duration::from_secs(20),
            );
            assert_eq!(links.count().0, 2);
        }
        assert!(links.len() < 30 && links.table.len() <= 128);
    }
}
