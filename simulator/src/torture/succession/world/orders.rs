//! What is wanted of the clusters: notes and changes of members; and whether all of it is done.

use super::{Event, World};
use crate::torture::{
    keys::CheapKeys,
    succession::{
        plan::{Wish, membership},
        society::{Fate, Order},
    },
};
use hamlet_consensus::{
    Epoch,
    identity::PeerId,
    succession::{Input, Tag, tag},
};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Honest peers that are members of an epoch now.
    pub(super) fn members_of(&self, epoch: &Epoch) -> Vec<u8> {
        let name = tag(epoch);
        let takes_part = |peer: &u8| {
            (self.nodes[usize::from(*peer)].succession.as_ref())
                .and_then(|succession| succession.replica())
                .is_some_and(|replica| tag(replica.epoch()) == name && !replica.is_over())
        };
        (0..self.plan.peers)
            .filter(|peer| self.plan.is_honest(*peer))
            .filter(takes_part)
            .collect()
    }

    pub(super) fn note(&mut self, note: u64) {
        let clusters = self.oracle.newest();
        let place = self.dice.below(clusters.len() as u64) as usize;
        let members = self.members_of(&clusters[place]);
        let Some(member) = self.dice.pick(&members) else {
            return self.enter(self.now + 100_000, Event::Note(note));
        };
        self.open -= 1;
        self.due.insert(note, member);
        let payload = Order::Note(note).encode();
        self.handle(member, Input::Submit(vec![payload]));
    }

    pub(super) fn change(&mut self, wish: Wish) {
        let clusters = self.oracle.newest();
        let place = self.dice.below(clusters.len() as u64) as usize;
        let epoch = clusters[place].clone();
        let members = self.members_of(&epoch);
        let Some(member) = self.dice.pick(&members) else {
            return self.enter(self.now + 100_000, Event::Change(wish));
        };
        self.open -= 1;
        let charter = epoch.charter();
        // Who follows another cluster's epochs cannot become a member of this one.
        let strangers: Vec<u8> = (0..self.plan.peers)
            .filter(|peer| self.oracle.home(*peer) != charter.cluster)
            .collect();
        let (kind, peers, weak) = (self.plan.model.kind(), self.plan.peers, self.plan.weak());
        let mut stay = Vec::new();
        if self.dice.chance(150) {
            // Nobody stays who has the state.
            let all = charter.members.iter().map(|member| member.0[0]);
            let without: Vec<u8> = strangers.iter().copied().chain(all).collect();
            stay = membership(&mut self.dice, kind, peers, &weak, &without);
        }
        if stay.is_empty() {
            stay = membership(&mut self.dice, kind, peers, &weak, &strangers);
        }
        let taken: Vec<u8> = stay.iter().chain(&strangers).copied().collect();
        let other = membership(&mut self.dice, kind, peers, &weak, &taken);
        if stay.is_empty() {
            return;
        }
        let fate = match (wish, clusters.len()) {
            (Wish::Change, _) => Fate::Alone,
            (Wish::Merge, 2..) => self.ask(&epoch),
            _ if other.is_empty() => Fate::Alone,
            (Wish::Merge, _) => {
                self.open += 1;
                let later = self.now + self.dice.within(50_000, 1_000_000);
                self.enter(later, Event::Change(Wish::Merge));
                Fate::Split(other)
            }
            (Wish::Split, _) => Fate::Split(other),
        };
        let order = Order::Change(charter.cluster, charter.number, stay, fate);
        self.handle(member, Input::Submit(vec![order.encode()]));
    }

    /// What is not done yet, in words; none if everything is.
    pub(super) fn missing(&self) -> Option<String> {
        if self.open > 0 || self.now < self.plan.stable_at {
            return Some(format!("{} orders not submitted", self.open));
        }
        let newest = self.oracle.newest();
        let names: BTreeSet<Tag> = newest.iter().map(|epoch| tag(epoch)).collect();
        let homes: BTreeMap<PeerId, Tag> = (newest.iter())
            .flat_map(|epoch| epoch.members().iter().map(|member| (*member, tag(epoch))))
            .collect();
        for peer in (0..self.plan.peers).filter(|peer| self.plan.is_honest(*peer)) {
            let Some(succession) = &self.nodes[usize::from(peer)].succession else {
                return Some(format!("{peer} is down"));
            };
            if succession.chain().doubt().is_some() {
                return Some(format!("{peer} waits to be taken in"));
            }
            if !names.contains(&tag(succession.newest())) {
                let epoch = succession.newest().charter().number;
                return Some(format!(
                    "{peer} has not heard of what followed epoch {epoch}"
                ));
            }
            let home = homes.get(&CheapKeys::id(peer));
            if home.is_some_and(|home| *home != tag(succession.newest())) {
                return Some(format!("{peer} follows another cluster than its own"));
            }
            if succession.is_retiring() {
                return Some(format!("{peer} has not retired"));
            }
            if succession.newest().position(CheapKeys::id(peer)).is_none() {
                continue;
            }
            let Some(replica) = succession.replica().filter(|replica| !replica.is_over()) else {
                return Some(format!("{peer} has not begun the newest epoch"));
            };
            let (cluster, count, _) = replica.application().state();
            if count < self.oracle.length(cluster) {
                return Some(format!("{peer} is behind: {count}"));
            }
            let notes = replica.application().notes();
            let late = self
                .due
                .iter()
                .find(|(note, holder)| **holder == peer && !notes.contains(note));
            if let Some((note, _)) = late {
                return Some(format!("note {note} of {peer} is not executed"));
            }
        }
        None
    }
}
