//! W1, W6: peers with whom the view wants no link: those who ask for a place, and those who may know of one.

use super::Peer;
use crate::{
    agreement::{Agreement, Part},
    identity::PeerId,
    io::Refusal,
    message::Message,
    time::{Duration, Time},
    wire::encode,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The most visitors at once.
const MAX_VISITORS: usize = 32;
/// How long a visitor may stay that nobody wants here.
const STAY: Duration = Duration::from_secs(30);
/// The most peers that this one asks the way.
const MAX_CONTACTS: usize = 8;
/// How often a peer without a place asks for a walk.
const ASK_EVERY: Duration = Duration::from_secs(4);
/// How long it waits at most until it has followed the cluster to the epoch that a member told of.
const BEHIND: Duration = Duration::from_secs(3);
/// After so many times without news of the cluster it may ask another.
const PATIENCE: u32 = 3;
/// Of so many members at a time.
const ASKED: usize = 3;

/// Peers that the view does not name.
#[derive(Default)]
pub(super) struct Visits {
    /// Those who came, and when.
    visitors: BTreeMap<PeerId, Time>,
    /// Those whom this peer asks the way.
    contacts: Vec<PeerId>,
    /// The newest epoch of the cluster that a member told of, and since when one did.
    heard: Option<(u64, Time)>,
    /// Whether it has come to a member of it.
    has_come: bool,
    /// When it asks for a walk next, how often it asked since there was news of the cluster, and the epoch of that.
    ask_at: Time,
    asked: u32,
    epoch: u64,
}

impl Visits {
    /// When something is to be done.
    pub fn due(&self) -> Time {
        let leave = self.visitors.values().min();
        leave.map_or(Time::NEVER, |came| *came + STAY)
    }

    /// Everybody.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.visitors.keys().chain(&self.contacts).copied()
    }

    /// Those who came.
    pub fn visitors(&self) -> impl Iterator<Item = PeerId> {
        self.visitors.keys().copied()
    }

    pub fn leave(&mut self, peer: PeerId) {
        self.visitors.remove(&peer);
    }
}

impl Peer {
    /// Asks a peer the way into the network from now on.
    pub(super) fn add_contact(&mut self, peer: PeerId) {
        let contacts = &mut self.visits.contacts;
        if peer != self.core.me && !contacts.contains(&peer) && contacts.len() < MAX_CONTACTS {
            contacts.push(peer);
            self.follow_contacts();
        }
    }

    /// A peer came that nobody wants here yet.
    pub(super) fn receive_visitor(&mut self, peer: PeerId) {
        let visitors = &mut self.visits.visitors;
        if visitors.len() < MAX_VISITORS && self.core.links.find(peer).is_none() {
            visitors.insert(peer, self.core.now);
            self.follow_contacts();
        }
    }

    /// Sends visitors away that have stayed for long enough.
    pub(super) fn end_visits(&mut self) {
        if self.visits.due() <= self.core.now {
            let now = self.core.now;
            self.visits.visitors.retain(|_, came| now < *came + STAY);
            self.follow_contacts();
        }
    }

    /// Tells a visitor which cluster it has come to.
    pub(super) fn show_the_door(&mut self, peer: PeerId) {
        let is_visitor = self.visits.visitors.contains_key(&peer);
        let home = self.agreement.as_ref().filter(|home| home.is_member());
        if let Some(home) = home.filter(|_| is_visitor) {
            let (cluster, epoch) = (home.cluster(), home.epoch());
            let herald = Message::Herald { cluster, epoch };
            self.core.tell(&[peer], &herald, Bytes::new());
        }
    }

