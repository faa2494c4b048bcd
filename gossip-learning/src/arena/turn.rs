//! One round: every online peer's turn, and what arrives in between.

use super::{Arena, Kind, World, gather::gather};
use crate::{
    Task,
    attack::{self, Attack, Scene},
    graph::Graph,
    model::{Model, part},
    protocol::{Arriving, receive},
    random,
    robust::{Record, Scratch},
};
use rand_chacha::ChaCha8Rng;

/// Buffers that every turn uses, so that no turn allocates.
#[derive(Clone, Default)]
pub(super) struct Desk {
    /// Peers that are online, in the order of their turns.
    order: Vec<u32>,
    /// Peers that owe an answer.
    owing: Vec<u32>,
    /// The message in hand.
    message: Vec<f32>,
    /// A liar's message while it is made.
    forged: Vec<f32>,
    /// A second model, for rules that need one.
    spare: Vec<f32>,
    /// What robust rules work in.
    scratch: Scratch,
}

/// Who sends what to whom; the parameters lie on the desk.
#[derive(Clone, Copy)]
struct Envelope {
    from: u32,
    to: u32,
    slot: usize,
    part: usize,
    age: u32,
}

impl Arena {
    /// One round.
    pub fn step(&mut self, world: World<'_>) {
        self.round += 1;
        let mut rng = random::stream(self.settings.seed, u64::from(self.round));
        let mut desk = std::mem::take(&mut self.desk);
        let width = self.settings.learner.parameters();
        desk.message.resize(width, 0.0);
        desk.forged.resize(width, 0.0);
        desk.spare.resize(width, 0.0);

        if let Some(sessions) = &mut self.sessions {
            sessions.step(&mut rng);
        }
        desk.order.clear();
        desk.order
            .extend((0..self.peers() as u32).filter(|peer| self.is_online(*peer)));
        random::shuffle(&mut rng, &mut desk.order);
        self.sampler.begin(&desk.order, &mut rng);
        self.brief_liars();

        let order = std::mem::take(&mut desk.order);
        let start = f64::from(self.round - 1);
        for (turn, &peer) in order.iter().enumerate() {
            let now = start + turn as f64 / order.len() as f64;
            self.arrivals(now, world, &mut desk, &mut rng);
            if self
                .settings
                .tokens
                .proactive(&mut self.accounts[peer as usize], &mut rng)
            {
                self.send(peer, now, world, &mut desk, &mut rng);
            }
            while let Some(peer) = desk.owing.pop() {
                self.send(peer, now, world, &mut desk, &mut rng);
            }
        }
        desk.order = order;
        self.arrivals(f64::from(self.round), world, &mut desk, &mut rng);
        self.desk = desk;
    }

    fn is_online(&self, peer: u32) -> bool {
        self.sessions
            .as_ref()
            .is_none_or(|sessions| sessions.is_online(peer as usize))
    }

    /// Lets liars look at the honest models, if their attack uses them.
    fn brief_liars(&mut self) {
        let watches = self.settings.attack.is_some_and(Attack::needs_knowledge);
        if !watches || self.settings.byzantine == 0.0 {
            return;
        }
        for (plane, knowledge) in self.planes.iter().zip(&mut self.knowledge) {
            let honest = (0..self.byzantine.len()).filter(|peer| !self.byzantine[*peer]);
            knowledge.watch(honest.map(|peer| plane.newest(peer)));
        }
    }

    /// Sends one message per slot.
    fn send(
        &mut self,
        from: u32,
        now: f64,
        world: World<'_>,
        desk: &mut Desk,
        rng: &mut ChaCha8Rng,
    ) {
        for slot in 0..self.planes.len() {
            let kind = self.kind(slot);
            let Some(to) = self.sampler.pick(from, kind, self.round, &world, rng) else {
                continue;
            };
            let parts = self.settings.parts;
            let part = if parts == 1 {
                0
            } else {
                random::below(rng, parts)
            };
            let (age, count) = self.write((from, to), slot, part, world, desk, rng);
            self.traffic.messages += 1;
            self.traffic.bytes += 4 * (count as u64 + 1);
            if self.settings.drop > 0.0 && random::chance(rng, self.settings.drop) {
                continue;
            }
            let envelope = Envelope {
                from,
                to,
                slot,
                part,
                age,
            };
            match self.settings.delay {
                None => self.deliver(envelope, count, world, desk, rng),
                Some(delay) => {
                    let due = now + delay.least + random::unit(rng) * (delay.most - delay.least);
                    let what = (slot as u8, part as u16, age);
                    let width = self.settings.learner.parameters();
                    self.flight
                        .send(due, (from, to), what, &desk.message[..count], width);
                }
            }
        }
    }

