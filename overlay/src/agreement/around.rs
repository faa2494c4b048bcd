//! A7: what clusters tell their neighbours: in which epoch they are, and how those before ended.
//!
//! A member tells its links in neighbouring clusters the number of its epoch, when it begins and from time to time. Who
//! knows an older one asks for the handovers, which prove themselves, and has the oldest of them ordered in its own
//! cluster's log. Members take turns in that, so that it is mostly ordered once.

use super::{
    Agreement,
    order::{Order, Progress},
    state::Neighbour,
};
use crate::{
    identity::PeerId,
    io::Refusal,
    message::Message,
    time::{Duration, Time},
    wire::{self, encode},
};
use bytes::Bytes;
use hamlet_consensus::succession::{self, Handover, Tag, tag};
use std::collections::BTreeMap;

/// How often neighbours are told.
const TELL_EVERY: Duration = Duration::from_secs(4);
/// How soon they are told after one of them has connected.
const TELL_SOON: Duration = Duration::from_millis(200);
/// How often a peer asks, and is answered.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long each member waits for the one before it to have something ordered.
const STEP: Duration = Duration::from_millis(150);
/// How long it waits before it tries again.
const AGAIN: Duration = Duration::from_secs(3);
/// The most handovers of one answer.
const MAX_HANDOVERS: usize = 4;
/// The most peers that are remembered by whom something was told or asked.
const MAX_PEERS: usize = 256;
/// The most cards that go with a handover, so that it fits a command.
const MAX_CARDS: usize = 16;

/// What this peer knows of what it told and was told.
pub(super) struct Around {
    tell_at: Time,
    asked: Recently,
    answered: Recently,
    /// Per neighbouring cluster, what members of it told.
    told: BTreeMap<u64, Told>,
}

/// When something happened with peers last.
#[derive(Default)]
pub(super) struct Recently(BTreeMap<PeerId, Time>);

/// What members of a neighbouring cluster told, not looked at closely yet.
struct Told {
    by: BTreeMap<PeerId, Progress>,
    /// When it is looked at.
    at: Time,
}

impl Default for Around {
    fn default() -> Around {
        Around {
            tell_at: Time::ZERO,
            asked: Recently::default(),
            answered: Recently::default(),
            told: BTreeMap::new(),
        }
    }
}

impl Recently {
    /// Whether it did not happen with this peer within [`ASK_EVERY`]; now it does.
    pub(super) fn take(&mut self, peer: PeerId, now: Time) -> bool {
        self.0.retain(|_, at| now < *at + ASK_EVERY);
        let free = self.0.len() < MAX_PEERS && !self.0.contains_key(&peer);
        if free {
            self.0.insert(peer, now);
        }
        free
    }
}

impl Around {
    /// There is something new to tell.
    pub fn tell(&mut self, now: Time) {
        self.tell_at = now;
    }

    /// When it has to do something.
    pub fn due(&self) -> Time {
        let told = self.told.values().map(|told| told.at);
        told.min().unwrap_or(Time::NEVER).min(self.tell_at)
    }
}

