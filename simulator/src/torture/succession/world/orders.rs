//! What is wanted of the clusters: notes and changes of members; and whether all of it is done.

use super::{Event, World};
use crate::torture::{
    keys::CheapKeys,
    succession::{plan::membership, society::Order},
};
use hamlet_consensus::{
    Epoch,
    succession::{Input, Tag, tag},
};
use std::collections::BTreeSet;

impl World {
    /// Honest peers that are members of an epoch now.
    fn members_of(&self, epoch: &Epoch) -> Vec<u8> {
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

    pub(super) fn change(&mut self, split: bool) {
        let clusters = self.oracle.newest();
        let place = self.dice.below(clusters.len() as u64) as usize;
        let epoch = clusters[place].clone();
        let members = self.members_of(&epoch);
        let Some(member) = self.dice.pick(&members) else {
            return self.enter(self.now + 100_000, Event::Change(split));
        };
        self.open -= 1;
        let charter = epoch.charter();
        let founding = charter.cluster == self.founding.charter().cluster;
        // Who follows another cluster's epochs cannot become a member of this one.
        let strangers: Vec<u8> = (0..self.plan.peers)
            .filter(|peer| {
                let peer = CheapKeys::id(*peer);
                match founding {
                    true => self.gone.contains(&peer),
                    false => epoch.position(peer).is_none(),
                }
            })
            .collect();
        let (kind, peers, weak) = (self.plan.model.kind(), self.plan.peers, self.plan.weak());
        let stay = membership(&mut self.dice, kind, peers, &weak, &strangers);
        let taken: Vec<u8> = stay.iter().chain(&strangers).copied().collect();
        let other = membership(&mut self.dice, kind, peers, &weak, &taken);
        let split = (split && !other.is_empty()).then_some(other);
        if stay.is_empty() {
            return;
        }
        let order = Order::Change(charter.cluster, charter.number, stay, split);
        self.handle(member, Input::Submit(vec![order.encode()]));
    }

    /// What is not done yet, in words; none if everything is.
    pub(super) fn missing(&self) -> Option<String> {
        if self.open > 0 || self.now < self.plan.stable_at {
            return Some(format!("{} orders not submitted", self.open));
        }
        let newest = self.oracle.newest();
        let names: BTreeSet<Tag> = newest.iter().map(|epoch| tag(epoch)).collect();
        for peer in (0..self.plan.peers).filter(|peer| self.plan.is_honest(*peer)) {
            let Some(succession) = &self.nodes[usize::from(peer)].succession else {
                return Some(format!("{peer} is down"));
            };
            if !names.contains(&tag(succession.newest())) {
                let epoch = succession.newest().charter().number;
                return Some(format!(
                    "{peer} has not heard of what followed epoch {epoch}"
                ));
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
