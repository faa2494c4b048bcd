//! What became of a traced segment: every shard of it that peers saw go or come, and who restored it when.

use super::roll::{PeerNumber, Roll};
use crate::driver::{
    PeerHandle,
    passage::{EVERY, Passage, Way},
};
use hamlet_overlay::{
    io::Event,
    push::duty::{Rotation, rotation},
    time::Time,
    view::{SegmentNumber, StreamNumber, View},
};
use serde::{Serialize, Serializer};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    task::JoinSet,
};

/// How long a segment is followed after it was first seen: then it has been played or left out.
const FOLLOWED: Duration = Duration::from_secs(2);
/// The most hops of a trace; of larger networks the shards of some slots are shown.
const HOPS_MAX: usize = 4096;
/// Segments followed at the same time, over all streams.
const OPEN_MAX: usize = 16;
/// What was seen and not looked at yet.
const WAITING: usize = 4096;

/// What became of a segment. Times are counted from when it was first seen, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// The stream.
    pub stream: StreamNumber,
    /// The segment.
    pub segment: SegmentNumber,
    /// Slot `t` relays shard `(t + rotation) mod n` of it.
    pub rotation: u8,
    /// The slots whose shards are shown.
    pub slots: Vec<u8>,
    /// Shards on their way.
    pub hops: Vec<Hop>,
    /// Who restored it, and when.
    pub restored: Vec<(PeerNumber, u64)>,
}

/// A shard on its way between two peers; a list in JSON, in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The sender.
    pub from: PeerNumber,
    /// The receiver.
    pub to: PeerNumber,
    /// The shard.
    pub shard: u8,
    /// When it was queued, if that was seen.
    pub sent_us: Option<u64>,
    /// When it came, if that was seen.
    pub received_us: Option<u64>,
    /// Whether the receiver had asked for it.
    pub asked: bool,
}

impl Serialize for Hop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Hop {
            from,
            to,
            shard,
            sent_us,
            received_us,
            asked,
        } = self;
        (from, to, shard, sent_us, received_us, asked).serialize(serializer)
    }
}

/// What one peer saw.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// A shard passed.
    Passed(Passage),
    /// It restored a segment, or published it.
    Has(Time, StreamNumber, SegmentNumber),
}

/// Looks at what passes peers.
pub struct Watch {
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(PeerNumber, Seen)>,
    receiver: mpsc::Receiver<(PeerNumber, Seen)>,
}

impl Default for Watch {
    /// At nobody yet.
    fn default() -> Watch {
        let (sender, receiver) = mpsc::channel(WAITING);
        Watch {
            tasks: JoinSet::new(),
            sender,
            receiver,
        }
    }
}

