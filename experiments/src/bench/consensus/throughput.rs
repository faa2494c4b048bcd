//! How many commands a cluster orders, on one thread and on several.
//!
//! Members are dealt to threads; a thread does all that its members have to, checks of signatures included. What members
//! say is encoded once and decoded by each receiver. There are no links and no disks.

use super::{COMMAND_BYTES, Row, command};
use crate::interrupt;
use bytes::Bytes;
use hamlet_consensus::{
    Epoch, Input, Message, Output, Replica, Settings, Terms,
    ed25519::{Ed25519Signer, Ed25519Verifier},
    hash::Hash,
    identity::{PeerId, Signer},
    member::{Member, MemberSet},
    time::Time,
};
use hamlet_simulator::torture::Ledger;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How many commands wait in sum, so that a leader always finds a full block.
const WAITING: usize = 4096;
/// A cluster that executes nothing for so long does not work.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commands that one process orders for all members together.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    members: u8,
    silent: usize,
    threads: usize,
    command_bytes: usize,
    commands: usize,
    runs: u32,
    /// By the clock of the wall, in the best run.
    commands_per_s: f64,
    /// By the processor time of all threads, in the best run.
    commands_per_cpu_s: f64,
    /// By the processor time of the busiest thread, in the best run.
    commands_per_busiest_cpu_s: f64,
    /// What a member sends for one command, on average.
    sent_bytes_per_command: f64,
    commands_per_block: f64,
}

impl Row for Throughput {
    const HEAD: &str = "members silent threads  commands_per_s commands_per_cpu_s commands_per_busiest_cpu_s sent_bytes_per_command commands_per_block";

    fn line(&self) -> String {
        format!(
            "{:7} {:6} {:7}  {:14.0} {:18.0} {:26.0} {:22.0} {:18.0}",
            self.members,
            self.silent,
            self.threads,
            self.commands_per_s,
            self.commands_per_cpu_s,
            self.commands_per_busiest_cpu_s,
            self.sent_bytes_per_command,
            self.commands_per_block
        )
    }
}

/// Has a cluster order so many commands, so many times.
///
/// # Errors
/// If members stop agreeing.
pub fn measure(
    members: u8,
    silent: usize,
    threads: usize,
    commands: usize,
    runs: u32,
) -> Result<Throughput, Box<dyn Error>> {
    let mut best: Option<Throughput> = None;
    for _ in 0..runs {
        let shifts = run(members, silent, threads, commands)?;
        let sum = |of: fn(&Shift) -> f64| shifts.iter().map(of).sum::<f64>();
        let most = |of: fn(&Shift) -> f64| shifts.iter().map(of).fold(1e-9, f64::max);
        let done = shifts.iter().map(|shift| shift.executed).min().unwrap_or(0);
        let height = shifts.iter().map(|shift| shift.height).max().unwrap_or(1);
        let alive = usize::from(members) - silent;
        let this = Throughput {
            members,
            silent,
            threads,
            command_bytes: COMMAND_BYTES,
            commands,
            runs,
            commands_per_s: done as f64 / most(|shift| shift.wall_s),
            commands_per_cpu_s: done as f64 / sum(|shift| shift.cpu_s),
            commands_per_busiest_cpu_s: done as f64 / most(|shift| shift.cpu_s),
            sent_bytes_per_command: sum(|shift| shift.sent_bytes as f64) / (alive * done) as f64,
            commands_per_block: done as f64 / height as f64,
        };
        best = Some(match best {
            None => this,
            Some(best) => Throughput {
                commands_per_s: best.commands_per_s.max(this.commands_per_s),
                commands_per_cpu_s: best.commands_per_cpu_s.max(this.commands_per_cpu_s),
                commands_per_busiest_cpu_s: (best.commands_per_busiest_cpu_s)
                    .max(this.commands_per_busiest_cpu_s),
                ..this
            },
        });
    }
    best.ok_or_else(|| "nothing was run".into())
}

/// What one thread did.
struct Shift {
    /// How many commands each of its members has executed at least.
    executed: usize,
    height: u64,
    sent_bytes: u64,
    wall_s: f64,
    cpu_s: f64,
}

