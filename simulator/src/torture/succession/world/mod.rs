//! One run: peers whose clusters change, under a plan.

mod honest;
mod merging;
mod orders;
mod plots;

use super::{
    liar::{Liar, Lie},
    network::arrival,
    oracle::Oracle,
    plan::{Plan, Wish},
    society::Society,
};
use crate::agenda::Agenda;
use crate::torture::{
    Outcome, byzantine::Team, dice::Dice, disk::Disk, keys::CheapKeys, oracle::Violation,
};
#[cfg(feature = "mutants")]
use hamlet_consensus::mutant::Mutants;
use hamlet_consensus::{
    Epoch, Terms,
    hash::Hash,
    identity::PeerId,
    succession::{Input, Parcel, Succession, Tag},
    time::Time,
};
use std::{collections::BTreeMap, sync::Arc};

/// How long after stabilisation everything must be done, in microseconds.
const PATIENCE: u64 = 120_000_000;
/// The most events of one run: more means that peers talk without end.
const MAX_EVENTS: u64 = 1_500_000;

enum Event {
    Parcel {
        from: u8,
        to: u8,
        parcel: Parcel,
    },
    Wake(u8),
    Note(u64),
    Change(Wish),
    /// A cluster that asked to be taken in with the end of this epoch wants an answer.
    Bring(Tag),
    Crash(u8),
    Restart(u8),
    /// The next move of those who plot in this epoch.
    Plot(Tag),
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
    /// Liars who plot, by epoch, and when their next move is.
    plots: BTreeMap<Tag, (Team, u64)>,
    dice: Dice,
    roads: Dice,
    oracle: Oracle,
    now: u64,
    agenda: Agenda<Event>,
    /// Notes that must get done, and who knows of each.
    due: BTreeMap<u64, u8>,
    /// What was not submitted yet.
    open: usize,
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
            model: plan.model,
        };
        let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members);
        let epoch = epoch.map(change);
        let founding = Arc::new(
            epoch.unwrap_or_else(|error| panic!("a plan with an impossible epoch: {error}")),
        );
        let mut world = World {
            oracle: Oracle::new(plan, keys, founding.clone()),
            nodes: (0..plan.peers).map(|_| Node::default()).collect(),
            liars: (plan.liars.iter())
                .map(|liar| (*liar, Liar::new(plan, *liar, &founding, keys)))
                .collect(),
            plots: BTreeMap::new(),
            dice: Dice::new(plan.seed, 21),
            roads: Dice::new(plan.seed, 22),
            plan: plan.clone(),
            founding,
            keys,
            now: 0,
            agenda: Agenda::default(),
            due: BTreeMap::new(),
            open: plan.notes.len() + plan.changes.len(),
            ended: false,
            count: 0,
            messages: 0,
        };
        for peer in 0..plan.peers {
            match plan.is_honest(peer) {
                true => world.enter(plan.starts[usize::from(peer)], Event::Restart(peer)),
                false => world.enter(0, Event::Wake(peer)),
            }
        }
        for (note, at) in (0..).zip(&plan.notes) {
            world.enter(*at, Event::Note(note));
        }
        for (at, wish) in &plan.changes {
            world.enter(*at, Event::Change(*wish));
        }
        for (at, peer) in &plan.crashes {
            world.enter(*at, Event::Crash(*peer));
        }
        world.enter(plan.stable_at, Event::Stable);
        world
    }

    fn enter(&mut self, at: u64, event: Event) {
        self.agenda.enter(at.max(self.now), event);
    }

    fn run(mut self) -> Outcome {
        let patience = self.plan.stable_at + PATIENCE;
        while let Some((at, event)) = self.agenda.take() {
            self.now = at;
            self.count += 1;
            if at > patience || self.count > MAX_EVENTS {
                let text = self.missing().unwrap_or_else(|| "talk without end".into());
                self.oracle.blame(Violation::Stuck(text));
            }
            self.happen(event);
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
                let liar = !self.plan.is_honest(from);
                let from = CheapKeys::id(from);
                if self.plan.is_honest(to) {
                    if liar {
                        self.oracle.learn(&parcel);
                    }
                    self.handle(to, Input::Parcel { from, parcel });
                } else {
                    self.overhear(to, from, &parcel);
                    self.lie(to, Some((from, parcel)));
                }
            }
            Event::Plot(epoch) => self.plot(epoch),
            Event::Wake(peer) if self.plan.is_honest(peer) => {
                let node = &mut self.nodes[usize::from(peer)];
                if node.alarm <= self.now {
                    node.alarm = u64::MAX;
                    self.handle(peer, Input::Wake);
                }
            }
            Event::Wake(peer) => self.lie(peer, None),
            Event::Note(note) => self.note(note),
            Event::Change(wish) => self.change(wish),
            Event::Bring(guest) => self.bring(guest),
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
            // Who plots speaks in no epoch but by the plot.
            if !self.plan.plot || matches!(parcel, Parcel::Transfer(_)) {
                self.carry(liar, to, parcel);
            }
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
}
