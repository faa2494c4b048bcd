//! One run: a cluster under a plan.

mod done;
mod honest;

use super::{
    byzantine::{Lie, Team},
    dice::Dice,
    disk::Disk,
    keys::CheapKeys,
    ledger::Ledger,
    network::Network,
    oracle::{Oracle, Violation},
    plan::Plan,
};
use crate::agenda::Agenda;
#[cfg(feature = "mutants")]
use hamlet_consensus::mutant::Mutants;
use hamlet_consensus::{
    Epoch, Input, Message, Replica, Terms, check::Verdict, command::CommandId, hash::Hash,
    identity::PeerId, time::Time,
};
use std::{collections::BTreeMap, sync::Arc};

/// How long after stabilisation everything must be done, in microseconds.
const PATIENCE: u64 = 120_000_000;
/// How long the cluster has to get quiet, in microseconds, and how much longer for each silent leader.
const GRACE: (u64, u64) = (20_000_000, 6_000_000);
/// The most events of one run: more means that the cluster talks without end.
const MAX_EVENTS: u64 = 1_500_000;

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// How many commands were executed.
    pub commands: u64,
    /// How many events there were.
    pub events: u64,
    /// How many messages honest members sent.
    pub messages: u64,
    /// The virtual time that it took, in microseconds.
    pub micros: u64,
}

enum Event {
    Message {
        from: u8,
        to: u8,
        message: Arc<Message>,
    },
    Wake(u8),
    Checked(u8, u32, Verdict),
    Submit(usize),
    /// The liars' next move.
    Plot,
    Crash(u8),
    Restart(u8),
    /// Everybody honest who is down comes back.
    Stable,
    /// From here on an idle cluster is to be quiet.
    Listen,
    End,
}

struct Node {
    replica: Option<Box<Replica<Ledger>>>,
    disk: Disk,
    /// When it is to be woken, by the world's clock.
    alarm: u64,
    /// How often it crashed.
    life: u32,
    /// After how many outputs it crashes; 0 for never.
    fuse: u64,
}

