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

/// One fixed membership of a cluster, and all that its members' signatures are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch {
    network: Hash,
    id: Hash,
    terms: Terms,
    members: Vec<PeerId>,
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
}

impl Epoch {
    /// The epoch `number` of `cluster` in `network`, with these members in this order.
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
        if members.is_empty() || members.len() > MAX_MEMBERS {
            return Err(EpochError::Size(members.len()));
        }
        let mut sorted = members.clone();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(EpochError::Double);
        }
        let text = wire::encode(&(network, cluster, number, terms, &members));
        Ok(Epoch {
            network,
            id: Domain::Epoch.hash(&text),
            terms,
            members,
            mutants: Mutants::default(),
        })
    }

    /// The network it belongs to.
    pub fn network(&self) -> Hash {
        self.network
    }

    /// The hash of everything that defines it. Every signature of its members covers it.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// What its members agreed on beforehand.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Whether the state is sealed after this height.
    pub fn has_snapshot(&self, height: Height) -> bool {
        height.is_multiple_of(self.terms.snapshot_every.max(1))
    }

    /// Its members, by position.
    pub fn members(&self) -> &[PeerId] {
        &self.members
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// All members.
    pub fn all(&self) -> MemberSet {
        MemberSet::below(self.size())
    }

    /// The position of a peer, if it is a member.
    pub fn position(&self, peer: PeerId) -> Option<Member> {
        (self.members.iter().position(|member| *member == peer)).map(|at| at as Member)
    }

    /// The peer at a position.
    pub fn peer(&self, member: Member) -> Option<PeerId> {
        self.members.get(usize::from(member)).copied()
    }

    /// How many members may be Byzantine: `f`.
    pub fn faults(&self) -> usize {
        self.terms.model.kind().faults(self.size())
    }

    /// How many members' votes decide: `q`.
    pub fn quorum(&self) -> usize {
        let quorum = self.terms.model.kind().quorum(self.size());
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
        self.terms.model.strong(self.size())
    }

    /// What so many first votes for a block say.
    pub(crate) fn strong_claim(&self, block: BlockId) -> Claim {
        match self.terms.model {
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
    #[cfg(feature = "mutants")]
    pub fn with_mutants(mut self, mutants: Mutants) -> Epoch {
        self.mutants = mutants;
        self
    }
}
