//! A small world of whole peers that agree: real keys, links with delays, a disk for each, and a stream.

#![allow(dead_code)]

use bytes::Bytes;
use hamlet_consensus::{
    Epoch, Settings,
    beacon::SecretKey,
    succession::{Store, Stored, Tag},
};
use hamlet_overlay::{
    agreement::{
        Agreed, Papers, Start, Step,
        card::Card,
        entry::{Act, Entry},
        order::{Motion, Nonce, Saying},
    },
    evidence::Evidence,
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer},
    io::{Class, Cut, Event, Input, Output},
    membership::admission::{Admission, Credential},
    peer::{Peer, Setup},
    time::{Duration, Time},
    view::{SegmentNumber, View},
    wire::Frame,
    work::Compute,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a peer has on disk. What it lost, and the number that it chose then.
#[derive(Clone, Default)]
pub struct Disk {
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, Store>,
    lost: Option<Nonce>,
    /// The number that was chosen when something was lost last.
    forgot: Option<Nonce>,
    /// Evidence that was kept.
    pub evidence: Vec<Evidence>,
    /// The cluster where the peer has its place, if that is another one than at first, and those that it left.
    home: Option<u64>,
    left: BTreeMap<u64, u64>,
}

/// What wall clocks show when the town begins.
const BORN_UNIX_MS: u64 = 1_700_000_000_000;

enum Happening {
    Frame(PeerId, PeerId, Frame),
    Wake(PeerId),
    Publish,
}

/// The world.
pub struct Town {
    pub now: Time,
    pub network: Arc<Network>,
    secrets: BTreeMap<PeerId, [u8; 32]>,
    /// Where newcomers wait to be taken in.
    waits_at: BTreeMap<PeerId, u64>,
    pub peers: BTreeMap<PeerId, Peer>,
    pub disks: BTreeMap<PeerId, Disk>,
    pub agreed: BTreeMap<PeerId, Vec<Agreed>>,
    /// The segments that each peer played.
    pub played: BTreeMap<PeerId, Vec<SegmentNumber>>,
    wants: BTreeSet<(PeerId, PeerId)>,
    queue: BTreeMap<(Time, u64), Happening>,
    entered: u64,
    /// Frames between these are lost.
    pub cut: BTreeSet<(PeerId, PeerId)>,
    /// Who gives nothing of a stream to whom.
    pub withheld: BTreeSet<(PeerId, PeerId)>,
    publishing: bool,
}

impl Town {
    /// `clusters` clusters of `size` founders; the first founder publishes.
    pub fn new(clusters: u8, size: u8, change: impl FnOnce(&mut Parameters)) -> Town {
        Town::found(clusters, size, Admission::Closed, change)
    }

    /// The same, and who is admitted may join.
    pub fn found(
        clusters: u8,
        size: u8,
        admission: Admission,
        change: impl FnOnce(&mut Parameters),
    ) -> Town {
        let numbers = 1..=clusters * size;
        let secrets: BTreeMap<PeerId, [u8; 32]> = numbers
            .map(|number| (Ed25519Signer::from_secret(&[number; 32]).id(), [number; 32]))
            .collect();
        let founders = secrets.keys().map(|&id| Founder {
            id,
            addresses: Vec::new(),
        });
        let mut parameters = Parameters {
            g_min: size,
            g_max: size,
            ..Parameters::for_peers(usize::from(size) * 4)
        };
        change(&mut parameters);
        let stream = *secrets.keys().next().unwrap();
        let genesis = Genesis {
            admission,
            name: "test".into(),
            parameters,
            seed: Hash([5; 32]),
            founders: founders.collect(),
            publishers: vec![Publisher {
                stream,
                max_bits_per_s: 2_000_000,
            }],
        };
        let mut town = Town {
            now: Time::ZERO,
            network: Arc::new(genesis.found().unwrap()),
            secrets,
            waits_at: BTreeMap::new(),
            peers: BTreeMap::new(),
            disks: BTreeMap::new(),
            agreed: BTreeMap::new(),
            played: BTreeMap::new(),
            wants: BTreeSet::new(),
            queue: BTreeMap::new(),
            entered: 0,
            cut: BTreeSet::new(),
            withheld: BTreeSet::new(),
            publishing: false,
        };
        for id in town.founders() {
            town.start(id);
        }
        town
    }

