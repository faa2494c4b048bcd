//! A small network of peers in one place: frames arrive after a fixed time, in order.

#![allow(dead_code)]

use bytes::Bytes;
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{PeerId, SimulatedAuthority},
    io::{Class, Cut, Event, Input, Output, Segment},
    peer::{Peer, Setup},
    time::{Duration, Time},
    view::{Change, Cluster, Epoch, Next, View},
    wire::Frame,
    work::Compute,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is decided about a frame on its way: whether it arrives.
pub type Filter = Box<dyn FnMut(usize, usize, Class, &Frame) -> bool>;

pub struct World {
    pub now: Time,
    pub ids: Vec<PeerId>,
    pub peers: Vec<Option<Peer>>,
    pub network: Network,
    pub authority: SimulatedAuthority,
    pub delivered: Vec<Vec<Segment>>,
    pub events: Vec<(Time, usize, Event)>,
    pub sent_bytes: Vec<u64>,
    pub filter: Filter,
    numbers: BTreeMap<PeerId, usize>,
    queue: BTreeMap<(Time, u64), Happening>,
    wakes: Vec<Time>,
    sequence: u64,
}

enum Happening {
    Frame {
        from: usize,
        to: usize,
        frame: Frame,
    },
    Wake(usize),
}

pub const DELAY: Duration = Duration::from_millis(20);

pub fn id(number: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    PeerId(id)
}

pub fn genesis(peers: usize, parameters: Parameters) -> Genesis {
    Genesis {
        admission: Default::default(),
        name: "test".into(),
        parameters,
        seed: Hash([5; 32]),
        founders: (0..peers)
            .map(|number| Founder {
                id: id(number),
                addresses: Vec::new(),
            })
            .collect(),
        publishers: vec![Publisher {
            stream: id(0),
            max_bits_per_s: 2_000_000,
        }],
    }
}

impl World {
    pub fn new(peers: usize, parameters: Parameters) -> World {
        let network = genesis(peers, parameters).found().unwrap();
        let authority = SimulatedAuthority::new([1; 32]);
        let mut world = World {
            now: Time::ZERO,
            ids: (0..peers).map(id).collect(),
            peers: (0..peers).map(|_| None).collect(),
            delivered: vec![Vec::new(); peers],
            events: Vec::new(),
            sent_bytes: vec![0; peers],
            filter: Box::new(|_, _, _, _| true),
            numbers: (0..peers).map(|number| (id(number), number)).collect(),
            queue: BTreeMap::new(),
            wakes: vec![Time::NEVER; peers],
            sequence: 0,
            network,
            authority,
        };
        for number in 0..peers {
            world.start(number, 0);
        }
        world
    }

    /// Starts, or starts again, a peer that subscribes to the stream.
    pub fn start(&mut self, number: usize, publish_from: u64) {
        let view = View::founding(&self.network, id(number)).unwrap();
        self.start_with(number, publish_from, view);
    }

    pub fn start_with(&mut self, number: usize, publish_from: u64, view: View) {
        self.start_relay(number, publish_from, view);
        self.input(number, Input::Subscribe(0));
    }

    /// Starts a peer that does not want the stream's content yet.
    pub fn start_relay(&mut self, number: usize, publish_from: u64, view: View) {
        let setup = Setup {
            view,
            signer: Box::new(self.authority.signer(id(number))),
            verifier: Arc::new(self.authority.clone()),
            work: Arc::new(Compute),
            publish_from,
        };
        self.peers[number] = Some(Peer::new(self.now, setup));
        self.drain(number);
        let links = View::founding(&self.network, id(number))
            .unwrap()
            .links(id(number));
        for peer in links {
            let other = self.numbers[&peer];
            if self.peers[other].is_some() {
                self.input(number, Input::Connected(peer));
                self.input(other, Input::Connected(id(number)));
            }
        }
    }

    pub fn kill(&mut self, number: usize) {
        self.peers[number] = None;
        for other in 0..self.peers.len() {
            if self.peers[other].is_some() {
                self.input(other, Input::Disconnected(id(number)));
            }
        }
    }