    /// Without a gate the one slot is everybody's, and counts as global.
    fn kind(&self, slot: usize) -> Kind {
        if slot + 1 < self.planes.len() {
            Kind::Local
        } else {
            Kind::Global
        }
    }

    /// Writes the sender's model, or a lie, on the desk. Returns its age and length.
    fn write(
        &self,
        (from, to): (u32, u32),
        slot: usize,
        index: usize,
        world: World<'_>,
        desk: &mut Desk,
        rng: &mut ChaCha8Rng,
    ) -> (u32, usize) {
        let plane = &self.planes[slot];
        let newest = plane.newest(from as usize);
        let mut age = plane.ages(from as usize)[index];
        let range = part(newest.len(), index, self.settings.parts);
        let count = range.len();
        match self.settings.attack {
            Some(attack) if self.byzantine[from as usize] => {
                desk.forged.copy_from_slice(newest);
                let scene = Scene {
                    knowledge: &self.knowledge[slot],
                    receiver: plane.newest(to as usize),
                    foreign: plane.newest(stranger(from, world)),
                    norm_max: self.limits.norm_max,
                    age_max: self.age_max(),
                };
                attack::forge(attack, &scene, &mut desk.forged, &mut age, rng);
                desk.message[..count].copy_from_slice(&desk.forged[range]);
            }
            _ => desk.message[..count].copy_from_slice(&newest[range]),
        }
        (age, count)
    }

    /// The greatest age that is admitted by now: no honest chain of hops is longer, see the tests.
    fn age_max(&self) -> u32 {
        let hops = self.round.saturating_mul(HOPS_PER_ROUND);
        hops.saturating_mul(self.rows_most)
            .saturating_add(self.limits.age_slack)
    }

    /// Delivers what is due by `now`.
    fn arrivals(&mut self, now: f64, world: World<'_>, desk: &mut Desk, rng: &mut ChaCha8Rng) {
        if self.settings.delay.is_none() {
            return;
        }
        let (width, parts) = (self.settings.learner.parameters(), self.settings.parts);
        while let Some(letters) = self.flight.due(now) {
            for letter in &letters {
                let count = part(width, usize::from(letter.part), parts).len();
                desk.message[..count].copy_from_slice(self.flight.weights(letter, width, count));
                let envelope = Envelope {
                    from: letter.from,
                    to: letter.to,
                    slot: usize::from(letter.slot),
                    part: usize::from(letter.part),
                    age: letter.age,
                };
                self.deliver(envelope, count, world, desk, rng);
            }
            self.flight.done(letters);
        }
    }

