//! Mistakes that other engines made when members change, each a test with its name.

mod common;

use common::{epoch, signer};
use hamlet_consensus::{
    Application, Message, Model, Settings,
    application::BadSnapshot,
    certificate::Claim,
    ed25519::Ed25519Verifier,
    epoch::{Charter, Epoch},
    identity::Signer,
    member::Member,
    succession::{Input, Output, Parcel, Stored, Succession},
    time::Time,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Remembers notes; `>` and members' numbers make these the members of the next epoch.
#[derive(Clone)]
struct Notes {
    notes: Vec<u8>,
    charter: Charter,
    successors: Vec<Charter>,
}

impl Notes {
    fn new(founding: &Epoch) -> Notes {
        Notes {
            notes: Vec::new(),
            charter: founding.charter().clone(),
            successors: Vec::new(),
        }
    }
}

impl Application for Notes {
    fn execute(&mut self, _height: u64, command: &[u8]) -> Vec<u8> {
        match command.split_first() {
            Some((b'>', members)) => {
                self.successors = vec![Charter {
                    number: self.charter.number + 1,
                    members: members.iter().map(|member| signer(*member).id()).collect(),
                    ..self.charter.clone()
                }];
            }
            _ => self.notes.extend_from_slice(command),
        }
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.notes.clone()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.notes = snapshot.to_vec();
        Ok(())
    }

    fn successors(&self) -> Vec<Charter> {
        self.successors.clone()
    }

    fn begin(&mut self, epoch: &Epoch) {
        self.charter = epoch.charter().clone();
        self.successors.clear();
    }
}

/// Peers whose messages take ten milliseconds; disks are not needed.
struct World {
    peers: Vec<Succession<Notes>>,
    alarms: Vec<Time>,
    /// What is on its way: when, in which order, to whom, from whom.
    queue: BTreeMap<(Time, u64), (usize, usize, Parcel)>,
    sent: u64,
    now: Time,
    /// Whether a message from one peer to another is lost.
    lose: fn(usize, usize) -> bool,
    /// Who was told, within an epoch, with which seal it ended.
    told_end: BTreeSet<usize>,
}

impl World {
    /// Peers 0 to 3 are the founders.
    fn new(peers: Member) -> World {
        World::of(peers, epoch(0))
    }

    fn of(peers: Member, founding: Arc<Epoch>) -> World {
        let start = |peer| {
            let (settings, stored) = (Settings::default(), Stored::default());
            Succession::start(
                founding.clone(),
                signer(peer),
                Notes::new(&founding),
                settings,
                &stored,
                Time::ZERO,
            )
            .unwrap()
        };
        let mut world = World {
            peers: (0..peers).map(start).collect(),
            alarms: vec![Time::NEVER; peers.into()],
            queue: BTreeMap::new(),
            sent: 0,
            now: Time::ZERO,
            lose: |_, _| false,
            told_end: BTreeSet::new(),
        };
        (0..peers.into()).for_each(|peer| world.input(peer, Input::Wake));
        world
    }

    fn input(&mut self, peer: usize, input: Input) {
        self.peers[peer].handle(self.now, input);
        while let Some(output) = self.peers[peer].poll() {
            match output {
                Output::Send(to, parcel) => {
                    let position = |id| {
                        (0..self.peers.len()).find(|other| signer(*other as Member).id() == id)
                    };
                    for to in to.into_iter().filter_map(position) {
                        if tells_end(&parcel) {
                            self.told_end.insert(to);
                        }
                        if !(self.lose)(peer, to) {
                            self.sent += 1;
                            let at = (self.now + Duration::from_millis(10), self.sent);
                            self.queue.insert(at, (to, peer, parcel.clone()));
                        }
                    }
                }
                Output::Check(name, check) => {
                    let verdict = check.run(&Ed25519Verifier);
                    self.peers[peer].handle(self.now, Input::Checked(name, verdict));
                }
                Output::WakeAt(time) => self.alarms[peer] = time,
                _ => {}
            }
        }
    }

    fn submit(&mut self, peer: usize, commands: &[&'static [u8]]) {
        let commands = commands.iter().map(|command| (*command).into()).collect();
        self.input(peer, Input::Submit(commands));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let (due, peer) = (self.alarms.iter().zip(0..))
                .min()
                .map(|(at, peer)| (*at, peer))
                .unwrap();
            let next = self.queue.keys().next().map_or(Time::NEVER, |(at, _)| *at);
            if due.min(next) > until {
                break;
            }
            self.now = self.now.max(due.min(next));
            if due <= next {
                self.alarms[peer] = Time::NEVER;
                self.input(peer, Input::Wake);
            } else if let Some((_, (to, from, parcel))) = self.queue.pop_first() {
                let from = signer(from as Member).id();
                self.input(to, Input::Parcel { from, parcel });
            }
        }
        self.now = until;
    }

    /// The epoch that a peer takes part in, and the notes that it knows.
    fn state(&self, peer: usize) -> Option<(u64, &[u8])> {
        let replica = self.peers[peer].replica()?;
        Some((replica.epoch().number(), &replica.application().notes))
    }
}

fn tells_end(parcel: &Parcel) -> bool {
    let Parcel::Agreement(_, message) = parcel else {
        return false;
    };
    let ends = |claim| matches!(claim, Claim::Sealed(seal) if seal.successors.is_some());
    matches!(&**message, Message::Certificates(all) if all.iter().any(|one| ends(one.claim)))
}

/// hotstuff_rs 25: an old member resigns early and the rest lack a quorum; and catch-up only from the old set. Here old members
/// serve until a certificate shows that a quorum of the new ones has begun, and whoever is new learns the state from either.
#[test]
fn old_members_serve_until_a_quorum_of_the_new_has_begun() {
    let mut world = World::new(8);
    world.submit(0, &[b"a"]);
    world.pass(Duration::from_secs(2));
    // Of the new members 4 alone hears anything.
    world.lose = |_, to| to > 4;
    world.submit(1, &[b">\x04\x05\x06\x07"]);
    world.pass(Duration::from_secs(120));
    assert_eq!(world.state(4), Some((1, &b"a"[..])));
    for old in 0..4 {
        assert!(world.peers[old].is_retiring(), "{old} has left");
    }
    // 7 hears nothing of those who were members before.
    world.lose = |from, to| to == 7 && from < 4;
    world.pass(Duration::from_secs(120));
    for new in 4..8 {
        assert_eq!(world.state(new), Some((1, &b"a"[..])), "member {new}");
    }
    for old in 0..4 {
        assert!(!world.peers[old].is_retiring(), "{old} stays for ever");
        assert_eq!(world.state(old), None);
    }
    world.submit(5, &[b"b"]);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.state(7), Some((1, &b"ab"[..])));
}