    pub fn founders(&self) -> Vec<PeerId> {
        let founders = self.network.genesis().founders.iter();
        founders.map(|founder| founder.id).collect()
    }

    /// The founders of a cluster.
    pub fn cluster(&self, number: usize) -> Vec<PeerId> {
        self.network.clusters()[number].members().to_vec()
    }

    /// A peer that is no founder and waits to be taken into this cluster.
    pub fn newcomer(&mut self, number: u8, cluster: u64) -> PeerId {
        let id = Ed25519Signer::from_secret(&[number; 32]).id();
        self.secrets.insert(id, [number; 32]);
        self.waits_at.insert(id, cluster);
        self.start(id);
        id
    }

    pub fn card(&self, id: PeerId) -> Card {
        let signer = Ed25519Signer::from_secret(&self.secrets[&id]);
        let addresses = vec!["somewhere".into()];
        Card::sign(self.network.id(), &signer, &self.beacon(id), addresses, 7)
    }

    /// The town's only source.
    pub fn source(&self) -> PeerId {
        self.network.genesis().publishers[0].stream
    }

    pub fn signer(&self, id: PeerId) -> Ed25519Signer {
        Ed25519Signer::from_secret(&self.secrets[&id])
    }

    pub fn disk_of(&mut self, id: PeerId) -> &mut Disk {
        self.disks.entry(id).or_default()
    }

    /// A peer in another cluster with whom this one has a link.
    pub fn neighbour_of(&self, id: PeerId) -> PeerId {
        self.linked(id, false)
    }

    /// A fellow member.
    pub fn fellow_of(&self, id: PeerId) -> PeerId {
        self.linked(id, true)
    }

    fn linked(&self, id: PeerId, fellow: bool) -> PeerId {
        let members = self.peers[&id].state().unwrap().members().to_vec();
        let wanted = self.wants.iter().filter(|(from, _)| *from == id);
        let both = wanted.filter(|(from, to)| self.wants.contains(&(*to, *from)));
        let mut others = both.map(|(_, to)| *to);
        (others.find(|to| members.contains(to) == fellow)).unwrap()
    }

    /// The epoch in which a member takes part.
    pub fn epoch_of(&self, id: PeerId) -> Epoch {
        let state = self.peers[&id].state().unwrap();
        assert_eq!(state.epoch(), 0, "of the founding");
        let cluster = self.peers[&id].standing().unwrap().cluster;
        let neighbours = self.peers.values().filter_map(|peer| peer.state());
        let around = neighbours.flat_map(|state| state.neighbours());
        let mut known = around.filter(|neighbour| neighbour.cluster() == cluster);
        known
            .find_map(|known| known.epoch(self.network.id()))
            .unwrap()
    }

    fn beacon(&self, id: PeerId) -> SecretKey {
        SecretKey::derive(&self.secrets[&id], self.network.id())
    }

    /// Starts a peer with what is on its disk.
    pub fn start(&mut self, id: PeerId) {
        let disk = self.disks.entry(id).or_default();
        let home = disk.home.or(self.waits_at.get(&id).copied());
        let view = match home {
            Some(cluster) => View::outside(&self.network, cluster),
            None => View::founding(&self.network, id),
        };
        let setup = Setup {
            view: view.unwrap(),
            signer: Box::new(Ed25519Signer::from_secret(&self.secrets[&id])),
            verifier: Arc::new(Ed25519Verifier),
            work: Arc::new(Compute),
            publish_from: 0,
        };
        let mut peer = Peer::new(self.now, setup);
        let beacon = self.beacon(id);
        let papers = Papers {
            card: self.card(id),
            credential: Credential::Key,
        };
        let open = self.network.genesis().admission != Admission::Closed;
        let disk = self.disks.entry(id).or_default();
        let start = Start {
            beacon,
            settings: Settings::default(),
            stored: Stored {
                links: disk.links.clone(),
                stores: disk.stores.values().cloned().collect(),
                // Who has moved has not founded the cluster where it is.
                lost: disk.lost.is_some() || disk.home.is_some() && disk.stores.is_empty(),
                ..Stored::default()
            },
            unix_ms: BORN_UNIX_MS,
            papers: open.then_some(papers),
            left: disk.left.clone(),
            nonce: disk.lost.or(disk.forgot).unwrap_or_default(),
            forgetful: disk.forgot.is_some(),
        };
        peer.agree(&start).unwrap();
        for evidence in &disk.evidence {
            let evidence = Box::new(evidence.clone());
            let age = Duration::ZERO;
            peer.handle(self.now, Input::Evidence { evidence, age });
        }
        self.peers.insert(id, peer);
        self.drain(id);
        self.enter(self.now, Happening::Wake(id));
        for other in self.peers.keys().copied().collect::<Vec<_>>() {
            self.connect(id, other);
        }
    }

