//! Twins: two instances of one replica under one key, and every schedule of partitions (Bano, Sonnino, Chursin,
//! Perelman, Li, Ching, Malkhi, "Twins: BFT Systems Made Robust", OPODIS 2021).
//!
//! A twin that is cut off from its other half equivocates, forgets what it said and votes twice, all without a line of
//! adversarial code. A [`Scenario`] is a number: it says which members have twins, and for each of a few phases who
//! can talk to whom. So all scenarios of a size can be tried, one after the other. After the phases everybody hears
//! everybody, and what honest members wanted must get done.

use super::{
    keys::CheapKeys,
    ledger::Ledger,
    oracle::{Oracle, Violation},
    plan::Plan,
    world::Outcome,
};
use hamlet_consensus::{
    Epoch, Input, Message, Model, Output, Replica, Settings, Terms,
    command::{COMMAND_WINDOW, Command, CommandId},
    hash::Hash,
    time::Time,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The length of a phase, in microseconds: two time-outs of a view.
const PHASE: u64 = 120_000;
/// The delay of a message, in microseconds.
const DELAY: u64 = 10_000;
/// Δ, where delays are bounded.
const BOUND: Duration = Duration::from_micros(2 * DELAY);
/// How long after the last phase everything must be done, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// All scenarios of a size.
#[derive(Clone, Copy, Debug)]
pub struct Scenarios {
    /// How many members there are, 3 to 7; as many of them have twins as may be Byzantine.
    pub members: u8,
    /// Whether delays are bounded. Then the partitions are between members and twins alone.
    pub in_time: bool,
    /// How many phases there are, each with a partition of its own.
    pub phases: u32,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    members: u8,
    in_time: bool,
    /// The members that have twins.
    twins: BTreeSet<u8>,
    /// For each phase, the instances on one side, as bits: those below `members` are the members, those above it their
    /// twins, in order.
    sides: Vec<u64>,
}

impl Scenarios {
    fn twins(self) -> u8 {
        model(self.in_time).kind().faults(self.members.into()) as u8
    }

    /// How many partitions of the instances into two sides there are.
    fn partitions(self) -> u64 {
        1 << (self.members + self.twins() - 1)
    }

    /// How many scenarios there are: the first member with a twin (and so which views twins lead), and a partition for
    /// each phase.
    pub fn count(self) -> u64 {
        self.partitions()
            .saturating_pow(self.phases)
            .saturating_mul(self.members.into())
    }

    /// One of them.
    pub fn get(self, mut number: u64) -> Scenario {
        let first = (number % u64::from(self.members)) as u8;
        number /= u64::from(self.members);
        let mut side = || {
            let side = number % self.partitions();
            number /= self.partitions();
            side
        };
        Scenario {
            members: self.members,
            in_time: self.in_time,
            twins: (0..self.twins())
                .map(|twin| (first + twin) % self.members)
                .collect(),
            sides: (0..self.phases).map(|_| side()).collect(),
        }
    }
}

fn model(in_time: bool) -> Model {
    match in_time {
        true => Model::Synchrony { bound: BOUND },
        false => Model::PartialSynchrony,
    }
}

enum Event {
    Message {
        from: usize,
        to: usize,
        message: Arc<Message>,
    },
    Wake(usize),
}

struct Instance {
    member: u8,
    replica: Replica<Ledger>,
    alarm: Time,
}

struct World {
    scenario: Scenario,
    instances: Vec<Instance>,
    keys: CheapKeys,
    oracle: Oracle,
    now: u64,
    entered: u64,
    events: u64,
    queue: BTreeMap<(u64, u64), Event>,
    due: BTreeSet<CommandId>,
}

/// Carries out a scenario.
pub fn run(scenario: &Scenario) -> Outcome {
    World::new(scenario).run()
}

impl World {
    fn new(scenario: &Scenario) -> World {
        let keys = CheapKeys::new(0);
        let members = (0..scenario.members).map(CheapKeys::id).collect();
        let terms = Terms {
            model: model(scenario.in_time),
            ..Terms::default()
        };
        let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members);
        let epoch = Arc::new(epoch.unwrap_or_else(|error| panic!("an impossible epoch: {error}")));
        let plan = Plan {
            members: scenario.members,
            byzantine: (scenario.twins.iter())
                .map(|twin| (*twin, Vec::new()))
                .collect(),
            ..Plan::draw(0)
        };
        let settings = Settings {
            delay: BOUND,
            timeout_max: Duration::from_secs(3),
            beat: Duration::from_secs(1),
        };
        let instances = (0..scenario.members)
            .chain(scenario.twins.iter().copied())
            .map(|member| {
                let signer = Arc::new(keys.signer(member));
                let (epoch, ledger) = (epoch.clone(), Ledger::default());
                let replica = Replica::new(epoch, signer, ledger, settings, &[], Time::ZERO);
                Instance {
                    member,
                    replica: replica.unwrap_or_else(|error| panic!("cannot start: {error}")),
                    alarm: Time::NEVER,
                }
            })
            .collect();
        World {
            oracle: Oracle::new(&plan, epoch, keys),
            scenario: scenario.clone(),
            instances,
            keys,
            now: 0,
            entered: 0,
            events: 0,
            queue: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    fn run(mut self) -> Outcome {
        for at in 0..self.instances.len() {
            self.handle(at, Input::Wake);
        }
        // Everybody wants something in every phase, so that leaders propose and twins propose different blocks.
        for phase in 0..self.scenario.sides.len() as u64 {
            self.run_until(phase * PHASE);
            for at in 0..self.instances.len() {
                self.submit(at, phase);
            }
        }
        let healed = self.scenario.sides.len() as u64 * PHASE;
        self.run_until(healed);
        let end = healed + PATIENCE;
        while self.oracle.violation().is_none() && !self.is_done() {
            if self.now >= end {
                let text = format!("{} commands not executed", self.due.len());
                self.oracle.blame(Violation::Stuck(text));
            }
            self.run_until(self.now + PHASE);
        }
        Outcome {
            violation: self.oracle.violation().cloned(),
            commands: self.oracle.length(),
            events: self.events,
            messages: self.entered,
            micros: self.now,
        }
    }

    fn run_until(&mut self, until: u64) {
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= until
            && self.oracle.violation().is_none()
        {
            self.now = entry.key().0;
            self.events += 1;
            match entry.remove() {
                Event::Message { from, to, message } => {
                    let from = self.instances[from].member;
                    self.handle(to, Input::Message { from, message });
                }
                Event::Wake(at) => {
                    if self.instances[at].alarm.as_micros() <= self.now {
                        self.instances[at].alarm = Time::NEVER;
                        self.handle(at, Input::Wake);
                    }
                }
            }
        }
        self.now = until;
    }

    fn is_honest(&self, at: usize) -> bool {
        !self.scenario.twins.contains(&self.instances[at].member)
    }

    fn is_done(&self) -> bool {
        let length = self.oracle.length();
        self.due.iter().all(|id| self.oracle.has_executed(id))
            && (0..self.instances.len())
                .filter(|at| self.is_honest(*at))
                .all(|at| self.oracle.count(self.instances[at].member) == length)
    }

    fn submit(&mut self, at: usize, phase: u64) {
        let payload: bytes::Bytes = [phase.to_le_bytes(), (at as u64).to_le_bytes()]
            .concat()
            .into();
        if self.is_honest(at) {
            let command = Command {
                expires: self.instances[at].replica.height() + COMMAND_WINDOW,
                payload: payload.clone(),
            };
            self.due.insert(command.id());
        }
        self.handle(at, Input::Submit(vec![payload]));
    }

    /// Whether two instances hear each other now.
    fn hears(&self, from: usize, to: usize) -> bool {
        if self.scenario.in_time && self.is_honest(from) && self.is_honest(to) {
            return true;
        }
        let side = self.scenario.sides.get((self.now / PHASE) as usize);
        side.is_none_or(|side| side >> from & 1 == side >> to & 1)
    }

    fn enter(&mut self, at: u64, event: Event) {
        self.entered += 1;
        self.queue.insert((at.max(self.now), self.entered), event);
    }

    fn handle(&mut self, at: usize, input: Input) {
        let now = Time::from_micros(self.now);
        let (member, honest) = (self.instances[at].member, self.is_honest(at));
        self.instances[at].replica.handle(now, input);
        while let Some(output) = self.instances[at].replica.poll() {
            match output {
                Output::Send { to, message } => {
                    if honest {
                        self.oracle.sent(member, &message);
                    }
                    for other in 0..self.instances.len() {
                        if to.contains(self.instances[other].member) && self.hears(at, other) {
                            let message = message.clone();
                            let event = Event::Message {
                                from: at,
                                to: other,
                                message,
                            };
                            self.enter(self.now + DELAY, event);
                        }
                    }
                }
                Output::Check(check) => {
                    let verdict = check.run(&self.keys);
                    self.instances[at]
                        .replica
                        .handle(now, Input::Checked(verdict));
                }
                Output::WakeAt(time) => {
                    self.instances[at].alarm = time;
                    self.enter(time.as_micros(), Event::Wake(at));
                }
                Output::Executed(outcome) if honest => self.oracle.executed(member, &outcome),
                Output::Evidence(evidence) if honest => self.oracle.evidence(&evidence),
                Output::Asynchrony { view, absent } if honest => {
                    let text = format!("member {member} misses {absent:?} in view {view}");
                    self.oracle.blame(Violation::Alarm(text));
                }
                Output::Forked(certificate) if honest => {
                    let text = format!("member {member} sees a fork: {:?}", certificate.claim);
                    self.oracle.blame(Violation::Agreement(text));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_promise_is_broken_by_twins() {
        let two = Scenarios {
            members: 4,
            in_time: false,
            phases: 2,
        };
        assert_eq!(two.count(), 1024);
        for number in 0..two.count() {
            assert_eq!(run(&two.get(number)).violation, None, "scenario {number}");
        }
        let seven = Scenarios {
            members: 7,
            in_time: false,
            phases: 2,
        };
        for number in (0..seven.count()).step_by(9973) {
            assert_eq!(
                run(&seven.get(number)).violation,
                None,
                "scenario {number} of seven"
            );
        }
    }

    #[test]
    fn no_promise_is_broken_by_twins_under_synchrony() {
        for (members, phases, step) in [(3, 3, 5), (5, 2, 97)] {
            let all = Scenarios {
                members,
                in_time: true,
                phases,
            };
            for number in (0..all.count()).step_by(step) {
                let outcome = run(&all.get(number));
                assert_eq!(outcome.violation, None, "scenario {number} of {members}");
            }
        }
    }
}