/// hotstuff_rs 28: the record of a pending membership is deleted at commit, and later valid children fail. Here blocks after
/// the change are valid and void, at every member alike, and what was in them is executed once, in the next epoch.
#[test]
fn what_follows_a_change_is_executed_in_the_next_epoch_once() {
    let mut world = World::new(5);
    world.submit(0, &[b"a", b">\x00\x01\x02\x04", b"b"]);
    world.submit(1, &[b"c"]);
    world.submit(2, &[b"d"]);
    world.pass(Duration::from_secs(60));
    let (number, notes) = world.state(0).unwrap();
    assert_eq!(number, 1);
    let mut sorted = notes.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, b"abcd");
    for member in [1, 2, 4] {
        assert_eq!(world.state(member), world.state(0));
    }
    assert_eq!(world.state(3), None, "put out");
}

/// Under synchrony somebody honest who is behind in an epoch would be alone there with the liars, who make a quorum with it: so
/// who leaves tells it the end, and stays for twice the bound.
#[test]
fn under_synchrony_who_leaves_tells_the_end_and_stays_for_twice_the_bound() {
    let bound = Duration::from_secs(1);
    let mut charter = epoch(0).charter().clone();
    charter.terms.model = Model::Synchrony { bound };
    let founding = charter.found(epoch(0).network(), epoch(0).origin());
    let mut world = World::of(5, Arc::new(founding.unwrap()));
    world.submit(0, &[b"a"]);
    world.pass(bound * 4);
    world.lose = |_, to| to == 3;
    world.submit(0, &[b">\x00\x01\x02\x04"]);
    let step = Duration::from_millis(10);
    while world.state(0).is_none_or(|(number, _)| number == 0) {
        world.pass(step);
    }
    world.pass(bound * 2 - step);
    assert!(world.told_end.contains(&3));
    for old in 0..3 {
        assert_eq!(world.state(old), Some((1, &b"a"[..])));
        assert!(world.peers[old].is_retiring(), "{old} has left");
    }
    world.pass(bound * 4);
    assert!((0..3).all(|old| !world.peers[old].is_retiring()));
}
