//! One run.

mod drive;
mod settle;

use super::{
    oracle::Oracle,
    plan::{Plan, Wish},
};
use crate::{
    accord::{self, Shelf},
    agenda::Agenda,
    machines::DiskFate,
    torture::{Outcome, Violation, dice::Dice},
};
use hamlet_consensus::beacon::SecretKey;
use hamlet_overlay::{
    agreement::{
        card::Card,
        order::{Motion, Saying},
    },
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{PeerId, SimulatedAuthority},
    io::{Cut, Input},
    peer::{Peer, Setup},
    time::Time,
    view::View,
    wire::Frame,
    work::Compute,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long after stabilisation everybody has to come to the same, in milliseconds.
const PATIENCE: u64 = 60_000;
/// How many peers wait to be added, at most.
const WAITING: usize = 400;
const SEGMENT_MS: u64 = 250;
const SEGMENT_BYTES: usize = 4_000;

enum Happening {
    Frame(PeerId, PeerId, Frame),
    Wake(PeerId),
    Publish,
    Wish(usize),
    Crash(usize),
    Restart(PeerId),
    Stable,
}

pub(super) struct World {
    plan: Plan,
    network: Arc<Network>,
    authority: SimulatedAuthority,
    /// All peers, founders in the order of their clusters, and where those that are none wait.
    ids: Vec<PeerId>,
    waits_at: BTreeMap<PeerId, u64>,
    silent: BTreeSet<PeerId>,
    pub peers: BTreeMap<PeerId, Peer>,
    shelves: BTreeMap<PeerId, Shelf>,
    wants: BTreeSet<(PeerId, PeerId)>,
    agenda: Agenda<Happening>,
    dice: Dice,
    now: u64,
    well: bool,
    pub oracle: Oracle,
    events: u64,
    messages: u64,
    /// Bytes of agreement that each peer sent.
    pub control: BTreeMap<PeerId, u64>,
    /// When newcomers were wanted by all operators, began an epoch as members, and first relayed a shard.
    pub arrivals: BTreeMap<PeerId, Arrival>,
}

/// How a newcomer arrived, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    pub wanted: u64,
    pub began: Option<u64>,
    pub relays: Option<u64>,
}

/// Carries out a plan.
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    world.live();
    if world.oracle.broken.is_none() {
        world.settle();
    }
    Outcome {
        violation: world.oracle.broken,
        commands: world.oracle.commands,
        events: world.events,
        messages: world.messages,
        micros: world.now,
    }
}

fn id(number: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    PeerId(id)
}

impl World {
    pub fn new(plan: Plan) -> World {
        let founders = usize::from(plan.clusters) * usize::from(plan.size);
        let authority = SimulatedAuthority::new([plan.seed as u8; 32]);
        let genesis = Genesis {
            admission: Default::default(),
            name: "torture".into(),
            parameters: Parameters {
                // Whoever is found to withhold is put out, down to so many.
                g_min: 2,
                g_max: plan.size,
                n: plan.slots.0,
                k: plan.slots.1,
                h: 2,
                epoch_ms: plan.epoch_ms,
                // Reports are made, and nobody is silent for so long.
                silence_ms: Some(600_000),
                fault_model: plan.model,
                ..Parameters::for_peers(founders)
            },
            seed: Hash([plan.seed as u8; 32]),
            founders: (0..founders)
                .map(|number| Founder {
                    id: id(number),
                    addresses: Vec::new(),
                })
                .collect(),
            publishers: vec![Publisher {
                stream: id(0),
                max_bits_per_s: 1_000_000,
            }],
        };
        // The parameters above suit each other.
        let network = match genesis.found() {
            Ok(network) => Arc::new(network),
            Err(error) => unreachable!("{error}"),
        };
        let clusters = network.clusters().iter();
        let ids: Vec<PeerId> = clusters
            .flat_map(|cluster| cluster.members().to_vec())
            .collect();
        let silent = network.clusters().iter().flat_map(|cluster| {
            let members = cluster.members().iter().filter(|member| **member != id(0));
            members
                .copied()
                .take(plan.silent.into())
                .collect::<Vec<_>>()
        });
        let mut world = World {
            silent: silent.collect(),
            dice: Dice::new(plan.seed, 1),
            network,
            authority,
            ids,
            waits_at: BTreeMap::new(),
            peers: BTreeMap::new(),
            shelves: BTreeMap::new(),
            wants: BTreeSet::new(),
            agenda: Agenda::default(),
            now: 0,
            well: false,
            oracle: Oracle::default(),
            events: 0,
            messages: 0,
            control: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            plan,
        };
        for founder in world.ids.clone() {
            world.start(founder);
        }
        world.agenda.enter(1_000_000, Happening::Publish);
        for number in 0..world.plan.wishes.len() {
            world
                .agenda
                .enter(world.plan.wishes[number].0 * 1000, Happening::Wish(number));
        }
        for number in 0..world.plan.crashes.len() {
            world.agenda.enter(
                world.plan.crashes[number].0 * 1000,
                Happening::Crash(number),
            );
        }
        world
            .agenda
            .enter(world.plan.stable_at * 1000, Happening::Stable);
        world
    }

