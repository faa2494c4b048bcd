//! Gossip learning in a world of whole peers: models travel over the overlay's own links, inside clusters
//! and along the cycles, while clusters change.
//!
//! Each member is the overlay's [`Peer`], which says whom it wants links with, and a
//! [`GossipPeer`] that learns over the links that are up. Clusters are random samples of the peers, so a
//! local model is that of a changing sample here; what the world shows is that learning of both slots
//! outlives every change of clusters.

mod founding;
mod progress;
#[cfg(test)]
mod tests;

use crate::{
    directory::Directory,
    links::{Ends, Fate, Lines},
    membership::Membership,
    random::{Purpose, Randomness},
    settings::{LinkSettings, SettingsError},
    targets::Cast,
    wrong::Wrong,
};
use hamlet_gossip_learning::{
    Dataset, Partition, Rows, Task,
    peer::{GossipPeer, Message, Terms},
};
use hamlet_overlay::{
    genesis::Parameters,
    identity::{PeerId, SimulatedAuthority},
    io::{Input, Output},
    peer::{Peer, Setup},
    time::Time,
    view::View,
    wire::{self, Frame},
    work::Compute,
};
pub use progress::Progress;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a world of learning peers is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The number from which all randomness is derived.
    pub seed: u64,
    /// The parameters of the peers' network.
    pub parameters: Parameters,
    /// What links are like.
    pub links: LinkSettings,
    /// How often a peer sends its models.
    pub round: Duration,
    /// How long an epoch lasts.
    pub epoch: Duration,
    /// The share of the peers that change clusters with each epoch.
    pub moving: f64,
    /// What the peers agree on about learning.
    pub terms: Terms,
}

/// Nobody stops and starts again here.
const LIFE: u32 = 1;

/// One peer: its part of the overlay, the links that it has, and what learns over them.
struct Member {
    overlay: Peer,
    ends: Ends,
    learner: GossipPeer,
}

enum Event {
    Wake {
        peer: usize,
    },
    Connect {
        a: usize,
        b: usize,
    },
    Frame {
        from: usize,
        to: usize,
        frame: Frame,
    },
    Model {
        from: usize,
        to: usize,
        frame: Frame,
    },
    Round {
        peer: usize,
    },
    Epoch,
}

/// A deterministic world of peers that learn.
pub struct Learning {
    settings: Settings,
    directory: Directory,
    membership: Membership,
    members: Vec<Member>,
    lines: Lines,
    /// By time, and by the order of entry.
    calendar: BTreeMap<(Time, u64), Event>,
    entered: u64,
    now: Time,
    test: Rows,
    task: Task,
    /// Of the epoch that lasts: models from the own cluster, from others, and messages refused.
    counts: [u64; 3],
    moved: usize,
    ended: Vec<Progress>,
}

