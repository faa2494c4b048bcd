//! What a replica knows of one view that is not settled yet.

use crate::{
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    check::Item,
    epoch::Epoch,
    evidence::Evidence,
    identity::Signature,
    member::{Member, MemberSet},
    mutant::Mutant,
    tally::Tally,
    time::Time,
    vote::{SignedVote, Vote},
};

/// How many votes of one kind are heard of one member in one view: one, and one that contradicts it.
const MAX_OF_A_KIND: usize = 2;

/// What this member itself voted in a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Own {
    /// All its votes, in order.
    pub votes: Vec<SignedVote>,
}

impl Own {
    pub fn first(&self) -> Option<Vote> {
        (self.votes.iter().map(|signed| signed.vote)).find(Vote::is_first)
    }

    pub fn finalized(&self) -> Option<BlockId> {
        self.votes.iter().find_map(|signed| match signed.vote {
            Vote::Finalize(block) => Some(block),
            _ => None,
        })
    }

    /// The block that it notarized or supported first.
    pub fn voted_for(&self) -> Option<BlockId> {
        self.votes.iter().find_map(|signed| match signed.vote {
            Vote::Notarize(block) | Vote::Support(block) => Some(block),
            _ => None,
        })
    }

    pub fn gave(&self, vote: Vote) -> bool {
        self.votes.iter().any(|signed| signed.vote == vote)
    }

    /// Whether nothing stands against finalizing `block` (R6).
    pub fn may_finalize(&self, block: BlockId) -> bool {
        (self.votes.iter()).all(|signed| signed.vote == Vote::Notarize(block))
    }
}

/// A vote that was heard, and one that contradicts it.
pub(crate) type Contradiction = (SignedVote, SignedVote);

/// What a replica knows of one view that is not settled yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct OpenView {
    pub own: Own,
    /// The leader's block.
    pub proposal: Option<SoundBlock>,
    /// Whether this member has given up the view (R3).
    pub given_up: bool,
    /// Certificates of blocks; there is more than one only if the leader equivocated.
    pub notarized: Vec<Certificate>,
    pub nullified: Option<Certificate>,
    /// Synchrony: when everything that others may rest on here is known, if the view is void (S6).
    pub ripe: Option<Time>,
    /// Synchrony: blocks whose certificates came after that.
    pub late: Vec<BlockId>,
    /// Synchrony: the block that nobody objected to in time (S4).
    pub settled: Option<BlockId>,
    /// Synchrony: the proof that the leader proposed two blocks (S3).
    pub equivocation: Option<Box<Evidence>>,
    /// Synchrony: members that were here when others were told what is known of this view, if it is void (S6).
    pub told: MemberSet,
    /// In the order of their votes, so that nothing depends on which came first.
    pub tallies: Vec<Tally>,
}

impl OpenView {
    pub fn tally(&self, vote: Vote) -> Option<&Tally> {
        let at = self.tallies.binary_search_by_key(&vote, |tally| tally.vote);
        at.ok().map(|at| &self.tallies[at])
    }

    fn tally_mut(&mut self, vote: Vote) -> &mut Tally {
        let at = self.tallies.binary_search_by_key(&vote, |tally| tally.vote);
        let at = at.unwrap_or_else(|at| {
            self.tallies.insert(at, Tally::new(vote));
            at
        });
        &mut self.tallies[at]
    }

    /// Takes in a vote of a fellow member; whether it is new, and what it contradicts.
    pub fn hear(&mut self, member: Member, signed: SignedVote) -> (bool, Option<Contradiction>) {
        let kind = std::mem::discriminant(&signed.vote);
        let mut of_a_kind = 0;
        let mut contradiction = None;
        for tally in &self.tallies {
            if tally.heard().contains(member) {
                of_a_kind += usize::from(std::mem::discriminant(&tally.vote) == kind);
                if tally.vote.contradicts(&signed.vote) {
                    contradiction = tally.signature(member).map(|signature| {
                        let vote = tally.vote;
                        (SignedVote { vote, signature }, signed)
                    });
                }
            }
        }
        if of_a_kind >= MAX_OF_A_KIND {
            return (false, None);
        }
        let new = self.tally_mut(signed.vote).hear(member, signed.signature);
        (new, contradiction.filter(|_| new))
    }

    /// Takes in a vote with a valid signature.
    pub fn accept(&mut self, member: Member, vote: Vote, signature: Signature) {
        self.tally_mut(vote).accept(member, signature);
    }

    /// Forgets a vote with a bad signature.
    pub fn refuse(&mut self, member: Member, vote: Vote) {
        self.tally_mut(vote).refuse(member);
    }

    fn heard(&self, vote: Vote) -> MemberSet {
        self.tally(vote).map_or(MemberSet::EMPTY, Tally::heard)
    }

    fn valid(&self, vote: Vote) -> MemberSet {
        self.tally(vote).map_or(MemberSet::EMPTY, Tally::valid)
    }

    /// Blocks with first votes, other than that of the own first vote.
    pub fn other_blocks(&self, own: Vote) -> Vec<BlockId> {
        (self.tallies.iter())
            .filter(|tally| tally.vote != own)
            .filter_map(|tally| match tally.vote {
                Vote::Notarize(block) => Some(block),
                _ => None,
            })
            .collect()
    }

    /// Members heard to have cast a first vote for something other than `block`, by valid votes or by all.
    pub fn against(&self, block: BlockId, valid: bool) -> MemberSet {
        (self.tallies.iter())
            .filter(|tally| tally.vote.is_first() && tally.vote != Vote::Notarize(block))
            .map(|tally| if valid { tally.valid() } else { tally.heard() })
            .fold(MemberSet::EMPTY, MemberSet::union)
    }

