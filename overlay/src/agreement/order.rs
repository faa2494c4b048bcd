//! What members may have ordered in their cluster's log.

use super::card::Card;
#[cfg(doc)]
use crate::push::REMEMBERED;
use crate::{
    digest::Claim as Head,
    evidence::Evidence,
    hash::{Domain, Hash},
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    membership::{admission::Credential, walk::Batch},
    wire,
};
use hamlet_consensus::{
    beacon::{Contribution, Registration},
    succession::Handover,
};
use serde::{Deserialize, Serialize};

/// The longest text of a note, in bytes.
pub const MAX_NOTE_BYTES: usize = 1024;
/// The most addresses on a card.
pub const MAX_ADDRESSES: usize = 4;
/// The most streams whose newest segment a member names when it wants an epoch to end.
pub const MAX_HEADS: usize = 16;

const DOMAIN: &str = "hamlet v1 order";
const ASKED: &str = "hamlet v1 ask for a walk";
const CLAIMED: &str = "hamlet v1 claim a place";

/// A command of a cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// A member says something.
    Said(Box<Said>),
    /// A neighbouring cluster is in its next epoch, which proves itself.
    Neighbour(Box<Progress>),
    /// A peer asks for a walk.
    Ask(Box<Ask>),
    /// Walks come from a neighbouring cluster, which named them.
    Walks(Box<Batch>),
    /// A peer claims the place that its walk has led to.
    Claim(Box<Claim>),
    /// A key is guilty, which proves itself.
    Evidence(Box<Evidence>),
}

/// What a member says, signed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The member.
    pub by: PeerId,
    /// The epoch in which it says so. Later epochs but the next do not listen to it, so it cannot be said again.
    pub epoch: u64,
    /// What it says.
    pub saying: Saying,
    signature: Signature,
}

/// What members say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saying {
    /// A note of an operator, for all members to read.
    Note {
        /// What it says.
        text: String,
        /// When it was written by the writer's wall clock, in milliseconds since 1970; to be read, not relied on.
        written_unix_ms: u64,
    },
    /// The member's operator wants this.
    Wants(Motion),
    /// The epoch has lasted long enough, and there is a reason to end it.
    Turn {
        /// The newest segments that the member has heard of, as their sources signed them; one for each stream.
        heads: Vec<Head>,
        /// What the member's wall clock shows, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// The member's key for beacons.
    Key(Registration),
    /// What the member contributes to the next epoch's beacon.
    Beacon(Box<Contribution>),
    /// The member leaves.
    Leave,
    /// The members of whom this one hears nothing, instead of those that it named before.
    Silent(Vec<PeerId>),
    /// How many of the last [`REMEMBERED`] shards that each member owed this one it gave, in the order of their keys.
    Given(Vec<u8>),
    /// The member lost what it had stored. It takes part again in an epoch that begins after this.
    Lost {
        /// Chosen at random after the loss.
        nonce: Nonce,
    },
}

/// A number that is chosen at random once.
pub type Nonce = [u8; 16];

/// A change of the members that operators want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// Add the peer of this card.
    Add(Box<Card>),
    /// Remove this member.
    Remove(PeerId),
}

impl Motion {
    /// The peer that it is about.
    pub fn peer(&self) -> PeerId {
        match self {
            Motion::Add(card) => card.peer,
            Motion::Remove(peer) => *peer,
        }
    }
}

/// A neighbouring cluster is in its next epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The cluster's number.
    pub cluster: u64,
    /// How the epoch ended that was known of it.
    pub handover: Handover,
    /// The cards of members that are new and no founders.
    pub cards: Vec<Card>,
}

impl Order {
    /// A name for the order: what it consists of, hashed.
    pub fn id(&self) -> Hash {
        Domain::Order.hash(&[&wire::encode(self)])
    }
}

impl Said {
    /// Signs what a member of a cluster says.
    pub fn sign(
        network: Hash,
        signer: &dyn Signer,
        cluster: u64,
        epoch: u64,
        saying: Saying,
    ) -> Said {
        let by = signer.id();
        let text = text(cluster, by, epoch, &saying);
        Said {
            signature: signer.sign(statement(network, &text)),
            by,
            epoch,
            saying,
        }
    }

    /// Whether its member said it in this cluster.
    pub fn is_signed(&self, network: Hash, cluster: u64, verifier: &dyn Verifier) -> bool {
        let text = text(cluster, self.by, self.epoch, &self.saying);
        verifier.verify(self.by, statement(network, &text), &self.signature)
    }
}

/// A peer asks a cluster for a walk to the place that it will have, signed by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Where it can be reached.
    pub card: Card,
    /// What it is admitted by.
    pub credential: Credential,
    /// The epoch of the cluster in which it asks.
    pub epoch: u64,
    signature: Signature,
}

impl Ask {
    /// Signs the question, for one cluster.
    pub fn sign(
        network: Hash,
        signer: &dyn Signer,
        card: Card,
        credential: Credential,
        cluster: u64,
        epoch: u64,
    ) -> Ask {
        let text = wire::encode(&(&card, credential, cluster, epoch));
        Ask {
            signature: signer.sign(asked(network, &text)),
            card,
            credential,
            epoch,
        }
    }

    /// Whether the peer of the card asked it of this cluster.
    pub fn is_signed(&self, network: Hash, cluster: u64, verifier: &dyn Verifier) -> bool {
        let text = wire::encode(&(&self.card, self.credential, cluster, self.epoch));
        verifier.verify(self.card.peer, asked(network, &text), &self.signature)
    }
}

/// A peer claims a place in a cluster, signed by itself: it is there, and wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The peer.
    pub peer: PeerId,
    /// The epoch of the cluster in which it claims the place.
    pub epoch: u64,
    signature: Signature,
}

impl Claim {
    /// Signs the claim, for one cluster.
    pub fn sign(network: Hash, signer: &dyn Signer, cluster: u64, epoch: u64) -> Claim {
        let peer = signer.id();
        let text = wire::encode(&(cluster, epoch, peer));
        Claim {
            signature: signer.sign(claimed(network, &text)),
            peer,
            epoch,
        }
    }

    /// Whether its peer claims a place in this cluster.
    pub fn is_signed(&self, network: Hash, cluster: u64, verifier: &dyn Verifier) -> bool {
        let text = wire::encode(&(cluster, self.epoch, self.peer));
        verifier.verify(self.peer, claimed(network, &text), &self.signature)
    }
}

fn claimed(network: Hash, text: &[u8]) -> Statement<'_> {
    Statement {
        domain: CLAIMED,
        network,
        text,
    }
}

fn asked(network: Hash, text: &[u8]) -> Statement<'_> {
    Statement {
        domain: ASKED,
        network,
        text,
    }
}

fn text(cluster: u64, by: PeerId, epoch: u64, saying: &Saying) -> Vec<u8> {
    wire::encode(&(cluster, by, epoch, saying))
}

fn statement(network: Hash, text: &[u8]) -> Statement<'_> {
    Statement {
        domain: DOMAIN,
        network,
        text,
    }
}
