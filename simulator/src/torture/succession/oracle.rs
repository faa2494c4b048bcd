//! Who knows everything, and tells when a promise of succession is broken.

use super::plan::Plan;
use crate::torture::{
    Ledger,
    keys::CheapKeys,
    oracle::{Oracle as OfEpoch, Violation},
};
use hamlet_consensus::{
    Epoch, Message,
    command::CommandId,
    hash::Hash,
    outcome::Outcome,
    succession::{Doubt, Handover, Parcel, Tag, Transfer, tag},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Per place in the log, from 1: the command, and the digest after it.
type History = BTreeMap<u64, (CommandId, [u8; 16])>;

pub(super) struct Oracle {
    plan: Plan,
    keys: CheapKeys,
    /// What is promised within each epoch.
    within: BTreeMap<Tag, OfEpoch>,
    /// By cluster; that of a cluster that split from another begins with the other's.
    histories: BTreeMap<Hash, History>,
    /// All epochs that ever were, and by whom each was begun.
    epochs: BTreeMap<Tag, (Arc<Epoch>, BTreeSet<u8>)>,
    /// By cluster and number, which epoch it is.
    numbers: BTreeMap<(Hash, u64), Tag>,
    /// How each epoch ended.
    ends: BTreeMap<Tag, Handover>,
    /// Clusters that asked to be taken in, by the epoch that ended, and have no answer.
    asking: Vec<(Tag, Doubt)>,
    /// Clusters that were taken in.
    taken: BTreeSet<Hash>,
    /// By peer, the cluster whose epochs it follows.
    homes: Vec<Hash>,
    violation: Option<Violation>,
}

impl Oracle {
    pub fn new(plan: &Plan, keys: CheapKeys, founding: Arc<Epoch>) -> Oracle {
        let (cluster, number) = (founding.charter().cluster, founding.number());
        let name = tag(&founding);
        let within = OfEpoch::new(&plan.of_epoch(&founding), founding.clone(), keys);
        Oracle {
            plan: plan.clone(),
            keys,
            within: BTreeMap::from([(name, within)]),
            histories: BTreeMap::from([(cluster, History::new())]),
            numbers: BTreeMap::from([((cluster, number), name)]),
            epochs: BTreeMap::from([(name, (founding, BTreeSet::new()))]),
            ends: BTreeMap::new(),
            asking: Vec::new(),
            taken: BTreeSet::new(),
            homes: vec![cluster; plan.peers.into()],
            violation: None,
        }
    }

    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub fn blame(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// The newest epoch of each cluster that was not taken in.
    pub fn newest(&self) -> Vec<Arc<Epoch>> {
        let mut newest: BTreeMap<Hash, Arc<Epoch>> = BTreeMap::new();
        let numbers = self.numbers.keys();
        for (cluster, number) in numbers.filter(|(cluster, _)| !self.taken.contains(cluster)) {
            if let Some((epoch, _)) = self.epochs.get(&self.numbers[&(*cluster, *number)]) {
                newest.insert(*cluster, epoch.clone());
            }
        }
        newest.into_values().collect()
    }

    /// The cluster whose epochs a peer follows.
    pub fn home(&self, peer: u8) -> Hash {
        self.homes[usize::from(peer)]
    }

    /// The epoch of the same cluster before this one.
    pub fn before(&self, epoch: &Epoch) -> Option<Arc<Epoch>> {
        let number = epoch.number().checked_sub(1)?;
        self.epoch(*self.numbers.get(&(epoch.charter().cluster, number))?)
    }

    /// The end of an epoch, if there is one.
    pub fn end_of(&self, name: Tag) -> Option<&Handover> {
        self.ends.get(&name)
    }

    /// What is in doubt after the end of an epoch.
    pub fn doubt(&self, ended: Tag) -> Option<Doubt> {
        let open = self.asking.iter().find(|(asking, _)| *asking == ended);
        open.map(|(_, doubt)| doubt.clone())
    }

    /// An epoch that was.
    pub fn epoch(&self, name: Tag) -> Option<Arc<Epoch>> {
        self.epochs.get(&name).map(|(epoch, _)| epoch.clone())
    }

    /// The cluster that an epoch is of.
    pub fn cluster(&self, name: Tag) -> Option<Hash> {
        (self.epochs.get(&name)).map(|(epoch, _)| epoch.charter().cluster)
    }

    /// How many commands a cluster has executed.
    pub fn length(&self, cluster: Hash) -> u64 {
        (self.histories.get(&cluster))
            .and_then(|history| history.last_key_value())
            .map_or(0, |(count, _)| *count)
    }

    /// How many commands were executed in all.
    pub fn total(&self) -> u64 {
        (self.histories.values())
            .map(|history| history.len() as u64)
            .sum()
    }

    /// An honest peer is a member of an epoch from now on.
    pub fn began(&mut self, peer: u8, epoch: &Arc<Epoch>) {
        match self.epochs.get_mut(&tag(epoch)) {
            Some((_, by)) => {
                by.insert(peer);
            }
            None => {
                let text = format!("{peer} began an epoch that follows none: {epoch:?}");
                self.blame(Violation::Agreement(text));
            }
        }
    }

    /// An honest peer's application is in this state.
    pub fn state(&mut self, peer: u8, (cluster, count, digest): (Hash, u64, [u8; 16])) {
        let known = self
            .histories
            .get(&cluster)
            .and_then(|history| history.get(&count))
            .map(|(_, digest)| *digest);
        if count > 0 && known != Some(digest) {
            let text = format!("{peer} is in a state of its own after {count} commands");
            self.blame(Violation::Agreement(text));
        }
    }

    /// An honest peer knows these notes, each of which was given to one peer, once.
    pub fn notes(&mut self, peer: u8, notes: &[u64]) {
        let distinct: BTreeSet<&u64> = notes.iter().collect();
        if distinct.len() < notes.len() {
            let text = format!("{peer} knows of a note that was executed twice: {notes:?}");
            self.blame(Violation::Integrity(text));
        }
    }

    /// An honest peer executed a command.
    pub fn executed(&mut self, peer: u8, cluster: Hash, outcome: &Outcome) {
        let Some((count, digest)) = Ledger::parse(&outcome.answer) else {
            return self.blame(Violation::Integrity("an answer was changed".into()));
        };
        let length = self.length(cluster);
        let history = self.histories.entry(cluster).or_default();
        let entry = (outcome.command, digest);
        let violation = match history.get(&count) {
            Some(known) if *known != entry => Violation::Agreement(format!(
                "{peer} executed {entry:?} at place {count}, another {known:?}"
            )),
            Some(_) => return,
            None if count != length + 1 => {
                Violation::Agreement(format!("{peer} skipped from {length} to {count}"))
            }
            None => {
                let twice = history.values().any(|(command, _)| *command == entry.0);
                history.insert(count, entry);
                if !twice {
                    return;
                }
                Violation::Integrity(format!("{peer} executed {:?} twice", entry.0))
            }
        };
        self.blame(violation);
    }

    /// An honest peer sent this.
    pub fn sent(&mut self, peer: u8, parcel: &Parcel) {
        match parcel {
            Parcel::Agreement(name, message) => self.said(peer, *name, message),
            Parcel::Transfer(Transfer::Handovers(handovers)) => {
                for handover in handovers {
                    self.ended(peer, handover);
                }
            }
            Parcel::Transfer(Transfer::Established(name, certificate)) => {
                let valid = (self.epochs.get(name))
                    .is_some_and(|(epoch, _)| certificate.verify(epoch, &self.keys));
                if !valid {
                    let text = format!("{peer} vouches for an epoch that no quorum has begun");
                    self.blame(Violation::Certificate(text));
                }
            }
            Parcel::Transfer(_) => {}
        }
    }

    /// An honest peer said this in an epoch.
    fn said(&mut self, peer: u8, name: Tag, message: &Message) {
        let epoch = self.epochs.get(&name).map(|(epoch, _)| epoch);
        let member = epoch.and_then(|epoch| epoch.position(CheapKeys::id(peer)));
        let (Some(member), Some(within)) = (member, self.within.get_mut(&name)) else {
            let text = format!("{peer} speaks in an epoch of which it is no member");
            return self.blame(Violation::Agreement(text));
        };
        within.sent(member, message);
        let violation = within.violation().cloned();
        violation
            .into_iter()
            .for_each(|violation| self.blame(violation));
    }

    /// An honest peer is about to hear this.
    pub fn learn(&mut self, parcel: &Parcel) {
        if let Parcel::Agreement(name, message) = parcel
            && let Some(within) = self.within.get_mut(name)
        {
            within.learn(message);
        }
    }

    /// An honest peer relies on this.
    pub fn ended(&mut self, peer: u8, handover: &Handover) {
        let Some((epoch, _)) = self.epochs.get(&handover.ended).cloned() else {
            let text = format!("{peer} relies on the end of an epoch that never was");
            return self.blame(Violation::Certificate(text));
        };
        if let Some(known) = self.ends.get(&handover.ended) {
            let same =
                known.successors == handover.successors && known.seal.claim == handover.seal.claim;
            if same {
                return;
            }
            let text = format!("an epoch has two ends: {known:?} and {handover:?}");
            return self.blame(Violation::Agreement(text));
        }
        let Some(successors) = handover.verify(&epoch, &self.keys) else {
            let text = format!("{peer} relies on a handover that proves nothing: {handover:?}");
            return self.blame(Violation::Certificate(text));
        };
        self.ends.insert(handover.ended, handover.clone());
        match handover.doubt(&epoch) {
            Some(doubt) => self.asking.push((handover.ended, doubt)),
            None => (successors.iter()).for_each(|successor| self.follows(&epoch, successor)),
        }
        self.settle();
    }

    /// This epoch follows another.
    fn follows(&mut self, ended: &Epoch, epoch: &Arc<Epoch>) {
        let charter = epoch.charter();
        let (cluster, number, name) = (charter.cluster, charter.number, tag(epoch));
        if cluster != ended.charter().cluster {
            let before = self.histories.get(&ended.charter().cluster).cloned();
            self.histories.insert(cluster, before.unwrap_or_default());
            for member in epoch.members() {
                self.homes[usize::from(member.0[0])] = cluster;
            }
        }
        self.numbers.insert((cluster, number), name);
        let within = OfEpoch::new(&self.plan.of_epoch(epoch), epoch.clone(), self.keys);
        self.within.insert(name, within);
        self.epochs.insert(name, (epoch.clone(), BTreeSet::new()));
    }

    /// Clusters whose host's epoch has ended were taken in or go on alone.
    fn settle(&mut self) {
        for (ended, doubt) in std::mem::take(&mut self.asking) {
            let (host, guest) = (&doubt.host, &doubt.guest);
            match self.ends.get(&tag(host)) {
                None => self.asking.push((ended, doubt)),
                Some(end) if end.takes(guest) => {
                    let (to, from) = (host.charter().cluster, guest.charter().cluster);
                    self.taken.insert(from);
                    for home in self.homes.iter_mut().filter(|home| **home == from) {
                        *home = to;
                    }
                }
                // The epoch before is of the same cluster.
                Some(_) => self.follows(guest, guest),
            }
        }
    }
}
