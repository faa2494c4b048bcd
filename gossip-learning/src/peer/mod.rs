//! One live peer: the protocol without a network under it.
//!
//! ```text
//! peer.round()                       // the round's timer: models to a supported and to any link
//! peer.receive(from, message)        // a message from a linked peer, checked before it counts
//! while let Some((to, message)) = peer.poll()
//! ```
//!
//! Rules:
//! - **P1** A peer keeps a local and a global model. The global one merges with what any link brings,
//!   the local one only with what a link with triangle support brings. Support is the receiver's own
//!   count, so a sender cannot claim it.
//! - **P2** A link to `p` closes a triangle over `w` if `w` is linked to the peer as well and `w` itself
//!   has named `p`. What `p` says of itself does not count.
//! - **P3** In a round before which its links have changed, and in every eighth, as names may be lost, a
//!   peer names its links to its links. So the gate follows a network whose clusters change, at the cost of
//!   one list a link and change, however many links change at once.
//! - **P4** With its links a peer names the peers that it reaches over links with support, itself and through
//!   them. Who reaches fewer than the task's `reach` takes local models over its other links as well, if
//!   they fit its own rows no worse than its own local model does, as in the arena
//!   ([`Sampling::Triangles`](crate::sampler::Sampling::Triangles)): where communities consist of small
//!   cliques, nothing else ties them together. A liar can name peers that are not there, and so close the
//!   gate for its neighbours, but not open it.
//! - **P5** A peer with fewer rows than the task's minimum merges and passes models on but does not
//!   learn: one step on one row reveals that row (see [`crate::privacy`]).

mod links;

#[cfg(test)]
mod tests;

pub use links::MAX_LINKS;

use crate::{
    Rows,
    arena::Kind,
    model::{Learner, Model},
    protocol::{Arriving, Limits, Refusal, Rule, Slot, receive},
    random,
};
use links::Links;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A peer's name: the network's own, as a number.
pub type PeerName = u64;

/// Every so many rounds a peer names its links though they have not changed.
const NAMED_EVERY: u32 = 8;

/// What all peers of a task agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The model.
    pub learner: Learner,
    /// How models merge and learn.
    pub rule: Rule,
    /// What is refused.
    pub limits: Limits,
    /// The most rows that a peer learns from in one step.
    pub rows_most: u32,
    /// The fewest rows that a peer learns from.
    pub rows_least: u32,
    /// The triangles that a link needs for local models.
    pub triangles_least: usize,
    /// The peers that a peer is to reach over such links; who reaches fewer tries local models of its other links
    /// (P4). 0 lets nobody do so; at most [`MAX_LINKS`].
    pub reach: usize,
}

/// What peers tell each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// A model.
    Model {
        /// Which of the sender's two.
        kind: Kind,
        /// Its age.
        age: u32,
        /// Its parameters.
        weights: Vec<f32>,
    },
    /// What the sender is linked to.
    Links {
        /// Its links, ascending.
        links: Vec<PeerName>,
        /// Peers that it reaches over links with support, and over how many.
        reached: Vec<(PeerName, u8)>,
    },
}

/// One of a peer's two models with what the rule keeps beside it.
#[derive(Clone)]
struct Memory {
    newest: Vec<f32>,
    age: [u32; 1],
    last: Vec<f32>,
    last_age: [u32; 1],
}

/// One peer with its rows, its two models and its links.
#[derive(Clone)]
pub struct GossipPeer {
    terms: Terms,
    rows: Rows,
    local: Memory,
    global: Memory,
    links: Links,
    round: u32,
    spare: Vec<f32>,
    rng: ChaCha8Rng,
    outbox: VecDeque<(PeerName, Message)>,
}

impl GossipPeer {
    /// A peer without links yet. `seed` is its own.
    pub fn new(terms: Terms, rows: Rows, seed: u64) -> GossipPeer {
        let mut start = vec![0.0; terms.learner.parameters()];
        terms.learner.start(&mut start);
        let memory = Memory {
            newest: start.clone(),
            age: [0],
            last: start.clone(),
            last_age: [0],
        };
        GossipPeer {
            rows,
            local: memory.clone(),
            global: memory,
            links: Links::new(terms.triangles_least, terms.reach),
            round: 0,
            spare: start,
            rng: random::stream(seed, 1),
            outbox: VecDeque::new(),
            terms,
        }
    }

    /// Takes the peer's links as they are now.
    pub fn link(&mut self, links: impl IntoIterator<Item = PeerName>) {
        self.links.replace(links.into_iter());
    }