impl Watch {
    /// Looks at a peer too, until it stops.
    pub fn look_at(&mut self, number: PeerNumber, handle: &PeerHandle) {
        while self.tasks.try_join_next().is_some() {}
        let (mut passages, mut events) = (handle.passages(), handle.events());
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            loop {
                let seen = tokio::select! {
                    passage = passages.recv() => match passage {
                        Ok(passage) => Seen::Passed(passage),
                        // A trace with holes is still worth a look.
                        Err(RecvError::Lagged(_)) => continue,
                        Err(RecvError::Closed) => return,
                    },
                    event = events.recv() => match event {
                        Ok((at, Event::Restored { stream, segment, .. } | Event::Published { stream, segment }))
                            if segment.is_multiple_of(EVERY) => Seen::Has(at, stream, segment),
                        Ok(_) | Err(RecvError::Lagged(_)) => continue,
                        Err(RecvError::Closed) => return,
                    },
                };
                if sender.send((number, seen)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// What is seen next.
    pub async fn next(&mut self) -> (PeerNumber, Seen) {
        match self.receiver.recv().await {
            Some(seen) => seen,
            // This side holds a sender as well.
            None => std::future::pending().await,
        }
    }
}

/// Puts traces together.
pub struct Tracer {
    roll: Arc<Roll>,
    view: Option<View>,
    slots: Vec<u8>,
    open: BTreeMap<(StreamNumber, SegmentNumber), Open>,
}

struct Open {
    begun: Time,
    rotation: Rotation,
    hops: BTreeMap<(PeerNumber, PeerNumber, u8), Hop>,
    restored: BTreeMap<PeerNumber, u64>,
}

impl Tracer {
    /// Of what so many peers of a network see.
    pub fn new(roll: Arc<Roll>, peers: usize) -> Tracer {
        let network = roll.network();
        let parameters = network.parameters();
        let founder = network.genesis().founders.first();
        let view = founder.and_then(|founder| View::founding(network, founder.id));
        let slots = shown_slots(parameters.n, parameters.k, peers);
        Tracer {
            roll,
            view,
            slots,
            open: BTreeMap::new(),
        }
    }

    /// Takes what a peer saw.
    pub fn saw(&mut self, by: PeerNumber, seen: Seen) {
        let (at, stream, segment) = match seen {
            Seen::Passed(passage) => (passage.at, passage.stream, passage.segment),
            Seen::Has(at, stream, segment) => (at, stream, segment),
        };
        let Some(view) = &self.view else { return };
        let full = self.open.len() >= OPEN_MAX;
        let open = match self.open.entry((stream, segment)) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(_) if full => return,
            Entry::Vacant(vacant) => {
                let (n, k) = (view.parameters.n, view.parameters.k);
                let by = rotation(view.rotation_beacon, stream, segment, n);
                vacant.insert(Open {
                    begun: at,
                    rotation: Rotation { by, n, k },
                    hops: BTreeMap::new(),
                    restored: BTreeMap::new(),
                })
            }
        };
        let us = at.since(Time::ZERO).as_micros() as u64;
        match seen {
            Seen::Has(..) => {
                open.restored.entry(by).or_insert(us);
            }
            Seen::Passed(passage) => {
                let shard = passage.shard;
                if shard >= open.rotation.n || !self.slots.contains(&open.rotation.slot(shard)) {
                    return;
                }
                let other = match passage.way {
                    Way::To { peer, .. } | Way::From { peer } => peer,
                };
                let Some(other) = self.roll.number(other) else {
                    return;
                };
                let (from, to) = match passage.way {
                    Way::To { .. } => (by, other),
                    Way::From { .. } => (other, by),
                };
                if open.hops.len() >= HOPS_MAX && !open.hops.contains_key(&(from, to, shard)) {
                    return;
                }
                let hop = open.hops.entry((from, to, shard)).or_insert(Hop {
                    from,
                    to,
                    shard,
                    sent_us: None,
                    received_us: None,
                    asked: false,
                });
                match passage.way {
                    Way::To { asked, .. } => {
                        hop.sent_us.get_or_insert(us);
                        hop.asked |= asked;
                    }
                    Way::From { .. } => {
                        hop.received_us.get_or_insert(us);
                    }
                }
            }
        }
    }

    /// The traces that are finished by now.
    pub fn finished(&mut self, now: Time) -> Vec<Trace> {
        let done = |open: &Open| now >= open.begun + FOLLOWED;
        let keys: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| done(open))
            .map(|(&key, _)| key)
            .collect();
        keys.into_iter()
            .filter_map(|key| Some((key, self.open.remove(&key)?)))
            .map(|((stream, segment), open)| Trace {
                stream,
                segment,
                rotation: open.rotation.by,
                slots: self.slots.clone(),
                hops: open.hops.into_values().collect(),
                restored: open.restored.into_iter().collect(),
            })
            .map(Trace::since_its_beginning)
            .collect()
    }
}

impl Trace {
    /// With times counted from the first one: peers tell one after the other, so what is told first need
    /// not have happened first.
    fn since_its_beginning(mut self) -> Trace {
        let times = |hop: &Hop| [hop.sent_us, hop.received_us];
        let first = self.hops.iter().flat_map(times).flatten();
        let first = first.chain(self.restored.iter().map(|(_, us)| *us)).min();
        let first = first.unwrap_or_default();
        for hop in &mut self.hops {
            hop.sent_us = hop.sent_us.map(|us| us - first);
            hop.received_us = hop.received_us.map(|us| us - first);
        }
        for (_, us) in &mut self.restored {
            *us -= first;
        }
        self
    }
}

/// The slots whose shards are shown where so many peers receive: all, or some at equal distances.
fn shown_slots(n: u8, k: u8, peers: usize) -> Vec<u8> {
    // What a peer receives: the shards that suffice, and some that come twice.
    let hops = peers * (usize::from(k) + 4);
    let shown = match hops <= HOPS_MAX {
        true => n,
        false => (usize::from(n) * HOPS_MAX / hops).max(1) as u8,
    };
    (0..shown)
        .map(|place| (u16::from(place) * u16::from(n) / u16::from(shown)) as u8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::{
        genesis::{Founder, Genesis, Parameters, Publisher},
        hash::Hash,
        identity::PeerId,
    };

    fn roll(peers: u8) -> Arc<Roll> {
        let founders = (0..peers).map(|number| Founder {
            id: PeerId([number; 32]),
            addresses: Vec::new(),
        });
        let genesis = Genesis {
            admission: Default::default(),
            name: "test".into(),
            parameters: Parameters::for_peers(peers.into()),
            seed: Hash([1; 32]),
            founders: founders.collect(),
            publishers: vec![Publisher {
                stream: PeerId([0; 32]),
                max_bits_per_s: 1_000_000,
            }],
        };
        Arc::new(Roll::new(Arc::new(genesis.found().unwrap())))
    }

    fn passed(ms: u64, shard: u8, way: Way) -> Seen {
        Seen::Passed(Passage {
            at: Time::from_micros(ms * 1_000),
            way,
            stream: 0,
            segment: 16,
            shard,
        })
    }

    #[test]
    fn both_ends_of_a_hop_come_together() {
        let mut tracer = Tracer::new(roll(8), 8);
        let (three, five) = (PeerId([3; 32]), PeerId([5; 32]));
        let to = Way::To {
            peer: five,
            asked: true,
        };
        tracer.saw(3, passed(100, 2, to));
        tracer.saw(5, passed(104, 2, Way::From { peer: three }));
        tracer.saw(5, Seen::Has(Time::from_micros(105_000), 0, 16));
        let stranger = Way::From {
            peer: PeerId([99; 32]),
        };
        tracer.saw(5, passed(104, 2, stranger));
        tracer.saw(5, passed(104, 200, Way::From { peer: three }));
        assert_eq!(tracer.finished(Time::from_micros(2_000_000)), []);
        let traces = tracer.finished(Time::from_micros(2_100_000));
        let [trace] = &traces[..] else { panic!() };
        let hop = Hop {
            from: 3,
            to: 5,
            shard: 2,
            sent_us: Some(0),
            received_us: Some(4_000),
            asked: true,
        };
        assert_eq!(trace.hops, [hop]);
        assert_eq!(trace.restored, [(5, 5_000)]);
        let json = serde_json::to_string(&trace.hops).unwrap();
        assert_eq!(json, "[[3,5,2,0,4000,true]]");
    }

    #[test]
    fn large_networks_show_some_slots_and_no_trace_grows_without_bound() {
        assert_eq!(shown_slots(8, 4, 24), (0..8).collect::<Vec<u8>>());
        assert_eq!(shown_slots(32, 16, 1024), [0, 5, 10, 16, 21, 26]);
        let mut tracer = Tracer::new(roll(8), 8);
        for segment in 0..1_000 {
            tracer.saw(1, Seen::Has(Time::ZERO, 0, segment * EVERY));
        }
        assert_eq!(tracer.open.len(), OPEN_MAX);
    }
}