    /// Kills a peer; its disk stays.
    pub fn kill(&mut self, id: PeerId) {
        self.peers.remove(&id);
        self.wants.retain(|(from, _)| *from != id);
        for other in self.peers.keys().copied().collect::<Vec<_>>() {
            self.input(other, Input::Disconnected(id));
        }
    }

    /// Takes a killed peer's disk away.
    pub fn lose_disk(&mut self, id: PeerId) {
        let mut nonce = [3; 16];
        nonce[..8].copy_from_slice(&self.entered.to_le_bytes());
        let lost = Disk {
            lost: Some(nonce),
            forgot: Some(nonce),
            ..Disk::default()
        };
        self.disks.insert(id, lost);
    }

    fn enter(&mut self, at: Time, happening: Happening) {
        self.entered += 1;
        self.queue.insert((at, self.entered), happening);
    }

    /// Connects two peers, if both are there and want it; one that is not wanted yet is a visitor.
    fn connect(&mut self, a: PeerId, b: PeerId) {
        if a == b || !self.peers.contains_key(&a) || !self.peers.contains_key(&b) {
            return;
        }
        match (self.wants.contains(&(a, b)), self.wants.contains(&(b, a))) {
            (true, true) => {
                self.input(a, Input::Connected(b));
                self.input(b, Input::Connected(a));
            }
            (true, false) => self.input(b, Input::Visitor(a)),
            (false, true) => self.input(a, Input::Visitor(b)),
            (false, false) => {}
        }
    }