struct World {
    plan: Plan,
    epoch: Arc<Epoch>,
    keys: CheapKeys,
    nodes: Vec<Node>,
    team: Team,
    network: Network,
    dice: Dice,
    oracle: Oracle,
    now: u64,
    agenda: Agenda<Event>,
    /// Commands that must get done: those of honest members that did not crash since.
    due: BTreeMap<CommandId, u8>,
    /// Whether the liars are silent from now on.
    muted: bool,
    /// When the liars' next move is.
    next_move: u64,
    listening: bool,
    ended: bool,
    count: u64,
    messages: u64,
    lies: Vec<Lie>,
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
        let members: Vec<PeerId> = (0..plan.members).map(CheapKeys::id).collect();
        let terms = Terms {
            model: plan.model,
            snapshot_every: plan.snapshot_every,
        };
        let epoch = |number| {
            Epoch::new(Hash([1; 32]), Hash([2; 32]), number, terms, members.clone())
                .map(&change)
                .unwrap_or_else(|error| panic!("a plan with an impossible epoch: {error}"))
        };
        let (epoch, other) = (Arc::new(epoch(0)), epoch(1));
        let mut world = World {
            team: Team::new(plan, &epoch, keys, &other),
            network: Network::new(plan.seed),
            dice: Dice::new(plan.seed, 3),
            oracle: Oracle::new(plan, epoch.clone(), keys),
            nodes: (0..plan.members)
                .map(|_| Node {
                    replica: None,
                    disk: Disk::default(),
                    alarm: u64::MAX,
                    life: 0,
                    fuse: 0,
                })
                .collect(),
            plan: plan.clone(),
            epoch,
            keys,
            now: 0,
            agenda: Agenda::default(),
            due: BTreeMap::new(),
            muted: false,
            next_move: u64::MAX,
            listening: false,
            ended: false,
            count: 0,
            messages: 0,
            lies: Vec::new(),
        };
        for member in 0..plan.members {
            if plan.is_honest(member) {
                let start = plan.starts[usize::from(member)];
                world.enter(start, Event::Restart(member));
            } else {
                world.enter(0, Event::Wake(member));
            }
        }
        for (at, member, length) in &plan.crashes {
            if plan.is_honest(*member) {
                world.enter(*at, Event::Crash(*member));
                world.enter((at + length).min(plan.stable_at), Event::Restart(*member));
            }
        }
        for (index, (at, _)) in plan.commands.iter().enumerate() {
            world.enter(*at, Event::Submit(index));
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
                self.blame_stuck();
            }
            self.happen(event);
            if self.ended || self.oracle.violation().is_some() {
                break;
            }
        }
        Outcome {
            violation: self.oracle.violation().cloned(),
            commands: self.oracle.length(),
            events: self.count,
            messages: self.messages,
            micros: self.now,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Message { from, to, message } => {
                if self.plan.is_honest(to) {
                    self.oracle.learn(&message);
                    self.handle(to, Input::Message { from, message });
                } else if !self.muted {
                    let now = Time::from_micros(self.now);
                    let mut lies = std::mem::take(&mut self.lies);
                    self.team.hear(now, to, from, &message, &mut lies);
                    self.tell(lies);
                    self.arm(to);
                }
            }
            Event::Wake(member) if self.plan.is_honest(member) => {
                if self.nodes[usize::from(member)].alarm <= self.now {
                    self.nodes[usize::from(member)].alarm = u64::MAX;
                    self.handle(member, Input::Wake);
                }
            }
            Event::Wake(member) => {
                if self.nodes[usize::from(member)].alarm.min(self.now) != self.now && self.now > 0 {
                    return;
                }
                self.nodes[usize::from(member)].alarm = u64::MAX;
                if !self.muted {
                    let mut lies = std::mem::take(&mut self.lies);
                    let now = Time::from_micros(self.now);
                    self.team.wake(now, member, &mut lies);
                    self.tell(lies);
                    self.arm(member);
                }
            }
            Event::Checked(member, life, verdict) => {
                if self.nodes[usize::from(member)].life == life {
                    self.handle(member, Input::Checked(verdict));
                }
            }
            Event::Submit(index) => {
                self.submit(index);
                self.look_whether_done();
            }
            Event::Plot => {
                let mut lies = std::mem::take(&mut self.lies);
                let next = self.team.act(Time::from_micros(self.now), &mut lies);
                self.tell(lies);
                self.plot(next);
            }
            Event::Crash(member) => self.crash(member),
            Event::Restart(member) => self.restart(member),
            Event::Stable => {
                for member in 0..self.plan.members {
                    self.nodes[usize::from(member)].fuse = 0;
                    if self.plan.is_honest(member) {
                        self.restart(member);
                    }
                }
                self.look_whether_done();
            }
            Event::Listen => {
                self.listening = true;
                self.enter(self.now + 3_000_000, Event::End);
            }
            Event::End => self.ended = true,
        }
    }

    /// Lets a liar's clock run.
    fn arm(&mut self, liar: u8) {
        let wanted = (self.team.alarm(liar)).map_or(u64::MAX, |alarm| alarm.as_micros());
        let at = wanted.clamp(self.now + 10_000, self.now + 300_000);
        let node = &mut self.nodes[usize::from(liar)];
        if at < node.alarm {
            node.alarm = at;
            self.enter(at, Event::Wake(liar));
        }
    }

    /// When the liars want to make a move.
    fn plot(&mut self, at: Option<u64>) {
        if let Some(at) = at.filter(|at| *at < self.next_move || self.next_move <= self.now) {
            self.next_move = at.max(self.now);
            self.enter(at, Event::Plot);
        }
    }

    fn tell(&mut self, mut lies: Vec<Lie>) {
        for (from, to, message) in lies.drain(..) {
            self.send(from, to, message);
        }
        self.lies = lies;
    }

    fn send(&mut self, from: u8, to: u8, message: Arc<Message>) {
        for at in self
            .network
            .carry(&self.plan, self.now, from, to)
            .into_iter()
            .flatten()
        {
            let message = message.clone();
            self.enter(at, Event::Message { from, to, message });
        }
    }
}