impl Learning {
    /// The world at time zero. Each peer of `partition` has its rows of `data`.
    ///
    /// # Errors
    /// When no network of so many peers can be founded.
    pub fn new(
        settings: Settings,
        data: Dataset,
        partition: &Partition,
    ) -> Result<Learning, SettingsError> {
        let seed = settings.seed;
        let peers = partition.peers();
        if peers < 2 {
            return Err(SettingsError::TooFewPeers);
        }
        check(&settings.links, peers)?;
        // Nothing is published here, and no fault aims at anybody.
        let cast = Cast {
            seed,
            sources: vec![0],
            clusters: vec![0; peers],
        };
        let authority = Randomness::new(seed, Purpose::Authority).bytes(0);
        let authority = SimulatedAuthority::new(authority);
        let names = Randomness::new(seed, Purpose::Key);
        let mut ids: Vec<PeerId> = (0..peers as u64)
            .map(|peer| PeerId(names.bytes(peer)))
            .collect();
        ids.sort_unstable();
        let network = founding::found(seed, settings.parameters, &ids)?;
        let own_seeds = Randomness::new(seed, Purpose::Peer);
        let mut members = Vec::with_capacity(peers);
        for (place, &id) in ids.iter().enumerate() {
            let view = View::founding(&network, id).ok_or(SettingsError::Founder)?;
            let setup = Setup {
                view,
                signer: Box::new(authority.signer(id)),
                verifier: Arc::new(authority.clone()),
                work: Arc::new(Compute),
                publish_from: 0,
            };
            let mut rows = Rows::dense(data.train.features());
            for &row in partition.rows(place) {
                let row = row as usize;
                rows.push(data.train.row(row), data.train.label(row));
            }
            let own_seed = own_seeds.at([place as u64]);
            members.push(Member {
                overlay: Peer::new(Time::ZERO, setup),
                ends: Ends::new(place as u32),
                learner: GossipPeer::new(settings.terms.clone(), rows, own_seed),
            });
        }
        let mut world = Learning {
            lines: Lines::new(&cast, &settings.links),
            membership: Membership::new(&network, seed),
            directory: Directory::new(ids),
            members,
            calendar: BTreeMap::new(),
            entered: 0,
            now: Time::ZERO,
            test: data.test,
            task: data.task,
            counts: [0; 3],
            moved: 0,
            ended: Vec::new(),
            settings,
        };
        let round = world.settings.round.as_micros() as u64;
        for peer in 0..peers {
            world.follow(peer);
            // Peers are not in step.
            let phase = Duration::from_micros(round * peer as u64 / peers as u64);
            let first = Time::ZERO + world.settings.round + phase;
            world.enter(first, Event::Round { peer });
        }
        let first = Time::ZERO + world.settings.epoch;
        world.enter(first, Event::Epoch);
        Ok(world)
    }

    /// Goes on until the epoch that lasts has ended, and says what it came to.
    pub fn run_epoch(&mut self) -> Progress {
        let wanted = self.ended.len() + 1;
        loop {
            if let Some(((now, _), event)) = self.calendar.pop_first() {
                self.now = self.now.max(now);
                self.happen(event);
            }
            // The next epoch is always in the calendar, so this ends.
            if let Some(progress) = self.ended.get(wanted - 1) {
                return *progress;
            }
        }
    }

    fn enter(&mut self, at: Time, event: Event) {
        self.calendar.insert((at, self.entered), event);
        self.entered += 1;
    }