impl Agreement {
    /// A link is gone.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.stalled.forget(peer);
    }

    /// A link to a neighbouring cluster has come up.
    pub fn neighbour_connected(&mut self, now: Time) {
        self.around.tell_at = self.around.tell_at.min(now + TELL_SOON);
    }

    /// What to tell the links in neighbouring clusters, if it is time.
    pub fn herald(&mut self) -> Option<Message> {
        if self.now < self.around.tell_at {
            return None;
        }
        self.around.tell_at = self.now + TELL_EVERY;
        let epoch = self.succession.newest();
        // The founding is known to everybody.
        (epoch.number() > 0 && epoch.position(self.me).is_some()).then(|| Message::Herald {
            cluster: self.cluster,
            epoch: epoch.number(),
        })
    }

    /// A peer says in which epoch its cluster is: the question, if that is news.
    pub fn on_herald(
        &mut self,
        now: Time,
        from: PeerId,
        cluster: u64,
        epoch: u64,
    ) -> Option<Message> {
        self.stalled.hear(from, cluster, epoch);
        let known = self.neighbour(cluster)?;
        let told = self.around.told.get(&cluster);
        let asked = told.is_some_and(|told| told.by.contains_key(&from));
        if known.charter().number >= epoch || asked || !self.around.asked.take(from, now) {
            return None;
        }
        let epoch = self.neighbour(cluster)?.epoch(self.network)?;
        Some(Message::Behind { epoch: tag(&epoch) })
    }

    /// A peer knows no newer epoch of this cluster than that: the answer.
    pub fn on_behind(
        &mut self,
        now: Time,
        from: PeerId,
        known: Tag,
    ) -> Result<Option<(Message, Bytes)>, Refusal> {
        if !self.around.answered.take(from, now) {
            return Err(Refusal::TooManyRequests);
        }
        let handovers = self.succession.chain().after(known, MAX_HANDOVERS);
        let handovers = handovers.unwrap_or_default();
        let Some(last) = handovers.last() else {
            return Ok(None);
        };
        let last: Vec<PeerId> = members(last).collect();
        let cards = self.state().into_iter().flat_map(|state| state.own_cards());
        let cards: Vec<_> = cards
            .filter(|card| last.contains(&card.peer))
            .cloned()
            .collect();
        let progress = |handover: Handover| Progress {
            cluster: self.cluster,
            cards: (cards.iter())
                .filter(|card| adds(&handover, card.peer))
                .take(MAX_CARDS)
                .cloned()
                .collect(),
            handover,
        };
        let all: Vec<Progress> = handovers.into_iter().map(progress).collect();
        Ok(Some((Message::Progress, encode(&all).into())))
    }

    /// How a neighbouring cluster's epochs ended, as a peer says.
    pub fn on_progress(&mut self, now: Time, from: PeerId, body: &[u8]) -> Result<(), Refusal> {
        let all: Vec<Progress> =
            hamlet_consensus::wire::decode(body).map_err(|_| Refusal::Malformed)?;
        let bounded = |progress: &Progress| progress.cards.len() <= MAX_CARDS;
        if all.len() > MAX_HANDOVERS || !all.iter().all(bounded) {
            return Err(Refusal::Malformed);
        }
        for progress in all {
            let cluster = progress.cluster;
            let neighbour = self.neighbour(cluster).ok_or(Refusal::NotOwed)?;
            let Some(next) = neighbour.next(self.network, &progress.handover) else {
                continue;
            };
            let at = now + STEP * self.rank(cluster, next.number());
            let told = self.around.told.entry(cluster).or_insert(Told {
                by: BTreeMap::new(),
                at,
            });
            if told.by.len() < MAX_PEERS {
                told.by.insert(from, progress);
            }
        }
        Ok(())
    }

    /// The how many-eth of the members this one is to have something ordered.
    pub fn rank(&self, cluster: u64, epoch: u64) -> u32 {
        let members = self.succession.newest();
        let size = members.size() as u64;
        let first = cluster.wrapping_mul(31).wrapping_add(epoch) % size;
        let place = members.position(self.me).map_or(0, u64::from);
        ((place + size - first) % size) as u32
    }

    /// Has ordered what neighbours told, if it is this member's turn and nobody did it before.
    pub fn order_progress(&mut self) {
        let now = self.now;
        let due = |told: &(&u64, &Told)| told.1.at <= now;
        let due = self
            .around
            .told
            .iter()
            .filter(due)
            .map(|(&cluster, _)| cluster);
        for cluster in due.collect::<Vec<u64>>() {
            let Some(mut told) = self.around.told.remove(&cluster) else {
                continue;
            };
            let Some(neighbour) = self.neighbour(cluster) else {
                continue;
            };
            let network = self.network;
            (told.by).retain(|_, progress| neighbour.next(network, &progress.handover).is_some());
            let known = neighbour.epoch(network);
            let valid = known.and_then(|known| {
                let mut all = told.by.iter();
                let proves = |progress: &Progress| {
                    progress.handover.verify(&known, &*self.verifier).is_some()
                };
                all.find_map(|(by, progress)| proves(progress).then(|| (*by, progress.clone())))
            });
            let Some((by, progress)) = valid else {
                continue;
            };
            let payload = wire::encode(&Order::Neighbour(Box::new(progress.clone())));
            self.handle(now, succession::Input::Submit(vec![payload.into()]));
            // Until it is executed, in case it is lost.
            let told = Told {
                by: [(by, progress)].into(),
                at: now + AGAIN,
            };
            self.around.told.insert(cluster, told);
        }
    }

    fn neighbour(&self, cluster: u64) -> Option<&Neighbour> {
        let mut neighbours = self.state()?.neighbours().iter();
        neighbours.find(|neighbour| neighbour.cluster() == cluster)
    }
}

/// The members of what follows.
fn members(handover: &Handover) -> impl Iterator<Item = PeerId> {
    let members = handover.successors.iter().map(|charter| &charter.members);
    members.flatten().copied()
}

fn adds(handover: &Handover, peer: PeerId) -> bool {
    members(handover).any(|member| member == peer)
}
