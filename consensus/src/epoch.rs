//! One fixed membership of a cluster.

use crate::{
    block::BlockId,
    certificate::Claim,
    fault_model::Model,
    hash::{Domain, Hash},
    identity::PeerId,
    member::{MAX_MEMBERS, Member, MemberSet},
    mutant::{Mutant, Mutants},
    wire,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The number of an attempt to agree on a block; 0 is the epoch's start.
pub type View = u64;
/// A block's place in the cluster's log.
pub type Height = u64;

/// What the members of an epoch must agree on beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// What is assumed of the members and of the network.
    pub model: Model,
    /// Every so many heights the state is sealed, and the log before it can be forgotten; at least 1.
    pub snapshot_every: Height,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            model: Model::PartialSynchrony,
            snapshot_every: 128,
        }
    }
}

/// The most bytes that an application binds to an epoch.
pub const MAX_CONTEXT_BYTES: usize = 2048;
/// The most epochs that follow one: those of a cluster and of one that split from it.
pub const MAX_SUCCESSORS: usize = 2;

/// A membership: what defines an epoch, but for its network and the state that it begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Charter {
    /// The cluster.
    pub cluster: Hash,
    /// The epoch's number; that of a cluster's first is 0.
    pub number: u64,
    /// What its members must agree on beforehand.
    pub terms: Terms,
    /// The members, in the order of their positions.
    pub members: Vec<PeerId>,
    /// What the application binds to the epoch: at most [`MAX_CONTEXT_BYTES`].
    pub context: Bytes,
}

/// What an epoch begins with: the state in which the one before ended (E2). A cluster's first has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The last height of the epoch before; heights go on from it.
    pub height: Height,
    /// The root of the state after it.
    pub state: Hash,
}

/// One fixed membership of a cluster, and all that its members' signatures are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch {
    network: Hash,
    id: Hash,
    charter: Charter,
    origin: Origin,
    pub(crate) mutants: Mutants,
}

/// A membership that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// Too few or too many.
    #[error("an epoch has 1 to {MAX_MEMBERS} members, not {0}")]
    Size(usize),
    /// One peer twice.
    #[error("a peer is listed twice among the members")]
    Double,
    /// Too much is bound to it.
    #[error("an application binds at most {MAX_CONTEXT_BYTES} bytes to an epoch, not {0}")]
    Context(usize),
}

impl Charter {
    /// The epoch of this charter that begins with `origin`.
    ///
    /// # Errors
    /// If there are no members or too many, one is there twice, or the context is too long.
    pub fn found(self, network: Hash, origin: Origin) -> Result<Epoch, EpochError> {
        let Charter {
            members, context, ..
        } = &self;
        if members.is_empty() || members.len() > MAX_MEMBERS {
            return Err(EpochError::Size(members.len()));
        }
        if context.len() > MAX_CONTEXT_BYTES {
            return Err(EpochError::Context(context.len()));
        }
        let mut sorted = members.clone();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(EpochError::Double);
        }
        Ok(Epoch {
            network,
            id: Domain::Epoch.hash(&wire::encode(&(network, &self, origin))),
            charter: self,
            origin,
            mutants: Mutants::default(),
        })
    }

    /// The hash of what follows an epoch.
    pub fn hash(successors: &[Charter], merge: Option<&Merge>) -> Hash {
        Domain::Successors.hash(&wire::encode(&(successors, merge)))
    }
}

/// What the end of an epoch has to do with another cluster (E10, E11).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Merge {
    /// The cluster asks an epoch of another one to take it in. The one charter that follows is for the case that it is not.
    Asks(Box<Host>),
    /// With the first epoch that follows, the cluster takes in another one: that which asked, and would go on alone as the
    /// epoch of this id ([`Doubt::guest`](crate::succession::Doubt::guest)).
    Takes(Hash),
}

/// An epoch that is asked to take in another cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Host {
    /// Its membership.
    pub charter: Charter,
    /// What it began with.
    pub origin: Origin,
}

impl Host {
    /// This epoch as a host.
    pub fn of(epoch: &Epoch) -> Host {
        Host {
            charter: epoch.charter.clone(),
            origin: epoch.origin,
        }
    }
}

impl Epoch {
    /// The epoch `number` of `cluster` in `network`, with these members in this order, which begins with nothing.
    ///
    /// # Errors
    /// If there are none or too many, or one is there twice.
    pub fn new(
        network: Hash,
        cluster: Hash,
        number: u64,
        terms: Terms,
        members: Vec<PeerId>,
    ) -> Result<Epoch, EpochError> {
        let charter = Charter {
            cluster,
            number,
            terms,
            members,
            context: Bytes::new(),
        };
        charter.found(network, Origin::default())
    }

    /// The network it belongs to.
    pub fn network(&self) -> Hash {
        self.network
    }

    /// The hash of everything that defines it. Every signature of its members covers it.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// Its membership.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// What it begins with.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The epoch's number.
    pub fn number(&self) -> u64 {
        self.charter.number
    }

    /// What its members agreed on beforehand.
    pub fn terms(&self) -> Terms {
        self.charter.terms
    }

    /// Whether the state is sealed after this height.
    pub fn has_snapshot(&self, height: Height) -> bool {
        height.is_multiple_of(self.charter.terms.snapshot_every.max(1))
    }

    /// Its members, by position.
    pub fn members(&self) -> &[PeerId] {
        &self.charter.members
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.charter.members.len()
    }

    /// All members.
    pub fn all(&self) -> MemberSet {
        MemberSet::below(self.size())
    }

    /// The position of a peer, if it is a member.
    pub fn position(&self, peer: PeerId) -> Option<Member> {
        (self
            .charter
            .members
            .iter()
            .position(|member| *member == peer))
        .map(|at| at as Member)
    }

    /// The peer at a position.
    pub fn peer(&self, member: Member) -> Option<PeerId> {
        self.charter.members.get(usize::from(member)).copied()
    }

    /// How many members may be Byzantine: `f`.
    pub fn faults(&self) -> usize {
        self.charter.terms.model.kind().faults(self.size())
    }

    /// How many members' votes decide: `q`.
    pub fn quorum(&self) -> usize {
        let quorum = self.charter.terms.model.kind().quorum(self.size());
        if self.mutants.has(Mutant::SmallQuorum) {
            return quorum - 1;
        }
        quorum
    }

    /// How many members' first votes say more than a notarization: see [`Model::strong`].
    pub fn strong(&self) -> usize {
        if self.mutants.has(Mutant::FastQuorum) {
            return self.quorum();
        }
        self.charter.terms.model.strong(self.size())
    }

    /// What so many first votes for a block say.
    pub(crate) fn strong_claim(&self, block: BlockId) -> Claim {
        match self.charter.terms.model {
            Model::PartialSynchrony => Claim::Unanimous(block),
            Model::Synchrony { .. } => Claim::Preferred(block),
        }
    }

    /// So many that one of them is honest: `f + 1`.
    pub fn honest(&self) -> usize {
        self.faults() + 1
    }

    /// Who leads a view.
    pub fn leader(&self, view: View) -> Member {
        (view % self.size() as u64) as Member
    }

    /// The same epoch with rules broken on purpose, to test tests.
    #[cfg(any(test, feature = "mutants"))]
    pub fn with_mutants(mut self, mutants: Mutants) -> Epoch {
        self.mutants = mutants;
        self
    }
}