    fn is_up(&self, one: usize, other: usize) -> bool {
        self.members[one].ends.is_up(other as u32)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { peer } => self.give(peer, Input::Wake),
            Event::Connect { a, b } => {
                let came_up = self.members[a].ends.come_up(b as u32, LIFE, self.now);
                if self.members[b].ends.come_up(a as u32, LIFE, self.now) && came_up {
                    let [id_a, id_b] = [a, b].map(|peer| self.directory.id(peer));
                    self.give(a, Input::Connected(id_b));
                    self.give(b, Input::Connected(id_a));
                    self.relink(a);
                    self.relink(b);
                }
            }
            Event::Frame { from, to, frame } if self.is_up(to, from) => {
                let from = self.directory.id(from);
                self.give(to, Input::Frame { from, frame });
            }
            Event::Model { from, to, frame } if self.is_up(to, from) => {
                self.arrive(from, to, &frame);
            }
            // The link went down while the message was under way.
            Event::Frame { .. } | Event::Model { .. } => {}
            Event::Round { peer } => {
                self.members[peer].learner.round();
                self.post(peer);
                let next = self.now + self.settings.round;
                self.enter(next, Event::Round { peer });
            }
            Event::Epoch => self.change(),
        }
    }

    fn arrive(&mut self, from: usize, to: usize, frame: &Frame) {
        let Ok((message, _)) = wire::decode::<Message>(frame) else {
            self.counts[2] += 1;
            return;
        };
        let is_model = matches!(message, Message::Model { .. });
        let received = self.members[to].learner.receive(from as u64, message);
        if received.is_err() {
            self.counts[2] += 1;
        } else if is_model {
            let along = !self.membership.are_fellows(from, to);
            self.counts[usize::from(along)] += 1;
        }
        self.post(to);
    }

    /// Ends an epoch: some peers change clusters, and all that they touch learn of it.
    fn change(&mut self) {
        let progress = self.progress();
        self.ended.push(progress);
        self.counts = [0; 3];
        self.moved = self
            .membership
            .change(self.settings.moving, &self.directory);
        for peer in 0..self.members.len() {
            let epoch = self.membership.epoch_of(peer, BTreeMap::new());
            self.members[peer].overlay.begin_epoch(self.now, epoch);
            self.follow(peer);
        }
        let next = self.now + self.settings.epoch;
        self.enter(next, Event::Epoch);
    }

    /// Gives the overlay's peer an input and does what it wants done.
    fn give(&mut self, peer: usize, input: Input) {
        self.members[peer].overlay.handle(self.now, input);
        self.follow(peer);
    }

    /// Does what the overlay's peer wants done.
    fn follow(&mut self, peer: usize) {
        while let Some(output) = self.members[peer].overlay.poll() {
            match output {
                Output::Connect(other) => {
                    if let Some(other) = self.directory.index(other) {
                        let (mine, theirs) = (peer as u32, other as u32);
                        self.members[peer].ends.want(&self.lines, theirs, self.now);
                        let ends = &mut self.members[other].ends;
                        if ends.offered(&self.lines, mine, LIFE, self.now).taken {
                            let at = self.now + self.lines.latency(mine, theirs);
                            self.enter(at, Event::Connect { a: peer, b: other });
                        }
                    }
                }
                Output::Release(other) => {
                    if let Some(other) = self.directory.index(other)
                        && self.members[peer].ends.release(other as u32)
                        && self.members[other].ends.gone(peer as u32, LIFE)
                    {
                        let id = self.directory.id(peer);
                        self.give(other, Input::Disconnected(id));
                        self.relink(other);
                        self.relink(peer);
                    }
                }
                Output::Send { to, frame, .. } => {
                    for id in to {
                        if let Some(to) = self.directory.index(id) {
                            let frame = frame.clone();
                            self.launch(peer, to, |from| Event::Frame { from, to, frame });
                        }
                    }
                }
                Output::WakeAt(time) if time != Time::NEVER => {
                    self.enter(time.max(self.now), Event::Wake { peer });
                }
                Output::WakeAt(_)
                | Output::Deliver(_)
                | Output::Agreement(_)
                | Output::Card(_)
                | Output::Event(_) => {}
            }
        }
    }

    /// Tells what learns at a peer which links are up now.
    fn relink(&mut self, peer: usize) {
        let up: Vec<u64> = self.members[peer].ends.connected().map(u64::from).collect();
        self.members[peer].learner.link(up);
        self.post(peer);
    }

    /// Sends what a peer's learner wants sent.
    fn post(&mut self, peer: usize) {
        while let Some((to, message)) = self.members[peer].learner.poll() {
            let to = to as usize;
            let frame = Frame::received(wire::encode(&message).into());
            self.launch(peer, to, |from| Event::Model { from, to, frame });
        }
    }

    fn launch(&mut self, from: usize, to: usize, event: impl FnOnce(usize) -> Event) {
        if let Fate::Arrives(after) = self.members[from]
            .ends
            .send(&self.lines, to as u32, self.now)
        {
            self.enter(self.now + after, event(from));
        }
    }
}

/// Refuses links that make no sense, and what this world does not obey.
fn check(links: &LinkSettings, peers: usize) -> Result<(), Wrong> {
    links.check("links", peers)?;
    let usual = LinkSettings {
        latency: links.latency.clone(),
        jitter_ms: links.jitter_ms,
        loss: links.loss,
        silence_s: links.silence_s,
        ..LinkSettings::default()
    };
    match *links == usual {
        true => Ok(()),
        false => Err(Wrong::new(
            "links",
            "learning peers know latency, jitter and loss only: leave out rates and faults",
        )),
    }
}
