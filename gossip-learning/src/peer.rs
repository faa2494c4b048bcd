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
//! - **P4** A peer with fewer rows than the task's minimum merges and passes models on but does not
//!   learn: one step on one row reveals that row (see [`crate::privacy`]).

use crate::{
    Rows,
    arena::Kind,
    model::{Learner, Model},
    protocol::{Arriving, Limits, Refusal, Rule, Slot, receive},
    random,
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A peer's name: the network's own, as a number.
pub type PeerName = u64;

/// The most links of a peer; what a message names beyond it is cut off.
pub const MAX_LINKS: usize = 1024;

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
    /// The sender's links, ascending.
    Links(Vec<PeerName>),
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
    /// Each link with the links that it named, ascending.
    links: BTreeMap<PeerName, Vec<PeerName>>,
    /// Whether the links have changed since they were named.
    relinked: bool,
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
            links: BTreeMap::new(),
            relinked: false,
            round: 0,
            spare: start,
            rng: random::stream(seed, 1),
            outbox: VecDeque::new(),
            terms,
        }
    }

    /// Takes the peer's links as they are now.
    pub fn link(&mut self, links: impl IntoIterator<Item = PeerName>) {
        let mut old = std::mem::take(&mut self.links);
        let links = links.into_iter().take(MAX_LINKS);
        self.links = links
            .map(|link| (link, old.remove(&link).unwrap_or_default()))
            .collect();
        self.relinked = true;
    }

    /// The round's timer: names the links where that is due (P3), and sends the local model over a link with
    /// support and the global one over any.
    pub fn round(&mut self) {
        self.round = self.round.saturating_add(1);
        let linked: Vec<PeerName> = self.links.keys().copied().collect();
        if std::mem::take(&mut self.relinked) || self.round.is_multiple_of(NAMED_EVERY) {
            let list = |link: &PeerName| (*link, Message::Links(linked.clone()));
            self.outbox.extend(linked.iter().map(list));
        }
        let supported: Vec<PeerName> = self.supported().collect();
        let to = one(&supported, &mut self.rng);
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
            Message::Links(mut named) => {
                named.truncate(MAX_LINKS);
                named.sort_unstable();
                if let Some(known) = self.links.get_mut(&from) {
                    *known = named;
                }
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
                if self.links.contains_key(&from) && (kind == Kind::Global || self.supports(from)) {
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
        let least = self.terms.triangles_least;
        let links = self.links.iter();
        let witnesses = links
            .filter(|(witness, named)| **witness != peer && named.binary_search(&peer).is_ok());
        self.links.contains_key(&peer) && witnesses.take(least).count() == least
    }

    /// The links that close enough triangles for local models, ascending.
    pub fn supported(&self) -> impl Iterator<Item = PeerName> {
        let links = self.links.keys().copied();
        links.filter(|link| self.supports(*link))
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
        // P4
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Row, Task,
        model::{Loss, Step},
        protocol::{Merging, Partner, Walk, Weighting},
    };

    fn terms() -> Terms {
        let step = Step::Capped {
            most: 0.1,
            least: 0.05,
        };
        let merging = Merging {
            partner: Partner::LastReceived,
            weighting: Weighting::Mean,
        };
        Terms {
            learner: Learner::linear(Loss::Squared, 0.0, step, 1, Task::Regression),
            rule: Rule {
                walk: Walk::MergeUpdate,
                merging,
            },
            limits: Limits {
                norm_max: 1e3,
                age_slack: 64,
            },
            rows_most: 8,
            rows_least: 1,
            triangles_least: 1,
        }
    }

    /// Peers 0 to 19 hold the label 0, peers 20 to 39 the label 10.
    fn peers() -> Vec<GossipPeer> {
        let label = |peer: u64| if peer < 20 { 0.0 } else { 10.0 };
        let made = (0..40).map(|peer| {
            let mut rows = Rows::dense(1);
            rows.push(Row::Dense(&[1.0]), label(peer));
            GossipPeer::new(terms(), rows, peer)
        });
        made.collect()
    }

    /// Circles of near neighbours in each half, `shift` apart in it, and a link from each peer across.
    fn links(peer: u64, shift: u64) -> Vec<u64> {
        let (half, place) = (peer / 20 * 20, peer % 20);
        let near = [1, 2, 18, 19].map(|step| half + (place + step * shift) % 20);
        near.into_iter().chain([(peer + 20) % 40]).collect()
    }

    fn run(peers: &mut [GossipPeer], rounds: u32) {
        for _ in 0..rounds {
            for peer in 0..peers.len() {
                peers[peer].round();
                deliver(peers);
            }
        }
    }

    fn deliver(peers: &mut [GossipPeer]) {
        for from in 0..peers.len() {
            while let Some((to, message)) = peers[from].poll() {
                peers[to as usize].receive(from as u64, message).unwrap();
            }
        }
    }

    #[test]
    fn local_models_stay_in_their_community_and_global_ones_meet_while_links_change() {
        let mut peers = peers();
        for shift in [1, 3, 7] {
            for (name, peer) in (0u64..).zip(&mut peers) {
                peer.link(links(name, shift));
            }
            deliver(&mut peers);
            run(&mut peers, 60);
            for (name, peer) in (0u64..).zip(&peers) {
                assert!(
                    !peer.supports((name + 20) % 40),
                    "peer {name}, shift {shift}"
                );
            }
        }
        for (name, peer) in peers.iter().enumerate() {
            let own = if name < 20 { 0.0 } else { 10.0 };
            assert!(
                (peer.model(Kind::Local).0[0] - own).abs() < 0.1,
                "peer {name}"
            );
            assert!(
                (peer.model(Kind::Global).0[0] - 5.0).abs() < 2.5,
                "peer {name}"
            );
        }
    }

    #[test]
    fn a_liar_cannot_vouch_for_itself() {
        let mut peer = GossipPeer::new(terms(), Rows::dense(1), 1);
        peer.link([2, 3, 9]);
        peer.receive(9, Message::Links(vec![1, 2, 3, 9])).unwrap();
        assert!(!peer.supports(9));
        // But it does vouch for 2 and 3, which is all that it can do.
        assert!(peer.supports(2) && peer.supports(3));
        peer.receive(2, Message::Links(vec![9])).unwrap();
        assert!(peer.supports(9));
    }

    #[test]
    fn models_that_do_not_fit_and_models_of_strangers_change_nothing() {
        let mut peer = GossipPeer::new(terms(), Rows::dense(1), 1);
        peer.link([2]);
        let model = |weights, age| Message::Model {
            kind: Kind::Global,
            age,
            weights,
        };
        assert!(peer.receive(2, model(vec![f32::NAN], 1)).is_err());
        assert!(peer.receive(2, model(vec![1.0, 2.0], 1)).is_err());
        assert!(peer.receive(2, model(vec![1.0], u32::MAX)).is_err());
        assert_eq!(peer.receive(7, model(vec![1.0], 1)), Ok(()));
        assert_eq!(peer.model(Kind::Global), (&[0.0f32][..], 0));
    }
}