    fn time(&self) -> Time {
        Time::from_micros(self.now)
    }

    fn start(&mut self, peer: PeerId) {
        if self.silent.contains(&peer) || self.peers.contains_key(&peer) {
            return;
        }
        let home = self.shelves.entry(peer).or_default().home();
        let view = match home.or(self.waits_at.get(&peer).copied()) {
            Some(cluster) => View::outside(&self.network, cluster),
            None => View::founding(&self.network, peer),
        };
        let Some(view) = view else { return };
        let setup = Setup {
            view,
            signer: Box::new(self.authority.signer(peer)),
            verifier: Arc::new(self.authority.clone()),
            work: Arc::new(Compute),
            // A source that crashed goes on above all that it may have used.
            publish_from: self.now / 1000,
        };
        let mut state = Peer::new(self.time(), setup);
        let beacon = self.beacon(peer);
        let start = accord::start(self.shelves.entry(peer).or_default(), beacon, None);
        if let Err(error) = state.agree(&start) {
            self.oracle
                .blame(Violation::Recovery(format!("{peer:?}: {error}")));
            return;
        }
        self.peers.insert(peer, state);
        self.oracle.restarted(peer);
        self.input(peer, Input::Subscribe(0));
        for other in self.peers.keys().copied().collect::<Vec<_>>() {
            self.connect(peer, other);
        }
    }

    fn beacon(&self, peer: PeerId) -> SecretKey {
        SecretKey::derive(&peer.0, self.network.id())
    }

    fn connect(&mut self, a: PeerId, b: PeerId) {
        let both = self.wants.contains(&(a, b)) && self.wants.contains(&(b, a));
        if a != b && both && self.peers.contains_key(&a) && self.peers.contains_key(&b) {
            self.input(a, Input::Connected(b));
            self.input(b, Input::Connected(a));
        }
    }

    /// Lives until everybody had the time to come to the same.
    fn live(&mut self) {
        self.live_until((self.plan.stable_at + PATIENCE) * 1000);
    }

    /// Lives until a time, in microseconds, or until a promise is broken.
    pub fn live_until(&mut self, end: u64) {
        while self.agenda.next_at().is_some_and(|at| at <= end) && self.oracle.broken.is_none() {
            let Some((at, happening)) = self.agenda.take() else {
                break;
            };
            self.now = at;
            self.events += 1;
            match happening {
                Happening::Frame(from, to, frame) => self.input(to, Input::Frame { from, frame }),
                Happening::Wake(peer) => self.input(peer, Input::Wake),
                Happening::Publish => {
                    let cut = Cut {
                        payload: vec![(at >> 18) as u8; SEGMENT_BYTES].into(),
                        random_access: true,
                        cut_unix_ms: 0,
                    };
                    self.input(id(0), Input::Publish(cut));
                    self.agenda
                        .enter(at + SEGMENT_MS * 1000, Happening::Publish);
                }
                Happening::Wish(number) => self.wish(number),
                Happening::Crash(number) => self.crash(number),
                Happening::Restart(peer) => self.start(peer),
                Happening::Stable => {
                    self.well = true;
                    for peer in self.ids.clone() {
                        self.start(peer);
                    }
                }
            }
        }
    }