    /// Members whose first vote is heard to be for `block`, by valid votes or by all.
    pub fn votes_for(&self, block: BlockId, valid: bool) -> MemberSet {
        if valid {
            self.valid(Vote::Notarize(block))
        } else {
            self.heard(Vote::Notarize(block))
        }
    }

    /// Members heard to have given up this view.
    pub fn gave_up(&self) -> MemberSet {
        (self.tallies.iter())
            .filter(|tally| matches!(tally.vote, Vote::Nullify(_) | Vote::Abandon(_)))
            .map(Tally::heard)
            .fold(MemberSet::EMPTY, MemberSet::union)
    }

    /// Whether enough members were heard for a certificate of `claim`, counting unchecked votes or not.
    pub fn suffices(&self, claim: Claim, epoch: &Epoch, valid: bool) -> bool {
        let (first, second) = claim.votes();
        let of = |vote| {
            if valid {
                self.valid(vote)
            } else {
                self.heard(vote)
            }
        };
        let (first, second) = (of(first), second.map_or(MemberSet::EMPTY, of));
        let count = if epoch.mutants.has(Mutant::CountTwice) {
            first.len() + second.len()
        } else {
            first.union(second).len()
        };
        count >= claim.threshold(epoch)
    }

    /// The certificate of `claim` from valid votes, if they suffice.
    pub fn certify(&self, claim: Claim, epoch: &Epoch) -> Option<Certificate> {
        if !self.suffices(claim, epoch, true) {
            return None;
        }
        let threshold = claim.threshold(epoch);
        let (first_vote, second_vote) = claim.votes();
        let first = self.valid(first_vote).lowest(threshold);
        let more = second_vote.map_or(MemberSet::EMPTY, |vote| self.valid(vote));
        let more = if epoch.mutants.has(Mutant::CountTwice) {
            more
        } else {
            more.without(first)
        };
        let second = more.lowest(threshold - first.len());
        let of = |vote: Vote, members| {
            (self.tally(vote).into_iter()).flat_map(move |tally| tally.signatures_of(members))
        };
        Some(Certificate {
            claim,
            first,
            second,
            signatures: of(first_vote, first)
                .chain(second_vote.into_iter().flat_map(|vote| of(vote, second)))
                .collect(),
        })
    }

    /// Takes out the unchecked votes of these kinds, to be checked now.
    pub fn take_waiting(&mut self, wanted: impl Fn(Vote) -> bool) -> Vec<Item> {
        (self.tallies.iter_mut())
            .filter(|tally| tally.is_waiting() && wanted(tally.vote))
            .flat_map(Tally::take_waiting)
            .collect()
    }

    /// What shows that others may build on `block`: its notarization, or what commits it.
    pub fn notarization_of(&self, block: BlockId) -> Option<&Certificate> {
        (self.notarized.iter())
            .filter(|certificate| certificate.claim.votes().0.block() == Some(block))
            .max_by_key(|certificate| certificate.claim.strength())
    }

    /// How much is certified of a block; 0 for nothing.
    pub fn strength_of(&self, block: BlockId) -> u8 {
        self.notarization_of(block)
            .map_or(0, |certificate| certificate.claim.strength())
    }

    /// The certificate of a block that says most.
    pub fn best(&self) -> Option<&Certificate> {
        // The first of equals.
        (self.notarized.iter().rev()).max_by_key(|certificate| certificate.claim.strength())
    }

    /// What says most about a block, and the nullification.
    pub fn certificates(&self) -> Vec<Certificate> {
        (self.best().into_iter().chain(&self.nullified))
            .cloned()
            .collect()
    }

    /// A block that is certified here, as far as that was known in time (S6).
    pub fn locked(&self) -> Option<BlockId> {
        (self.notarized.iter())
            .filter_map(|certificate| certificate.claim.votes().0.block())
            .find(|block| !self.late.contains(block))
    }

    /// A valid first vote of a member for another block.
    pub fn other_notarize(&self, member: Member, than: Vote) -> Option<SignedVote> {
        (self.tallies.iter())
            .filter(|tally| matches!(tally.vote, Vote::Notarize(_)) && tally.vote != than)
            .find(|tally| tally.valid().contains(member))
            .and_then(|tally| {
                let (vote, signature) = (tally.vote, tally.signature(member)?);
                Some(SignedVote { vote, signature })
            })
    }

    /// Members heard to have voted for a block.
    pub fn supporters(&self, block: BlockId) -> MemberSet {
        self.heard(Vote::Notarize(block))
            .union(self.heard(Vote::Support(block)))
    }

    /// Whether later blocks may pass over this view: it is nullified or, under synchrony, its leader is proved to have
    /// proposed two blocks.
    pub fn is_void(&self) -> bool {
        self.nullified.is_some() || self.equivocation.is_some()
    }

    /// Whether only certificates and own votes are left.
    pub fn is_bare(&self) -> bool {
        let own = self.own.first();
        self.tallies.iter().all(|tally| Some(tally.vote) == own)
            && (self.proposal.is_none() || !self.notarized.is_empty())
    }

    /// Forgets what others said, but who voted as this member, its leader among them (S3); and a block that did not get
    /// notarized.
    pub fn strip(&mut self) -> Option<BlockId> {
        let own = self.own.first();
        self.tallies.retain(|tally| Some(tally.vote) == own);
        let proposal = self.proposal.take_if(|_| self.notarized.is_empty());
        proposal.map(|block| block.id())
    }

    /// The block of which most is certified.
    pub fn notarized_block(&self) -> Option<BlockId> {
        self.best()
            .and_then(|certificate| certificate.claim.votes().0.block())
    }
}
