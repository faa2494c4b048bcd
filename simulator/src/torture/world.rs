//! One run: a cluster under a plan.

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
#[cfg(feature = "mutants")]
use hamlet_consensus::mutant::Mutants;
use hamlet_consensus::{
    Epoch, Input, Message, Output, Replica, Terms,
    check::Verdict,
    command::{COMMAND_WINDOW, Command, CommandId},
    hash::Hash,
    identity::PeerId,
    io::Reply,
    storage::Storage,
    time::Time,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

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
    entered: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    /// Commands that must get done: those of honest members that did not crash since.
    due: BTreeMap<CommandId, u8>,
    /// Whether the liars are silent from now on.
    muted: bool,
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
            snapshot_every: plan.snapshot_every,
            ..Terms::default()
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
            entered: 0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            due: BTreeMap::new(),
            muted: false,
            listening: false,
            ended: false,
            count: 0,
            messages: 0,
            lies: Vec::new(),
        };
        for member in 0..plan.members {
            if plan.is_honest(member) {
                world.enter(0, Event::Restart(member));
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
        let slot = self.free.pop().unwrap_or(self.events.len());
        if slot == self.events.len() {
            self.events.push(Some(event));
        } else {
            self.events[slot] = Some(event);
        }
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
                self.blame_stuck();
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
            commands: self.oracle.length(),
            events: self.count,
            messages: self.messages,
            micros: self.now,
        }
    }

    fn blame_stuck(&mut self) {
        let missing = self.missing();
        let places: Vec<_> = (self.nodes.iter())
            .filter_map(|node| node.replica.as_ref())
            .map(|replica| (replica.me(), replica.view(), replica.height()))
            .collect();
        let text = format!("{missing}; members, views and heights: {places:?}");
        self.oracle.blame(Violation::Stuck(text));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Message { from, to, message } => {
                if self.plan.is_honest(to) {
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

    /// The time by a member's own clock.
    fn local(&self, member: u8) -> Time {
        let rate = self.plan.clocks[usize::from(member)];
        Time::from_micros(self.now * rate / 1000 + 1_000_000 * u64::from(member))
    }

    /// When a member's clock will show this time.
    fn global(&self, member: u8, local: Time) -> u64 {
        let rate = self.plan.clocks[usize::from(member)];
        let since = local
            .as_micros()
            .saturating_sub(1_000_000 * u64::from(member));
        (u128::from(since) * 1000)
            .div_ceil(rate.into())
            .min(u64::MAX.into()) as u64
    }

    fn submit(&mut self, index: usize) {
        let (_, to) = self.plan.commands[index].clone();
        let payload = bytes::Bytes::from((index as u64).to_le_bytes().to_vec());
        // One client asks several members, or a member asks for itself.
        let client = (to.len() > 1).then_some(PeerId([index as u8; 32]));
        let command = Command {
            expires: COMMAND_WINDOW / 2,
            payload: payload.clone(),
        };
        for member in to {
            if !self.plan.is_honest(member) || self.nodes[usize::from(member)].replica.is_none() {
                continue;
            }
            match client {
                Some(client) => {
                    let command = command.clone();
                    self.due.insert(command.id(), member);
                    self.handle(member, Input::Client { client, command });
                }
                None => {
                    let height = (self.nodes[usize::from(member)].replica.as_ref())
                        .map_or(0, |replica| replica.height());
                    let expires = height + COMMAND_WINDOW;
                    let own = Command {
                        expires,
                        payload: payload.clone(),
                    };
                    self.due.insert(own.id(), member);
                    self.handle(member, Input::Submit(vec![payload.clone()]));
                }
            }
        }
    }

    fn crash(&mut self, member: u8) {
        let node = &mut self.nodes[usize::from(member)];
        if node.replica.take().is_some() {
            node.disk.crash(&mut self.dice);
            node.life += 1;
            node.alarm = u64::MAX;
            // What only this member knew is lost with it.
            self.due.retain(|_, holder| *holder != member);
            let later = self.now + self.dice.within(1_000, 500_000);
            self.enter(later.min(self.plan.stable_at), Event::Restart(member));
        }
    }

    fn restart(&mut self, member: u8) {
        let now = self.local(member);
        let node = &mut self.nodes[usize::from(member)];
        if node.replica.is_some() {
            return;
        }
        let Ok(stored) = node.disk.load();
        let application = Ledger {
            ballast: self.plan.ballast,
            ..Ledger::default()
        };
        let signer = Arc::new(self.keys.signer(member));
        let settings = self.plan.settings;
        match Replica::new(
            self.epoch.clone(),
            signer,
            application,
            settings,
            &stored,
            now,
        ) {
            Ok(replica) => {
                node.replica = Some(Box::new(replica));
                let fuse = self.plan.fuse;
                if fuse > 0 && self.now < self.plan.stable_at && self.dice.chance(500) {
                    node.fuse = self.dice.within(1, fuse);
                }
                self.handle(member, Input::Wake);
            }
            Err(error) => {
                let text = format!("member {member}: {error}");
                self.oracle.blame(Violation::Recovery(text));
            }
        }
    }

    /// Gives an input to an honest member and carries out what it wants.
    fn handle(&mut self, member: u8, input: Input) {
        let now = self.local(member);
        let Some(mut replica) = self.nodes[usize::from(member)].replica.take() else {
            return;
        };
        replica.handle(now, input);
        let mut changed = false;
        while let Some(output) = replica.poll() {
            let node = &mut self.nodes[usize::from(member)];
            if node.fuse > 0 {
                node.fuse -= 1;
                if node.fuse == 0 {
                    node.replica = Some(replica);
                    return self.crash(member);
                }
            }
            match output {
                Output::Record(record) => {
                    let Ok(()) = node.disk.append(&record);
                }
                Output::Sync => {
                    let Ok(()) = node.disk.sync();
                }
                Output::Rewrite(records) => {
                    let Ok(()) = node.disk.rewrite(&records);
                }
                Output::Send { to, message } => self.send_honest(member, to.iter(), message),
                Output::Check(check) if self.plan.slow_checks => {
                    let verdict = check.run(&self.keys);
                    let life = node.life;
                    let later = self.now + self.dice.below(20_000);
                    self.enter(later, Event::Checked(member, life, verdict));
                }
                Output::Check(check) => {
                    replica.handle(now, Input::Checked(check.run(&self.keys)));
                }
                Output::WakeAt(local) => {
                    let at = self.global(member, local);
                    self.nodes[usize::from(member)].alarm = at;
                    if at < u64::MAX {
                        self.enter(at, Event::Wake(member));
                    }
                }
                Output::Executed(outcome) => {
                    changed = true;
                    self.oracle.executed(member, &outcome);
                }
                Output::Restored(_) => {
                    changed = true;
                    // What was executed since comes in outputs that follow, so the state may be ahead of it.
                }
                Output::Rejected { command, .. } => {
                    changed = true;
                    self.due.remove(&command);
                }
                Output::Reply { reply, .. } => match reply {
                    Reply::Outcome(proof) => self.oracle.proof(&proof),
                    Reply::Refused { command, .. } => {
                        changed = true;
                        self.due.remove(&command);
                    }
                },
                Output::Evidence(evidence) => self.oracle.evidence(&evidence),
                Output::Forked(certificate) => {
                    let text = format!("member {member} sees a fork: {:?}", certificate.claim);
                    self.oracle.blame(Violation::Agreement(text));
                }
            }
        }
        if changed {
            let state = replica.application();
            self.oracle.state(member, state.count, state.digest);
        }
        self.nodes[usize::from(member)].replica = Some(replica);
        if changed {
            self.look_whether_done();
        }
    }

    fn send_honest(&mut self, from: u8, to: impl Iterator<Item = u8>, message: Arc<Message>) {
        self.oracle.sent(from, &message);
        if self.listening && !matches!(*message, Message::Status(_)) {
            let text = format!("member {from} sent {message:?}");
            self.oracle.blame(Violation::Unquiet(text));
        }
        let message = if self.plan.encode {
            match Message::decode(&message.encode()) {
                Ok(decoded) if decoded == *message => Arc::new(decoded),
                other => panic!("{message:?} became {other:?} on the wire"),
            }
        } else {
            message
        };
        for to in to {
            self.messages += 1;
            self.send(from, to, message.clone());
        }
    }

    /// What is not done yet, in words; empty if everything is.
    fn missing(&self) -> String {
        let open = self
            .due
            .keys()
            .filter(|command| !self.oracle.has_executed(command))
            .count();
        let length = self.oracle.length();
        let behind: BTreeSet<u8> = (0..self.plan.members)
            .filter(|member| self.plan.is_honest(*member) && self.oracle.count(*member) < length)
            .collect();
        if open == 0 && behind.is_empty() {
            String::new()
        } else {
            format!("{open} commands not executed; behind: {behind:?} of {length}")
        }
    }

    /// Ends the run, or lets it get quiet, once all is done that must be.
    fn look_whether_done(&mut self) {
        let last = self
            .plan
            .commands
            .iter()
            .map(|(at, _)| *at)
            .max()
            .unwrap_or(0);
        let early = self.now < self.plan.stable_at.max(last);
        if early || self.muted || !self.missing().is_empty() {
            return;
        }
        if self.plan.check_quiet {
            self.muted = true;
            let liars = self.plan.byzantine.len() as u64;
            self.enter(self.now + GRACE.0 + liars * GRACE.1, Event::Listen);
        } else {
            self.ended = true;
        }
    }
}