    pub fn input(&mut self, id: PeerId, input: Input) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.handle(self.now, input);
            self.drain(id);
        }
    }

    fn drain(&mut self, id: PeerId) {
        let mut checks = Vec::new();
        let mut connect = Vec::new();
        let mut released = Vec::new();
        while let Some(output) = self.peers.get_mut(&id).and_then(Peer::poll) {
            match output {
                Output::Agreement(Step::Check(name, check)) => checks.push((name, check)),
                Output::Agreement(Step::Send { to, frame, .. }) => self.post(id, &to, &frame),
                Output::Send {
                    mut to,
                    frame,
                    class,
                    ..
                } => {
                    if !matches!(class, Class::Control | Class::Notice) {
                        to.retain(|to| !self.withheld.contains(&(id, *to)));
                    }
                    self.post(id, &to, &frame);
                }
                Output::Agreement(step) => self.disks.entry(id).or_default().carry_out(step),
                Output::Event(Event::Agreed(agreed)) => {
                    self.agreed.entry(id).or_default().push(agreed);
                }
                Output::Connect(other) => {
                    self.wants.insert((id, other));
                    connect.push(other);
                }
                Output::Release(other) => {
                    self.wants.remove(&(id, other));
                    released.push(other);
                }
                Output::WakeAt(at) if at < Time::NEVER => {
                    self.enter(at.max(self.now), Happening::Wake(id));
                }
                Output::Deliver(segment) => {
                    self.played.entry(id).or_default().push(segment.number);
                }
                Output::WakeAt(_) | Output::Card(_) | Output::Event(_) => {}
            }
        }
        for other in connect {
            self.connect(id, other);
        }
        for other in released {
            self.input(other, Input::Disconnected(id));
        }
        for (name, check) in checks {
            self.input(id, Input::Checked(name, check.run(&Ed25519Verifier)));
        }
    }

    fn post(&mut self, from: PeerId, to: &[PeerId], frame: &Frame) {
        let joined: Bytes = [&frame.head[..], &frame.body[..]].concat().into();
        for &to in to {
            let linked = self.wants.contains(&(from, to)) && self.wants.contains(&(to, from));
            if linked && !self.cut.contains(&(from, to)) {
                let delay = 5 + u64::from(from.0[0] ^ to.0[0]) % 30;
                let at = self.now + Duration::from_millis(delay);
                self.enter(
                    at,
                    Happening::Frame(from, to, Frame::received(joined.clone())),
                );
            }
        }
    }

    /// Publishes a segment four times a second from now on.
    pub fn publish(&mut self) {
        self.publishing = true;
        self.enter(self.now, Happening::Publish);
    }

    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(entry) = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= end)
        {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            match happening {
                Happening::Frame(from, to, frame) => self.input(to, Input::Frame { from, frame }),
                Happening::Wake(id) => self.input(id, Input::Wake),
                Happening::Publish if self.publishing => {
                    let source = self.network.genesis().publishers[0].stream;
                    let number = (at.since(Time::ZERO).as_millis() / 250) as u8;
                    let cut = Cut {
                        payload: vec![number; 20_000].into(),
                        random_access: true,
                        cut_unix_ms: 0,
                    };
                    self.input(source, Input::Publish(cut));
                    self.enter(at + Duration::from_millis(250), Happening::Publish);
                }
                Happening::Publish => {}
            }
        }
        self.now = end;
    }

    /// The machine that all run on stands still for a while.
    pub fn pause(&mut self, duration: Duration) {
        self.now += duration;
        let queue = std::mem::take(&mut self.queue).into_iter();
        let later = queue.map(|((at, entered), happening)| ((at + duration, entered), happening));
        self.queue = later.collect();
    }

    /// A peer says something to its cluster.
    pub fn say(&mut self, id: PeerId, saying: Saying) {
        let order = self.peers[&id].say(saying).unwrap();
        self.input(id, Input::Propose(order));
    }

    pub fn note(&mut self, id: PeerId, text: &str) {
        let saying = Saying::Note {
            text: text.into(),
            written_unix_ms: 7,
        };
        self.say(id, saying);
    }

    /// These members' operators want a motion.
    pub fn want(&mut self, members: &[PeerId], motion: &Motion) {
        for &member in members {
            self.say(member, Saying::Wants(motion.clone()));
        }
    }

    /// The log as a member knows it.
    pub fn log(&self, id: PeerId) -> Vec<Entry> {
        let state = self.peers[&id].state();
        state.map_or(Vec::new(), |state| state.entries().cloned().collect())
    }

    /// The notes in the log as a member knows it.
    pub fn notes(&self, id: PeerId) -> Vec<String> {
        let notes = self
            .log(id)
            .into_iter()
            .filter_map(|entry| match entry.act {
                Act::Note { text, .. } => Some(text),
                _ => None,
            });
        notes.collect()
    }
}

impl Disk {
    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Settle { cluster, left } => {
                *self = Disk {
                    home: Some(cluster),
                    left,
                    forgot: self.forgot,
                    evidence: std::mem::take(&mut self.evidence),
                    ..Disk::default()
                };
            }
            Step::Part { cluster, left } => {
                self.home = Some(cluster);
                self.left = left;
            }
            Step::Link(link) => self.links.push(link),
            Step::Open(name, opening) => {
                self.lost = None;
                let store = Store {
                    opening,
                    records: Vec::new(),
                };
                self.stores.insert(name, store);
            }
            Step::Record(name, record) => self.stores.entry(name).or_default().records.push(record),
            Step::Rewrite(name, records) => self.stores.entry(name).or_default().records = records,
            Step::Drop(name) => {
                self.stores.remove(&name);
            }
            Step::Keep(evidence) => self.evidence.push((*evidence).clone()),
            Step::Sync(_) | Step::Send { .. } | Step::Check(..) => {}
        }
    }
}
