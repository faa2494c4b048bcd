//! One log from two: what outsiders follow, and what members of a cluster that asks to be taken in do meanwhile.

mod common;

use common::signer;
use hamlet_consensus::{
    Application, Epoch, Settings, Terms,
    application::BadSnapshot,
    block::BlockId,
    certificate::{Certificate, Claim},
    ed25519::Ed25519Verifier,
    epoch::{Charter, Host, Merge, Origin},
    hash::Hash,
    identity::Signer,
    io::Refusal,
    member::{Member, MemberSet},
    succession::{Chain, Handover, Input, Output, Store, Stored, Succession, Tag, tag},
    time::Time,
    vote::{Seal, SignedVote},
    wire,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

fn charter(cluster: u8, number: u64, members: &[Member]) -> Charter {
    Charter {
        cluster: Hash([cluster; 32]),
        number,
        terms: Terms::default(),
        members: members.iter().map(|member| signer(*member).id()).collect(),
        context: Default::default(),
    }
}

fn founding(cluster: u8, members: &[Member]) -> Arc<Epoch> {
    let epoch = charter(cluster, 0, members).found(Hash([1; 32]), Origin::default());
    Arc::new(epoch.unwrap())
}

/// How an epoch ended, signed by all of these.
fn end(
    epoch: &Epoch,
    successors: Vec<Charter>,
    merge: Option<Merge>,
    members: &[Member],
) -> Handover {
    let seal = Seal {
        block: BlockId {
            view: 7,
            height: 5,
            hash: Hash([5; 32]),
        },
        outcomes: Hash::default(),
        state: Some(epoch.charter().cluster),
        successors: Some(Charter::hash(&successors, merge.as_ref())),
    };
    let claim = Claim::Sealed(seal);
    let sign = |member: &Member| SignedVote::new(claim.votes().0, epoch, &*signer(*member));
    let seal = Certificate {
        claim,
        first: epoch.all(),
        second: MemberSet::EMPTY,
        signatures: members
            .iter()
            .map(|member| sign(member).signature)
            .collect(),
    };
    Handover {
        ended: tag(epoch),
        seal,
        successors,
        merge,
    }
}

const GUESTS: [Member; 4] = [0, 1, 2, 3];
const HOSTS: [Member; 4] = [4, 5, 6, 7];

fn asks(host: &Epoch) -> Option<Merge> {
    Some(Merge::Asks(Box::new(Host::of(host))))
}

#[test]
fn an_outsider_follows_a_cluster_into_the_one_that_takes_it_in() {
    let (guest, host) = (founding(2, &GUESTS), founding(3, &HOSTS));
    let ask = end(&guest, vec![charter(2, 1, &GUESTS)], asks(&host), &GUESTS);
    assert_eq!(ask.verify(&guest, &Ed25519Verifier), Some(vec![]));
    let alone = ask.doubt(&guest).unwrap().guest;
    let outsider = signer(60).id();
    let mut chain = Chain::new(guest.clone());
    assert_eq!(chain.follow(outsider, &ask), Some(vec![]));
    assert_eq!(chain.newest(), &guest);
    assert_eq!(chain.awaited(), &host);
    assert_eq!(chain.doubt().map(|doubt| &doubt.guest), Some(&alone));

    let all = [GUESTS, HOSTS].concat();
    let takes = Some(Merge::Takes(alone.id()));
    let taken = end(&host, vec![charter(3, 1, &all)], takes, &HOSTS);
    let mut merged = chain.clone();
    let next = merged.follow(outsider, &taken).unwrap();
    assert_eq!(next, taken.verify(&host, &Ed25519Verifier).unwrap());
    assert_eq!(merged.newest(), &next[0]);
    assert_eq!(merged.newest().charter().cluster, Hash([3; 32]));
    assert_eq!(
        (merged.doubt(), merged.last_handover()),
        (None, Some((&host, &taken)))
    );
    assert_eq!(merged.after(tag(&guest), 9), Some(vec![ask.clone(), taken]));

    // The same members, but nobody was taken in, or somebody else was.
    for merge in [None, Some(Merge::Takes(guest.id()))] {
        let refused = end(&host, vec![charter(3, 1, &all)], merge, &HOSTS);
        let mut lives = chain.clone();
        assert_eq!(lives.follow(outsider, &refused), Some(vec![alone.clone()]));
        assert_eq!((lives.newest(), lives.doubt()), (&alone, None));
        assert_eq!(lives.last_handover(), Some((&guest, &ask)));
        assert_eq!(
            lives.after(tag(&guest), 9),
            Some(vec![ask.clone(), refused])
        );
    }
    // Who is told again what the guest asked does not follow it anywhere.
    assert_eq!(chain.follow(outsider, &ask), None);
}

#[test]
fn two_who_ask_each_other_both_go_on_alone() {
    let (one, other) = (founding(2, &GUESTS), founding(3, &HOSTS));
    let first = end(&one, vec![charter(2, 1, &GUESTS)], asks(&other), &GUESTS);
    let second = end(&other, vec![charter(3, 1, &HOSTS)], asks(&one), &HOSTS);
    let outsider = signer(60).id();
    for (begin, own, others) in [(&one, &first, &second), (&other, &second, &first)] {
        let mut chain = Chain::new(begin.clone());
        chain.follow(outsider, own).unwrap();
        chain.follow(outsider, others).unwrap();
        assert_eq!(chain.newest().charter().cluster, begin.charter().cluster);
        assert_eq!((chain.newest().number(), chain.doubt()), (1, None));
    }
}

#[test]
fn nobody_asks_itself_or_splits_while_it_asks() {
    let (guest, host) = (founding(2, &GUESTS), founding(3, &HOSTS));
    let next = charter(2, 1, &GUESTS);
    let itself = end(&guest, vec![next.clone()], asks(&guest), &GUESTS);
    let both = vec![next.clone(), charter(4, 0, &[9])];
    let splits = end(&guest, both, asks(&host), &GUESTS);
    let mut unsigned = end(&guest, vec![next], None, &GUESTS);
    unsigned.merge = asks(&host);
    for wrong in [itself, splits, unsigned] {
        assert_eq!(wrong.verify(&guest, &Ed25519Verifier), None);
        assert_eq!(wrong.doubt(&guest), None);
    }
}

/// Its epoch ends with whatever a command says.
#[derive(Clone, Default)]
struct Ends {
    notes: Vec<u8>,
    end: (Vec<Charter>, Option<Merge>),
}

impl Application for Ends {
    fn execute(&mut self, _height: u64, command: &[u8]) -> Vec<u8> {
        match wire::decode(command) {
            Ok(end) => self.end = end,
            Err(_) => self.notes.extend_from_slice(command),
        }
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        wire::encode(&(&self.notes, &self.end))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        (self.notes, self.end) = wire::decode(snapshot).map_err(|_| BadSnapshot)?;
        Ok(())
    }

    fn successors(&self) -> Vec<Charter> {
        self.end.0.clone()
    }

    fn merge(&self) -> Option<Merge> {
        self.end.1.clone()
    }

    fn begin(&mut self, _epoch: &Epoch) {
        self.end = Default::default();
    }
}

/// A peer with its disk.
struct Peer {
    founding: Arc<Epoch>,
    succession: Succession<Ends>,
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, Store>,
    refused: usize,
}

/// Peer 0 is one cluster, peer 1 the other.
struct World {
    peers: Vec<Peer>,
    now: Time,
}

impl World {
    fn new() -> World {
        let peer = |peer: Member| {
            let founding = founding(2 + peer, &[peer]);
            Peer {
                succession: start(peer, &founding, &Stored::default(), Time::ZERO),
                founding,
                links: Vec::new(),
                stores: BTreeMap::new(),
                refused: 0,
            }
        };
        World {
            peers: vec![peer(0), peer(1)],
            now: Time::ZERO,
        }
    }

    fn input(&mut self, peer: usize, input: Input) {
        let mut inputs = VecDeque::from([(peer, input)]);
        while let Some((at, input)) = inputs.pop_front() {
            let peer = &mut self.peers[at];
            peer.succession.handle(self.now, input);
            while let Some(output) = peer.succession.poll() {
                match output {
                    Output::Link(link) => peer.links.push(link),
                    Output::Open(tag, opening) => {
                        peer.stores.entry(tag).or_default().opening = opening;
                    }
                    Output::Record(tag, record) => {
                        peer.stores.entry(tag).or_default().records.push(record);
                    }
                    Output::Rewrite(tag, records) => {
                        peer.stores.entry(tag).or_default().records = records;
                    }
                    Output::Drop(tag) => {
                        peer.stores.remove(&tag);
                    }
                    Output::Check(name, check) => {
                        let verdict = check.run(&Ed25519Verifier);
                        inputs.push_back((at, Input::Checked(name, verdict)));
                    }
                    Output::Send(to, parcel) => {
                        let from = signer(at as Member).id();
                        let places =
                            (0..2).filter(|to_at| to.contains(&signer(*to_at as Member).id()));
                        inputs.extend(places.map(|to| {
                            let parcel = parcel.clone();
                            (to, Input::Parcel { from, parcel })
                        }));
                    }
                    Output::Rejected { why, .. } => {
                        assert_eq!(why, Refusal::EpochOver);
                        peer.refused += 1;
                    }
                    _ => {}
                }
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            (0..2).for_each(|peer| self.input(peer, Input::Wake));
        }
    }

    fn submit(&mut self, peer: usize, commands: Vec<Vec<u8>>) {
        let commands = commands.into_iter().map(Into::into).collect();
        self.input(peer, Input::Submit(commands));
        self.pass(1);
    }

    fn restart(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        let stored = Stored {
            links: peer.links.clone(),
            stores: peer.stores.values().cloned().collect(),
            lost: false,
            ..Stored::default()
        };
        peer.succession = start(at as Member, &peer.founding, &stored, self.now);
        self.pass(1);
    }

    /// The cluster and the epoch that a peer is in, and the notes that it knows.
    fn state(&self, peer: usize) -> (u8, u64, &[u8]) {
        let replica = self.peers[peer].succession.replica().unwrap();
        let charter = replica.epoch().charter();
        let notes = &replica.application().notes;
        (charter.cluster.0[0], charter.number, notes)
    }
}

fn start(peer: Member, founding: &Arc<Epoch>, stored: &Stored, now: Time) -> Succession<Ends> {
    let (epoch, settings) = (founding.clone(), Settings::default());
    Succession::start(epoch, signer(peer), Ends::default(), settings, stored, now).unwrap()
}

/// The guest's cluster asks, with a command left over and one that it gets later.
fn world_in_doubt() -> World {
    let mut world = World::new();
    world.submit(0, vec![b"g".to_vec()]);
    world.submit(1, vec![b"h".to_vec()]);
    let host = world.peers[1].succession.newest().clone();
    let ask = (vec![charter(2, 1, &[0])], asks(&host));
    world.submit(0, vec![wire::encode(&ask), b"left".to_vec()]);
    world.submit(0, vec![b"later".to_vec()]);
    world.pass(60);
    world
}

#[test]
fn who_asks_waits_for_the_host_s_end_and_is_then_in_its_log_alone() {
    let mut world = world_in_doubt();
    for _ in 0..2 {
        let guest = &world.peers[0].succession;
        assert!(guest.chain().doubt().is_some());
        assert!(guest.replica().unwrap().is_over());
        assert_eq!(world.state(0), (2, 0, &b"g"[..]));
        world.restart(0);
    }
    world.submit(0, vec![b"later".to_vec()]);
    let alone = world.peers[0]
        .succession
        .chain()
        .doubt()
        .unwrap()
        .guest
        .id();
    let take = (vec![charter(3, 1, &[1, 0])], Some(Merge::Takes(alone)));
    world.submit(1, vec![wire::encode(&take)]);
    world.pass(60);
    for restarts in 0..3 {
        for peer in 0..2 {
            let what = format!("peer {peer}, {restarts} restarts");
            assert_eq!(world.state(peer), (3, 1, &b"hlater"[..]), "{what}");
            assert!(!world.peers[peer].succession.is_retiring(), "{what}");
        }
        world.restart(restarts % 2);
        world.pass(60);
    }
}

#[test]
fn who_is_not_taken_in_goes_on_with_what_was_left_over() {
    let mut world = world_in_doubt();
    let other = (vec![charter(3, 1, &[1])], None::<Merge>);
    world.submit(1, vec![wire::encode(&other)]);
    world.pass(60);
    for _ in 0..2 {
        assert_eq!(world.state(0), (2, 1, &b"gleftlater"[..]));
        assert_eq!(world.state(1), (3, 1, &b"h"[..]));
        assert!(
            world
                .peers
                .iter()
                .all(|peer| !peer.succession.is_retiring())
        );
        world.restart(0);
    }
    assert_eq!(world.peers[0].refused, 0);
}

#[test]
fn what_a_guest_left_over_is_not_carried_into_the_host() {
    let mut world = world_in_doubt();
    let alone = world.peers[0]
        .succession
        .chain()
        .doubt()
        .unwrap()
        .guest
        .id();
    let take = (vec![charter(3, 1, &[0, 1])], Some(Merge::Takes(alone)));
    world.submit(1, vec![wire::encode(&take)]);
    world.pass(60);
    assert_eq!(world.state(0), (3, 1, &b"hlater"[..]));
    assert_eq!(world.peers[0].refused, 1);
}