    fn crash(&mut self, number: usize) {
        let (_, who, away, fate) = self.plan.crashes[number];
        let peer = self.ids[usize::from(who)];
        // A source whose disk is lost does not know which segments it signed; that is another story.
        let fate = if peer == id(0) { DiskFate::Torn } else { fate };
        if self.peers.remove(&peer).is_none() {
            return;
        }
        self.wants.retain(|(from, _)| *from != peer);
        if let Some(shelf) = self.shelves.get_mut(&peer) {
            shelf.crash(fate, &mut self.dice);
        }
        for other in self.peers.keys().copied().collect::<Vec<_>>() {
            self.input(other, Input::Disconnected(peer));
        }
        self.agenda
            .enter(self.now + away * 1000, Happening::Restart(peer));
    }

    /// The operators of all members of a cluster want something.
    fn wish(&mut self, number: usize) {
        let (_, cluster, wish) = self.plan.wishes[number];
        let members = self.members(cluster.into());
        let honest = members.iter().filter(|peer| !self.silent.contains(peer));
        let honest: Vec<PeerId> = honest.copied().collect();
        let mut motions = Vec::new();
        // Whoever leaves must leave enough that are not silent.
        let spare = honest.len() > 3 * usize::from(self.plan.silent) + 3;
        if wish != Wish::Add && spare {
            let others: Vec<PeerId> = honest
                .iter()
                .copied()
                .filter(|peer| *peer != id(0))
                .collect();
            motions.extend(self.dice.pick(&others).map(Motion::Remove));
        }
        if wish != Wish::Remove
            && self.waits_at.len() < WAITING
            && members.len() < self.plan.members_max.into()
        {
            let newcomer = id(1_000 + self.waits_at.len());
            self.waits_at.insert(newcomer, cluster.into());
            self.ids.push(newcomer);
            self.start(newcomer);
            let wanted = self.now;
            self.arrivals.insert(
                newcomer,
                Arrival {
                    wanted,
                    ..Arrival::default()
                },
            );
            let signer = self.authority.signer(newcomer);
            let card = Card::sign(
                self.network.id(),
                &signer,
                &self.beacon(newcomer),
                vec!["somewhere".into()],
                1,
            );
            motions.push(Motion::Add(Box::new(card)));
        }
        // So many that one of them is honest.
        let needed = self.plan.model.kind().faults(members.len()) + 1;
        for peer in honest.into_iter().take(needed) {
            for motion in &motions {
                let saying = Saying::Wants(motion.clone());
                if let Some(order) = self.peers.get(&peer).and_then(|peer| peer.say(saying)) {
                    self.input(peer, Input::Propose(order));
                }
            }
        }
    }

    /// The members of a cluster, by the newest epoch that anybody knows.
    fn members(&self, cluster: u64) -> Vec<PeerId> {
        let known = self.peers.values().map(|peer| peer.view().newest().clone());
        let own = known.filter(|epoch| epoch.own.id == cluster);
        let newest = own.max_by_key(|epoch| epoch.own.epoch);
        newest.map_or(Vec::new(), |epoch| epoch.own.members().to_vec())
    }

    /// The newest epoch of a cluster that anybody knows.
    pub fn epoch_of(&self, cluster: u64) -> u64 {
        let known = self.peers.values().map(|peer| &peer.view().newest().own);
        let epochs = known.filter(|own| own.id == cluster).map(|own| own.epoch);
        epochs.max().unwrap_or(0)
    }
}