    /// The round's timer: names the links where that is due (P3), and sends the local model over a link with
    /// support, or over any where these lead to few peers (P4), and the global one over any.
    pub fn round(&mut self) {
        self.round = self.round.saturating_add(1);
        let linked: Vec<PeerName> = self.links.names().collect();
        self.links.count();
        if self.links.take_news() || self.round.is_multiple_of(NAMED_EVERY) {
            let message = self.links.tell();
            let list = |link: &PeerName| (*link, message.clone());
            self.outbox.extend(linked.iter().map(list));
        }
        let to = if self.links.tries() {
            one(&linked, &mut self.rng)
        } else {
            let supported: Vec<PeerName> = self.supported().collect();
            one(&supported, &mut self.rng)
        };
        self.send(to, Kind::Local);
        let to = one(&linked, &mut self.rng);
        self.send(to, Kind::Global);
    }

    /// Takes a message in.
    ///
    /// # Errors
    /// Why a model was refused; the peer is as it was. Messages of strangers and local models over links
    /// without support are dropped in silence: links change while messages travel.
    pub fn receive(&mut self, from: PeerName, message: Message) -> Result<(), Refusal> {
        match message {
            Message::Links { links, reached } => {
                self.links.hear(from, links, reached);
                Ok(())
            }
            Message::Model { kind, age, weights } => {
                let expected = self.terms.learner.parameters();
                // As many hops in a round as the arena allows.
                let hops = self
                    .round
                    .saturating_add(1)
                    .saturating_mul(crate::arena::HOPS_PER_ROUND);
                let oldest = hops.saturating_mul(self.terms.rows_most);
                self.terms.limits.admit(&weights, age, expected, oldest)?;
                let takes = match kind {
                    Kind::Global => self.links.contains(from),
                    Kind::Local => self.supports(from) || self.tries(from, &weights),
                };
                if takes {
                    self.learn(kind, &weights, age);
                }
                Ok(())
            }
        }
    }

    /// What is to be sent next, and to whom.
    pub fn poll(&mut self) -> Option<(PeerName, Message)> {
        self.outbox.pop_front()
    }

    /// The newest model of a kind, and its age.
    pub fn model(&self, kind: Kind) -> (&[f32], u32) {
        let memory = if kind == Kind::Local {
            &self.local
        } else {
            &self.global
        };
        (&memory.newest, memory.age[0])
    }

    /// Whether the link to `peer` closes enough triangles for local models (P2).
    pub fn supports(&self, peer: PeerName) -> bool {
        self.links.supports(peer)
    }

    /// The links that close enough triangles for local models, ascending.
    pub fn supported(&self) -> impl Iterator<Item = PeerName> {
        self.links.names().filter(|link| self.supports(*link))
    }

    /// Whether a local model of a link without support is taken (P4). Without rows nothing tells.
    fn tries(&self, from: PeerName, weights: &[f32]) -> bool {
        let loss = |weights: &[f32]| -> f32 {
            let rows = 0..self.rows.len();
            let of =
                |row| (self.terms.learner).loss(weights, self.rows.row(row), self.rows.label(row));
            rows.map(of).sum()
        };
        self.links.contains(from)
            && self.links.tries()
            && !self.rows.is_empty()
            && loss(weights) <= loss(&self.local.newest)
    }

    fn send(&mut self, to: Option<PeerName>, kind: Kind) {
        let (weights, age) = self.model(kind);
        if let Some(to) = to {
            let message = Message::Model {
                kind,
                age,
                weights: weights.to_vec(),
            };
            self.outbox.push_back((to, message));
        }
    }

    fn learn(&mut self, kind: Kind, weights: &[f32], age: u32) {
        let GossipPeer {
            terms,
            rows,
            local,
            global,
            spare,
            ..
        } = self;
        let memory = if kind == Kind::Local { local } else { global };
        let slot = Slot {
            newest: &mut memory.newest,
            ages: &mut memory.age,
            last: &mut memory.last,
            last_ages: &mut memory.last_age,
        };
        let arriving = Arriving {
            weights,
            age,
            part: (0, 1),
        };
        // P5
        let learns = rows.len() >= terms.rows_least as usize;
        let taken = if learns {
            rows.len().min(terms.rows_most as usize)
        } else {
            0
        };
        receive(
            terms.rule,
            &terms.learner,
            slot,
            arriving,
            spare,
            |weights, ages| {
                for row in 0..taken {
                    terms
                        .learner
                        .update(weights, ages, rows.row(row), rows.label(row));
                }
            },
        );
    }
}

/// One of these, each with the same probability.
fn one(of: &[PeerName], rng: &mut ChaCha8Rng) -> Option<PeerName> {
    let place = random::below(rng, of.len());
    of.get(place).copied()
}