fn run(
    members: u8,
    silent: usize,
    threads: usize,
    commands: usize,
) -> Result<Vec<Shift>, Box<dyn Error>> {
    let peers = (0..members).map(|member| signer(member).id()).collect();
    let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, Terms::default(), peers)?;
    let epoch = Arc::new(epoch);
    let alive = epoch.all().lowest(usize::from(members) - silent);
    let shares: Vec<MemberSet> = (0..threads)
        .map(|thread| (alive.iter().skip(thread).step_by(threads)).collect())
        .collect();
    let (posts, inboxes): (Vec<_>, Vec<_>) = shares
        .iter()
        .map(|share| {
            let (post, inbox) = channel();
            ((*share, post), inbox)
        })
        .unzip();
    let course = Course {
        epoch,
        alive,
        commands,
        finished: AtomicUsize::new(0),
        ready: Barrier::new(threads),
        began: Instant::now(),
    };
    thread::scope(|scope| {
        let shifts: Vec<_> = (inboxes.into_iter().zip(&shares))
            .map(|(inbox, share)| {
                let (posts, course) = (posts.clone(), &course);
                scope.spawn(move || Lane::new(course, *share, posts, inbox)?.work())
            })
            .collect();
        let join = |shift: thread::ScopedJoinHandle<'_, Result<Shift, String>>| {
            let done = shift.join().map_err(|_| "a thread has ended early")?;
            Ok(done?)
        };
        shifts.into_iter().map(join).collect()
    })
}

fn signer(member: Member) -> Ed25519Signer {
    Ed25519Signer::from_secret(&[member + 1; 32])
}

/// What all threads share.
struct Course {
    epoch: Arc<Epoch>,
    alive: MemberSet,
    commands: usize,
    /// How many members have executed all that is wanted.
    finished: AtomicUsize,
    ready: Barrier,
    began: Instant,
}

impl Course {
    fn now(&self) -> Time {
        Time::from_micros(self.began.elapsed().as_micros() as u64)
    }

    /// Whether all members are done, or the user wants no more.
    fn is_over(&self) -> bool {
        self.finished.load(Ordering::Relaxed) >= self.alive.len() || interrupt::asked()
    }
}

/// An encoded message on its way.
#[derive(Clone)]
struct Parcel {
    from: Member,
    to: MemberSet,
    bytes: Bytes,
}

struct Node {
    replica: Replica<Ledger>,
    alarm: Time,
    submitted: usize,
    /// Of those, how many had no room.
    rejected: usize,
    executed: usize,
}

/// One thread with its members.
struct Lane<'a> {
    course: &'a Course,
    share: MemberSet,
    nodes: BTreeMap<Member, Node>,
    /// What its members say to each other, and what came from other threads.
    waiting: VecDeque<Parcel>,
    /// The inboxes of all threads, by the members that they have.
    posts: Vec<(MemberSet, Sender<Parcel>)>,
    inbox: Receiver<Parcel>,
    sent_bytes: u64,
    /// When one of its members last executed something.
    progress: Instant,
}