    /// Begins an epoch everywhere, in which two peers have changed places and all slots are dealt anew.
    pub fn begin_epoch(&mut self, first: u64, swapped: (usize, usize)) {
        let n = self.network.parameters().n;
        let (a, b) = (id(swapped.0), id(swapped.1));
        let swap = |&peer: &PeerId| {
            if peer == a {
                b
            } else if peer == b {
                a
            } else {
                peer
            }
        };
        let clusters: Vec<Arc<Cluster>> = (self.network.clusters().iter())
            .map(|old| {
                let members = old.members().iter().map(swap).collect();
                Arc::new(Cluster::deal(
                    old.id,
                    old.epoch + 1,
                    members,
                    Hash([77; 32]),
                    n,
                ))
            })
            .collect();
        for number in 0..self.peers.len() {
            let own = clusters
                .iter()
                .find(|cluster| cluster.place(id(number)).is_some())
                .unwrap();
            let neighbours = self.network.neighbours(own.id as usize);
            let neighbours = neighbours
                .iter()
                .map(|old| clusters[old.id as usize].clone())
                .collect();
            let next = Next::Neighbourhood(Epoch {
                own: own.clone(),
                neighbours,
            });
            let first = [(0, first)].into();
            if let Some(peer) = &mut self.peers[number] {
                peer.begin_epoch(self.now, Change { first, next });
            }
            self.drain(number);
        }
        for number in 0..self.peers.len() {
            let Some(peer) = &self.peers[number] else {
                continue;
            };
            for other in peer.view().links(id(number)) {
                if self.peers[self.numbers[&other]].is_some() {
                    self.input(number, Input::Connected(other));
                }
            }
        }
    }

    pub fn input(&mut self, number: usize, input: Input) {
        if let Some(peer) = &mut self.peers[number] {
            peer.handle(self.now, input);
            self.drain(number);
        }
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) = self.peers[number].as_mut().and_then(Peer::poll) {
            match output {
                Output::Connect(_) | Output::Card(_) | Output::Release(_) => {}
                Output::Send {
                    to, frame, class, ..
                } => {
                    for peer in to {
                        let other = self.numbers[&peer];
                        self.sent_bytes[number] += frame.len() as u64 + 4;
                        if (self.filter)(number, other, class, &frame) {
                            let frame =
                                Frame::received([&frame.head[..], &frame.body[..]].concat().into());
                            self.queue_at(
                                self.now + DELAY,
                                Happening::Frame {
                                    from: number,
                                    to: other,
                                    frame,
                                },
                            );
                        }
                    }
                }
                Output::WakeAt(at) => {
                    self.wakes[number] = at;
                    self.queue_at(at.max(self.now), Happening::Wake(number));
                }
                Output::Deliver(segment) => self.delivered[number].push(segment),
                Output::Agreement(_) => {}
                Output::Event(event) => self.events.push((self.now, number, event)),
            }
        }
    }

    fn queue_at(&mut self, at: Time, happening: Happening) {
        if at < Time::NEVER {
            self.queue.insert((at, self.sequence), happening);
            self.sequence += 1;
        }
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
                Happening::Frame { from, to, frame } => {
                    if self.peers[from].is_some() {
                        self.input(
                            to,
                            Input::Frame {
                                from: id(from),
                                frame,
                            },
                        );
                    }
                }
                Happening::Wake(number) if self.wakes[number] == at => {
                    self.input(number, Input::Wake)
                }
                Happening::Wake(_) => {}
            }
        }
        self.now = end;
    }

    /// Publishes segments one every 250 ms from peer 0; returns the payloads.
    pub fn publish(&mut self, count: u64, bytes: usize) -> Vec<Bytes> {
        (0..count)
            .map(|_| {
                let payload = self.publish_one(bytes);
                self.run_for(Duration::from_millis(250));
                payload
            })
            .collect()
    }

    /// Publishes a segment from peer 0, which is then on its way; returns the payload.
    pub fn publish_one(&mut self, bytes: usize) -> Bytes {
        let number = self.delivered[0].len();
        let seed = self.now.as_micros();
        let payload: Bytes = (0..bytes)
            .map(|byte| (byte as u64 * 31 + seed / 7 + byte as u64 / 251) as u8)
            .collect();
        let cut = Cut {
            payload: payload.clone(),
            random_access: number.is_multiple_of(4),
            cut_unix_ms: 0,
        };
        self.input(0, Input::Publish(cut));
        payload
    }

    pub fn refused(&self, number: usize) -> BTreeSet<hamlet_overlay::io::Refusal> {
        self.peers[number]
            .as_ref()
            .map(|peer| peer.report().refused.keys().copied().collect())
            .unwrap_or_default()
    }
}

pub fn whole(segment: &Segment) -> Vec<u8> {
    segment.payload.concat()
}
