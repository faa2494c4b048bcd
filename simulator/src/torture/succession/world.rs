//! One run: peers whose clusters change, under a plan.

use super::{
    liar::{Liar, Lie},
    network::arrival,
    oracle::Oracle,
    plan::{Plan, membership},
    society::{Order, Society},
};
use crate::torture::{Outcome, dice::Dice, disk::Disk, keys::CheapKeys, oracle::Violation};
#[cfg(feature = "mutants")]
use hamlet_consensus::mutant::Mutants;
use hamlet_consensus::{
    Epoch, Terms,
    hash::Hash,
    identity::PeerId,
    storage::Storage,
    succession::{Input, Output, Parcel, Store, Stored, Succession, Tag, tag},
    time::Time,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

/// How long after stabilisation everything must be done, in microseconds.
const PATIENCE: u64 = 120_000_000;
/// The most events of one run: more means that peers talk without end.
const MAX_EVENTS: u64 = 1_500_000;

enum Event {
    Parcel { from: u8, to: u8, parcel: Parcel },
    Wake(u8),
    Note(u64),
    Change(bool),
    Crash(u8),
    Restart(u8),
    Stable,
    Look,
}

#[derive(Default)]
struct Node {
    succession: Option<Box<Succession<Society>>>,
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, (Vec<u8>, Disk)>,
    /// When it is to be woken.
    alarm: u64,
    /// After how many outputs it crashes; 0 for never.
    fuse: u64,
}

impl Node {
    fn disk(&mut self, name: Tag) -> &mut Disk {
        &mut self.stores.entry(name).or_default().1
    }
}

struct World {
    plan: Plan,
    founding: Arc<Epoch>,
    keys: CheapKeys,
    nodes: Vec<Node>,
    liars: BTreeMap<u8, Liar>,
    dice: Dice,
    roads: Dice,
    oracle: Oracle,
    now: u64,
    entered: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    /// Notes that must get done, and who knows of each.
    due: BTreeMap<u64, u8>,
    /// What was not submitted yet.
    open: usize,
    /// Peers that went with a cluster that split off.
    gone: BTreeSet<PeerId>,
    ended: bool,
    count: u64,
    messages: u64,
}

/// Carries out a plan.
#[cfg(not(feature = "mutants"))]
pub fn run(plan: &Plan) -> Outcome {
    World::new(plan, |epoch| epoch).run()
}

/// Carries out a plan, with a rule broken.
#[cfg(feature = "mutants")]
pub fn run(plan: &Plan, mutants: Mutants) -> Outcome {
    World::new(plan, |epoch| epoch.with_mutants(mutants)).run()
}

impl World {
    fn new(plan: &Plan, change: impl Fn(Epoch) -> Epoch) -> World {
        let keys = CheapKeys::new(plan.seed);
        let members = plan.founders.iter().copied().map(CheapKeys::id).collect();
        let terms = Terms {
            snapshot_every: plan.snapshot_every,
            ..Terms::default()
        };
        let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members);
        let epoch = epoch.map(change);
        let founding = Arc::new(
            epoch.unwrap_or_else(|error| panic!("a plan with an impossible epoch: {error}")),
        );
        let mut world = World {
            oracle: Oracle::new(keys, founding.clone()),
            nodes: (0..plan.peers).map(|_| Node::default()).collect(),
            liars: (plan.liars.iter())
                .map(|liar| (*liar, Liar::new(plan, *liar, &founding, keys)))
                .collect(),
            dice: Dice::new(plan.seed, 21),
            roads: Dice::new(plan.seed, 22),
            plan: plan.clone(),
            founding,
            keys,
            now: 0,
            entered: 0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            due: BTreeMap::new(),
            open: plan.notes.len() + plan.changes.len(),
            gone: BTreeSet::new(),
            ended: false,
            count: 0,
            messages: 0,
        };
        for peer in 0..plan.peers {
            match plan.is_honest(peer) {
                true => world.restart(peer),
                false => world.enter(0, Event::Wake(peer)),
            }
        }
        for (note, at) in (0..).zip(&plan.notes) {
            world.enter(*at, Event::Note(note));
        }
        for (at, split) in &plan.changes {
            world.enter(*at, Event::Change(*split));
        }
        for (at, peer) in &plan.crashes {
            world.enter(*at, Event::Crash(*peer));
        }
        world.enter(plan.stable_at, Event::Stable);
        world
    }

    fn enter(&mut self, at: u64, event: Event) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.entered += 1;
        self.queue
            .push(Reverse((at.max(self.now), self.entered, slot)));
    }

    fn run(mut self) -> Outcome {
        let patience = self.plan.stable_at + PATIENCE;
        while let Some(Reverse((at, _, slot))) = self.queue.pop() {
            let event = self.events[slot].take();
            self.free.push(slot);
            self.now = at;
            self.count += 1;
            if at > patience || self.count > MAX_EVENTS {
                let text = self.missing().unwrap_or_else(|| "talk without end".into());
                self.oracle.blame(Violation::Stuck(text));
            }
            if let Some(event) = event {
                self.happen(event);
            }
            if self.ended || self.oracle.violation().is_some() {
                break;
            }
        }
        Outcome {
            violation: self.oracle.violation().cloned(),
            commands: self.oracle.total(),
            events: self.count,
            messages: self.messages,
            micros: self.now,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Parcel { from, to, parcel } => {
                let from = CheapKeys::id(from);
                if self.plan.is_honest(to) {
                    self.handle(to, Input::Parcel { from, parcel });
                } else {
                    self.lie(to, Some((from, parcel)));
                }
            }
            Event::Wake(peer) if self.plan.is_honest(peer) => {
                let node = &mut self.nodes[usize::from(peer)];
                if node.alarm <= self.now {
                    node.alarm = u64::MAX;
                    self.handle(peer, Input::Wake);
                }
            }
            Event::Wake(peer) => self.lie(peer, None),
            Event::Note(note) => self.note(note),
            Event::Change(split) => self.change(split),
            Event::Crash(peer) if self.plan.is_honest(peer) => self.crash(peer),
            Event::Crash(_) => {}
            Event::Restart(peer) => self.restart(peer),
            Event::Stable => {
                for peer in 0..self.plan.peers {
                    self.nodes[usize::from(peer)].fuse = 0;
                    if self.plan.is_honest(peer) {
                        self.restart(peer);
                    }
                }
                self.enter(self.now, Event::Look);
            }
            Event::Look => match self.missing() {
                None => self.ended = true,
                Some(_) => self.enter(self.now + 100_000, Event::Look),
            },
        }
    }

    fn lie(&mut self, liar: u8, heard: Option<(PeerId, Parcel)>) {
        let now = Time::from_micros(self.now);
        let Some(mind) = self.liars.get_mut(&liar) else {
            return;
        };
        let lies: Vec<Lie> = mind.handle(now, heard);
        let alarm = mind.alarm().as_micros().max(self.now + 10_000);
        let node = &mut self.nodes[usize::from(liar)];
        if node.alarm <= self.now || alarm < node.alarm {
            node.alarm = alarm;
            if alarm < u64::MAX {
                self.enter(alarm, Event::Wake(liar));
            }
        }
        for (to, parcel) in lies {
            self.carry(liar, to, parcel);
        }
    }

    fn carry(&mut self, from: u8, to: PeerId, parcel: Parcel) {
        let to = to.0[0];
        if to >= self.plan.peers {
            return;
        }
        if let Some(at) = arrival(&self.plan, &mut self.roads, self.now, from, to) {
            self.enter(at, Event::Parcel { from, to, parcel });
        }
    }

    fn crash(&mut self, peer: u8) {
        let node = &mut self.nodes[usize::from(peer)];
        if node.succession.take().is_none() {
            return;
        }
        for (_, disk) in node.stores.values_mut() {
            disk.crash(&mut self.dice);
        }
        node.alarm = u64::MAX;
        // What only this peer knew is lost with it.
        self.due.retain(|_, holder| *holder != peer);
        let later = self.now + self.dice.within(1_000, 500_000);
        self.enter(later.min(self.plan.stable_at), Event::Restart(peer));
    }

    fn restart(&mut self, peer: u8) {
        let now = Time::from_micros(self.now);
        let node = &mut self.nodes[usize::from(peer)];
        if node.succession.is_some() {
            return;
        }
        let stores = (node.stores.values_mut())
            .map(|(opening, disk)| {
                let Ok(records) = disk.load();
                let opening = opening.clone();
                Store { opening, records }
            })
            .collect();
        let stored = Stored {
            links: node.links.clone(),
            stores,
        };
        let society = Society::new(&self.founding, self.plan.ballast);
        let (epoch, signer) = (self.founding.clone(), Arc::new(self.keys.signer(peer)));
        match Succession::start(epoch, signer, society, self.plan.settings, &stored, now) {
            Ok(succession) => {
                node.succession = Some(Box::new(succession));
                let fuse = self.plan.fuse;
                if fuse > 0 && self.now < self.plan.stable_at && self.dice.chance(500) {
                    node.fuse = self.dice.within(1, fuse);
                }
                self.handle(peer, Input::Wake);
            }
            Err(error) => {
                let text = format!("peer {peer}: {error}");
                self.oracle.blame(Violation::Recovery(text));
            }
        }
    }

    /// Gives an input to an honest peer and carries out what it wants.
    fn handle(&mut self, peer: u8, input: Input) {
        let now = Time::from_micros(self.now);
        let Some(mut succession) = self.nodes[usize::from(peer)].succession.take() else {
            return;
        };
        succession.handle(now, input);
        let mut changed = false;
        while let Some(output) = succession.poll() {
            let node = &mut self.nodes[usize::from(peer)];
            if node.fuse > 0 {
                node.fuse -= 1;
                if node.fuse == 0 {
                    node.succession = Some(succession);
                    return self.crash(peer);
                }
            }
            match output {
                Output::Link(link) => node.links.push(link),
                Output::Open(tag, opening) => {
                    node.stores.insert(tag, (opening, Disk::default()));
                }
                Output::Record(tag, record) => {
                    let Ok(()) = node.disk(tag).append(&record);
                }
                Output::Sync(tag) => {
                    let Ok(()) = node.disk(tag).sync();
                }
                Output::Rewrite(tag, records) => {
                    let Ok(()) = node.disk(tag).rewrite(&records);
                }
                Output::Drop(tag) => {
                    node.stores.remove(&tag);
                }
                Output::Send(to, parcel) => {
                    self.messages += to.len() as u64;
                    self.oracle.sent(peer, &parcel);
                    for to in to {
                        self.carry(peer, to, parcel.clone());
                    }
                }
                Output::Check(tag, check) => {
                    let verdict = check.run(&self.keys);
                    succession.handle(now, Input::Checked(tag, verdict));
                }
                Output::WakeAt(at) => {
                    node.alarm = at.as_micros();
                    if at < Time::NEVER {
                        self.enter(at.as_micros(), Event::Wake(peer));
                    }
                }
                Output::Began(epoch) => {
                    changed = true;
                    self.rely(peer, &succession);
                    self.oracle.began(peer, &epoch);
                    if epoch.charter().cluster != self.founding.charter().cluster {
                        self.gone.extend(epoch.members());
                    }
                }
                Output::PutOut(_) => self.rely(peer, &succession),
                Output::Failed(epoch, error) => {
                    let text = format!("peer {peer} cannot begin {epoch:?}: {error}");
                    self.oracle.blame(Violation::Recovery(text));
                }
                Output::Executed(name, outcome) => {
                    changed = true;
                    if let Some(cluster) = self.oracle.cluster(name) {
                        self.oracle.executed(peer, cluster, &outcome);
                    }
                }
                Output::Restored(..) => changed = true,
                Output::Forked(epoch, certificate) => {
                    let text = format!("peer {peer} saw {epoch:?} forked: {certificate:?}");
                    self.oracle.blame(Violation::Agreement(text));
                }
                Output::Evidence(epoch, evidence) => {
                    let framed = self.plan.is_honest(evidence.culprit.0[0]);
                    if framed || !evidence.verify(&epoch, &self.keys) {
                        let text = format!("{evidence:?}");
                        self.oracle.blame(Violation::Framed(text));
                    }
                }
                Output::Asynchrony { .. } | Output::Rejected { .. } | Output::Reply { .. } => {}
            }
        }
        if changed && let Some(replica) = succession.replica() {
            self.oracle.state(peer, replica.application().state());
        }
        self.nodes[usize::from(peer)].succession = Some(succession);
    }

    /// An honest peer went on to another epoch.
    fn rely(&mut self, peer: u8, succession: &Succession<Society>) {
        if let Some((_, handover)) = succession.chain().last_handover() {
            self.oracle.ended(peer, handover);
            let split = handover.successors.iter().skip(1);
            self.gone.extend(split.flat_map(|charter| &charter.members));
        }
    }

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

    fn note(&mut self, note: u64) {
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

    fn change(&mut self, split: bool) {
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
        let (peers, liars) = (self.plan.peers, &self.plan.liars);
        let stay = membership(&mut self.dice, peers, liars, &strangers);
        let taken: Vec<u8> = stay.iter().chain(&strangers).copied().collect();
        let other = membership(&mut self.dice, peers, liars, &taken);
        let split = (split && !other.is_empty()).then_some(other);
        if stay.is_empty() {
            return;
        }
        let order = Order::Change(charter.cluster, charter.number, stay, split);
        self.handle(member, Input::Submit(vec![order.encode()]));
    }

    /// What is not done yet, in words; none if everything is.
    fn missing(&self) -> Option<String> {
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