    /// Somebody whom this peer asked the way says which cluster it is in: without a place, this one stays around there.
    pub(super) fn enter(&mut self, from: PeerId, cluster: u64) -> Result<(), Refusal> {
        let now = self.core.now;
        let Some(home) = self.agreement.as_mut() else {
            return Ok(());
        };
        if !self.visits.contacts.contains(&from) || home.part() != Part::Outside {
            return Ok(());
        }
        if home.cluster() == cluster {
            home.guide(now, from);
            return Ok(());
        }
        // Whoever follows a cluster already, or asked there, goes on with that one, unless it was in vain.
        let begun = home.epoch() > 0 || self.visits.asked > 0;
        if begun && self.visits.asked < PATIENCE {
            return Ok(());
        }
        let founding = &self.core.view.founding;
        let Some(start) = &self.start else {
            return Err(Refusal::NotOwed);
        };
        if founding.root_of(cluster).is_none() {
            return Err(Refusal::NotOwed);
        }
        let (signer, verifier) = (self.core.signer.clone(), self.core.verifier.clone());
        let agreement = Agreement::start(founding, cluster, signer, verifier, start, now);
        if let Ok(mut agreement) = agreement {
            let left = start.left.clone();
            agreement.guide(now, from);
            self.visits.asked = 0;
            self.settle_in(cluster, left, Vec::new());
            self.agreement = Some(agreement);
        }
        Ok(())
    }

    /// When this peer asks for a walk, if it has no place.
    pub(super) fn asks_at(&self) -> Time {
        let home = self.agreement.as_ref();
        let wants = home.is_some_and(|home| home.wants_place());
        if wants {
            self.visits.ask_at
        } else {
            Time::NEVER
        }
    }

    /// A member says in which epoch the cluster is where this peer looks for a place.
    pub(super) fn hear_of_epoch(&mut self, epoch: u64) {
        let now = self.core.now;
        let (newest, _) = self.visits.heard.get_or_insert((epoch, now));
        *newest = epoch.max(*newest);
    }

    /// Whether this peer, who knows the founding, still learns what followed: in an epoch that is long over it would ask in vain.
    fn is_behind(&self) -> bool {
        let epoch = self.agreement.as_ref().map_or(0, Agreement::epoch);
        let heard = self.visits.heard;
        heard.is_some_and(|(newest, since)| epoch < newest && self.core.now < since + BEHIND)
    }

    /// Asks for a walk, if it has no place.
    pub(super) fn ask_for_place(&mut self) {
        if self.asks_at() > self.core.now {
            return;
        }
        let Some(home) = &self.agreement else { return };
        let asked = self.core.connected(home.members(), ASKED);
        // One that has just come to somebody is told in a moment.
        let is_new = !asked.is_empty() && !std::mem::replace(&mut self.visits.has_come, true);
        let may_ask = !asked.is_empty() && !is_new && !self.is_behind();
        let Some(order) = home.ask().filter(|_| may_ask) else {
            self.visits.ask_at = self.core.now + Duration::from_millis(200);
            return;
        };
        self.visits.ask_at = self.core.now + ASK_EVERY;
        let epoch = home.epoch();
        let is_news = std::mem::replace(&mut self.visits.epoch, epoch) != epoch;
        self.visits.asked = if is_news { 1 } else { self.visits.asked + 1 };
        let body = encode(&order).into();
        self.core.tell(&asked, &Message::Petition, body);
    }

    /// Wants links with all whom agreement and visits need.
    pub(super) fn follow_contacts(&mut self) {
        let contacts = self.contacts();
        if contacts != self.core.contacts {
            self.core.contacts = contacts;
            self.change_view(|_| {});
        }
    }

    /// Whom it may have to speak with, whatever the view says.
    pub(super) fn contacts(&self) -> Vec<PeerId> {
        let home = self.agreement.as_ref();
        let mut contacts = home.map(Agreement::contacts).unwrap_or_default();
        let departing = self.departing.iter();
        contacts.extend(departing.flat_map(|departing| departing.agreement.contacts()));
        contacts.extend(self.visits.peers());
        contacts.sort_unstable();
        contacts.dedup();
        contacts
    }
}