    /// What the receiver does with the message on the desk.
    fn deliver(
        &mut self,
        Envelope {
            from,
            to,
            slot,
            part: index,
            age,
        }: Envelope,
        count: usize,
        world: World<'_>,
        desk: &mut Desk,
        rng: &mut ChaCha8Rng,
    ) {
        let peer = to as usize;
        if !self.is_online(to) {
            return;
        }
        let weights = &desk.message[..count];
        let learner = &self.settings.learner;
        let parts = self.settings.parts;
        let expected = part(learner.parameters(), index, parts).len();
        let age_honest = self.age_max() - self.limits.age_slack;
        let kind = self.kind(slot);
        if (self.limits.admit(weights, age, expected, age_honest)).is_err() {
            self.traffic.refused += 1;
            return;
        }
        let lies = self.byzantine[peer];
        let attack = self.settings.attack.filter(|_| lies);
        if attack.is_some_and(|attack| self.round > attack.freezes_after()) {
            return;
        }
        let train = &world.data.train;
        let rows = world.partition.rows(peer);
        let own_loss = |weights: &[f32]| {
            let loss = |row: &u32| {
                let row = *row as usize;
                learner.loss(weights, train.row(row), train.label(row))
            };
            rows.iter().map(loss).sum::<f32>() / rows.len().max(1) as f32
        };
        if kind == Kind::Local {
            let own = self.planes[slot].newest(peer);
            let fits = || own_loss(weights) <= own_loss(own);
            if !self.sampler.admits(to, from, fits) {
                self.traffic.refused += 1;
                return;
            }
            self.sampler.note(to, from, &world, || own_loss(weights));
        }
        let links = world.links.filter(|_| kind == Kind::Local);
        let stands_out = links.is_some_and(|(graph, _)| {
            let own = self.planes[slot].newest(peer);
            let records = &mut self.records;
            let came = (weights, own);
            stands_out(records, graph, (from, to), came, &mut desk.scratch)
        });
        let is_absurd = self.settings.has_jury() && world.data.task == Task::Regression && {
            let predicts = |row: &u32| learner.predict(weights, train.row(*row as usize));
            !rows.iter().all(|row| self.labels.is_near(predicts(row)))
        };
        let plane = &mut self.planes[slot];
        let useful = age >= plane.ages(peer)[index];
        let flips = attack == Some(Attack::LabelFlip);
        let labels = self.labels;
        let learn = |weights: &mut [f32], ages: &mut [u32]| {
            for &row in rows {
                let label = train.label(row as usize);
                let label = if flips { labels.mirrored(label) } else { label };
                learner.update(weights, ages, train.row(row as usize), label);
            }
        };
        let arriving = Arriving {
            weights,
            age,
            part: (index, parts),
        };
        let passes = self.settings.pass_through
            && world.links.is_some_and(|(graph, _)| {
                let share = graph.degree(from) as f64 / graph.degree(to).max(1) as f64;
                share < 1.0 && !random::chance(rng, share)
            });
        if passes {
            let slot = plane.slot(peer);
            slot.newest[part(learner.parameters(), index, parts)].copy_from_slice(weights);
            slot.ages[index] = age;
        } else if stands_out {
            // Refused for good rather than now and then, so this one learns alone meanwhile.
            let slot = plane.slot(peer);
            learn(slot.newest, slot.ages);
            self.traffic.refused += 1;
        } else if is_absurd {
            // It does not sit on the jury either: where half of them are such, they are as good as any.
            self.traffic.refused += 1;
        } else if let Some(how) = self.settings.gather(kind) {
            let room = (&mut desk.spare[..], &mut desk.scratch);
            if gather(how, plane, peer, (weights, age), room, own_loss) {
                let slot = plane.slot(peer);
                learn(slot.newest, slot.ages);
            } else {
                self.traffic.refused += 1;
            }
        } else {
            receive(
                self.settings.rule,
                learner,
                plane.slot(peer),
                arriving,
                &mut desk.spare,
                learn,
            );
        }
        plane.remember(peer);
        let account = &mut self.accounts[peer];
        let answers = self.settings.tokens.reactive(account, useful, rng);
        desk.owing.extend((0..answers).map(|_| to));
    }
}

/// Takes a model into the record of the link that it came over, where records are kept. Whether the link stands
/// out among the receiver's.
fn stands_out(
    records: &mut [Record],
    graph: &Graph,
    (from, to): (u32, u32),
    (weights, own): (&[f32], &[f32]),
    scratch: &mut Scratch,
) -> bool {
    let Some(links) = records.get_mut(graph.arcs(to)) else {
        return false;
    };
    let Ok(place) = graph.neighbours(to).binary_search(&from) else {
        return false;
    };
    links[place].note(weights, own);
    links[place].stands_out(links, scratch)
}

/// Some peer of another community than `peer`'s, always the same.
fn stranger(peer: u32, world: World<'_>) -> usize {
    let peers = world.partition.peers();
    let own = world.partition.community(peer as usize);
    // A stride that shares no factor with most sizes, so that liars do not all copy one victim.
    let candidates = (1..=64).map(|step| (peer as usize + step * 7919) % peers);
    let mut other = candidates.filter(|other| world.partition.community(*other) != own);
    other.next().unwrap_or(peer as usize)
}

/// More hops in a row than a model makes in a round on average, by far: each hop waits for a turn.
pub(crate) const HOPS_PER_ROUND: u32 = 6;