impl<'a> Lane<'a> {
    fn new(
        course: &'a Course,
        share: MemberSet,
        posts: Vec<(MemberSet, Sender<Parcel>)>,
        inbox: Receiver<Parcel>,
    ) -> Result<Lane<'a>, String> {
        // Longer than a turn of the processor can be away, so that nobody honest is suspected; who is silent is known.
        let settings = Settings {
            delay: Duration::from_secs(5),
            ..Settings::default()
        };
        let silent: Vec<PeerId> = (course.epoch.all().without(course.alive).iter())
            .filter_map(|member| course.epoch.peer(member))
            .collect();
        let node = |member: Member| {
            let (epoch, signer) = (course.epoch.clone(), Arc::new(signer(member)));
            let mut replica =
                Replica::new(epoch, signer, Ledger::default(), settings, &[], Time::ZERO)?;
            replica.suspect(&silent);
            let node = Node {
                replica,
                alarm: Time::ZERO,
                submitted: 0,
                rejected: 0,
                executed: 0,
            };
            Ok((member, node))
        };
        let nodes: Result<_, hamlet_consensus::replica::StartError> =
            share.iter().map(node).collect();
        Ok(Lane {
            course,
            share,
            nodes: nodes.map_err(|error| error.to_string())?,
            waiting: VecDeque::new(),
            posts: (posts.into_iter())
                .filter(|(theirs, _)| *theirs != share)
                .collect(),
            inbox,
            sent_bytes: 0,
            progress: Instant::now(),
        })
    }

    fn work(mut self) -> Result<Shift, String> {
        self.course.ready.wait();
        let (began, cpu) = (Instant::now(), super::cpu());
        self.progress = began;
        while !self.course.is_over() {
            self.wake();
            self.waiting.extend(self.inbox.try_iter());
            match self.waiting.pop_front() {
                Some(parcel) => self.deliver(&parcel)?,
                None => self.pause(),
            }
            if self.progress.elapsed() > PATIENCE {
                return Err(format!(
                    "members have agreed on nothing for {} s",
                    PATIENCE.as_secs()
                ));
            }
        }
        let nodes = self.nodes.values();
        Ok(Shift {
            executed: nodes.clone().map(|node| node.executed).min().unwrap_or(0),
            height: nodes.map(|node| node.replica.height()).max().unwrap_or(0),
            sent_bytes: self.sent_bytes,
            wall_s: began.elapsed().as_secs_f64(),
            cpu_s: super::cpu_since(cpu),
        })
    }

    /// Waits for the other threads, but not beyond an alarm, nor for longer than a look at whether all are done.
    fn pause(&mut self) {
        let alarms = self.nodes.values().map(|node| node.alarm);
        let next = alarms.min().unwrap_or(Time::NEVER);
        let pause = next.since(self.course.now()).min(Duration::from_millis(1));
        if let Ok(parcel) = self.inbox.recv_timeout(pause) {
            self.waiting.push_back(parcel);
        }
    }

    fn wake(&mut self) {
        let now = self.course.now();
        let due: Vec<Member> = (self.nodes.iter())
            .filter(|(_, node)| node.alarm <= now)
            .map(|(member, _)| *member)
            .collect();
        for member in due {
            if let Some(node) = self.nodes.get_mut(&member) {
                node.alarm = Time::NEVER;
            }
            self.handle(member, Input::Wake);
        }
    }

    fn deliver(&mut self, parcel: &Parcel) -> Result<(), String> {
        for to in parcel.to.intersection(self.share).iter() {
            let message = Message::decode(&parcel.bytes)
                .map_err(|error| format!("a member's message is refused: {error}"))?;
            let (from, message) = (parcel.from, Arc::new(message));
            self.handle(to, Input::Message { from, message });
        }
        Ok(())
    }

    /// Lets a member act, and want as many more commands as were executed.
    fn handle(&mut self, member: Member, input: Input) {
        self.step(member, input);
        let Some(node) = self.nodes.get_mut(&member) else {
            return;
        };
        let wanted = (WAITING + node.executed) / self.course.alive.len() + 1 + node.rejected;
        if node.submitted < wanted {
            let numbers = node.submitted..wanted;
            node.submitted = wanted;
            let number = |number: usize| usize::from(member) << 40 | number;
            let payloads = numbers.map(|more| command(number(more)).into()).collect();
            self.step(member, Input::Submit(payloads));
        }
    }

    fn step(&mut self, member: Member, input: Input) {
        let now = self.course.now();
        let Some(node) = self.nodes.get_mut(&member) else {
            return;
        };
        let before = node.executed;
        node.replica.handle(now, input);
        while let Some(output) = node.replica.poll() {
            match output {
                Output::Send { to, message } => {
                    let bytes = Bytes::from(message.encode());
                    self.sent_bytes += (bytes.len() * to.len()) as u64;
                    let from = member;
                    let parcel = Parcel { from, to, bytes };
                    for (theirs, post) in &self.posts {
                        if !theirs.intersection(to).is_empty() {
                            // A thread that has ended needs no more.
                            let _ = post.send(parcel.clone());
                        }
                    }
                    self.waiting.push_back(parcel);
                }
                Output::Check(check) => {
                    let verdict = check.run(&Ed25519Verifier);
                    node.replica.handle(now, Input::Checked(verdict));
                }
                Output::WakeAt(time) => node.alarm = time,
                Output::Executed(_) => node.executed += 1,
                Output::Rejected { .. } => node.rejected += 1,
                _ => {}
            }
        }
        if node.executed > before {
            self.progress = Instant::now();
            if before < self.course.commands && node.executed >= self.course.commands {
                self.course.finished.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
