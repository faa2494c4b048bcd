//! Who knows everything, and tells when a promise is broken.

use super::{keys::CheapKeys, ledger::Ledger, plan::Plan};
use hamlet_consensus::{
    Epoch, Message,
    block::BlockId,
    certificate::{Certificate, Claim},
    command::CommandId,
    epoch::{Height, View},
    evidence::Evidence,
    hash::Hash,
    outcome::{Outcome, OutcomeProof},
    vote::{Seal, SignedVote, Vote},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two honest members executed different commands at one place in the log.
    Agreement(String),
    /// A command was executed twice, or nobody submitted it.
    Integrity(String),
    /// A certificate that an honest member relies on is not valid, or two contradict each other.
    Certificate(String),
    /// An honest member signed two votes that contradict each other, or is held to have misbehaved.
    Framed(String),
    /// A member could not come back from its disk.
    Recovery(String),
    /// What was submitted did not get done, long after stabilisation.
    Stuck(String),
    /// An idle cluster sent more than beats.
    Unquiet(String),
    /// Messages were called late that were not.
    Alarm(String),
}

impl Violation {
    /// The promise that was broken, in a word or two.
    pub fn invariant(&self) -> &'static str {
        self.parts().0
    }

    /// What happened.
    pub fn detail(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Violation::Agreement(detail) => ("agreement", detail),
            Violation::Integrity(detail) => ("integrity", detail),
            Violation::Certificate(detail) => ("certificate soundness", detail),
            Violation::Framed(detail) => ("no honest evidence", detail),
            Violation::Recovery(detail) => ("recovery", detail),
            Violation::Stuck(detail) => ("progress", detail),
            Violation::Unquiet(detail) => ("quiescence", detail),
            Violation::Alarm(detail) => ("no false alarm", detail),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (invariant, detail) = self.parts();
        write!(f, "{invariant}: {detail}")
    }
}

/// Who knows everything.
pub struct Oracle {
    epoch: Arc<Epoch>,
    keys: CheapKeys,
    honest: BTreeSet<u8>,
    /// Per place in the log, from 1: the command and the digest after it.
    history: BTreeMap<u64, (CommandId, [u8; 16])>,
    executed: BTreeSet<CommandId>,
    /// Per height, the block that a certificate commits.
    committed: BTreeMap<Height, Hash>,
    /// What honest members signed.
    votes: BTreeMap<(u8, View), Vec<Vote>>,
    seals: BTreeMap<(u8, Height), Vote>,
    /// Honest signers of what commits, with which liars could make a certificate.
    signers: BTreeMap<Vote, BTreeSet<u8>>,
    /// Per height, the seal that outsiders could be shown.
    sealed: BTreeMap<Height, Vote>,
    /// What each block builds on, as far as somebody honest spoke of it.
    parents: BTreeMap<Hash, BlockId>,
    /// Members that crash; under synchrony they count among the faulty.
    shaky: BTreeSet<u8>,
    /// Under synchrony: what members that do not crash finalized, by view, and what they voted for.
    finalized: BTreeMap<View, BlockId>,
    supported: BTreeSet<(View, BlockId)>,
    /// How far each member's state is.
    counts: BTreeMap<u8, u64>,
    violation: Option<Violation>,
}

impl Oracle {
    pub(in crate::torture) fn new(plan: &Plan, epoch: Arc<Epoch>, keys: CheapKeys) -> Oracle {
        Oracle {
            epoch,
            keys,
            honest: (0..plan.members)
                .filter(|member| plan.is_honest(*member))
                .collect(),
            history: BTreeMap::new(),
            executed: BTreeSet::new(),
            committed: BTreeMap::new(),
            votes: BTreeMap::new(),
            seals: BTreeMap::new(),
            signers: BTreeMap::new(),
            sealed: BTreeMap::new(),
            parents: BTreeMap::new(),
            shaky: (plan.crashes.iter())
                .map(|(_, member, _)| *member)
                .collect(),
            finalized: BTreeMap::new(),
            supported: BTreeSet::new(),
            counts: BTreeMap::new(),
            violation: None,
        }
    }

    /// The first promise that was broken.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(in crate::torture) fn blame(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// How many commands were executed by somebody honest.
    pub fn length(&self) -> u64 {
        self.history.len() as u64
    }

    /// Whether a command was executed by somebody honest.
    pub fn has_executed(&self, command: &CommandId) -> bool {
        self.executed.contains(command)
    }

    /// An honest member executed a command.
    pub(in crate::torture) fn executed(&mut self, member: u8, outcome: &Outcome) {
        let Some((count, digest)) = Ledger::parse(&outcome.answer) else {
            return self.blame(Violation::Integrity("an answer was changed".into()));
        };
        let entry = (outcome.command, digest);
        match self.history.get(&count) {
            Some(known) if *known != entry => {
                let text = format!(
                    "member {member} executed {entry:?} at place {count}, another {known:?}"
                );
                self.blame(Violation::Agreement(text));
            }
            Some(_) => {}
            None => {
                if count != self.length() + 1 {
                    let text = format!("member {member} skipped to place {count}");
                    self.blame(Violation::Agreement(text));
                }
                self.history.insert(count, entry);
                if !self.executed.insert(outcome.command) {
                    let text = format!("member {member} executed {:?} twice", outcome.command);
                    self.blame(Violation::Integrity(text));
                }
            }
        }
        self.state(member, count, digest);
    }

    /// An honest member came to a state, by executing, by a snapshot or after a crash.
    pub(in crate::torture) fn state(&mut self, member: u8, count: u64, digest: [u8; 16]) {
        let known = self.history.get(&count).map(|(_, digest)| *digest);
        if count > 0 && known != Some(digest) {
            let text = format!("member {member} is in a state of its own after {count} commands");
            self.blame(Violation::Agreement(text));
        }
        self.counts.insert(member, count);
    }

    /// How far a member's state is.
    pub fn count(&self, member: u8) -> u64 {
        self.counts.get(&member).copied().unwrap_or(0)
    }

    /// Somebody handed out evidence.
    pub(in crate::torture) fn evidence(&mut self, evidence: &Evidence) {
        let culprit = self.epoch.position(evidence.culprit);
        if culprit.is_none_or(|culprit| self.honest.contains(&culprit)) {
            self.blame(Violation::Framed(format!("{evidence:?}")));
        } else if !evidence.verify(&self.epoch, &self.keys) {
            let text = format!("evidence that proves nothing: {evidence:?}");
            self.blame(Violation::Certificate(text));
        }
    }

    /// A client got a proof of an outcome.
    pub(in crate::torture) fn proof(&mut self, proof: &OutcomeProof) {
        let place = Ledger::parse(&proof.outcome.answer);
        let true_outcome = place.is_some_and(|(count, digest)| {
            self.history.get(&count) == Some(&(proof.outcome.command, digest))
        });
        if !true_outcome || !proof.verify(&self.epoch, &self.keys) {
            let text = format!("a client's proof is worth nothing: {:?}", proof.outcome);
            self.blame(Violation::Certificate(text));
        }
    }

    /// An honest member sent a message.
    pub(in crate::torture) fn sent(&mut self, member: u8, message: &Message) {
        match message {
            Message::Vote(signed) => self.voted(member, signed),
            Message::Proposal(proposal) => {
                self.learn(message);
                let signed = SignedVote {
                    vote: Vote::Notarize(proposal.block.header.id()),
                    signature: proposal.signature,
                };
                // Under synchrony others hand it on as well.
                if self.epoch.leader(signed.vote.view()) == member {
                    self.voted(member, &signed);
                }
                proposal
                    .justification
                    .iter()
                    .for_each(|c| self.certificate(member, c));
            }
            Message::Certificates(certificates) => {
                certificates
                    .iter()
                    .for_each(|c| self.certificate(member, c));
            }
            Message::Tail(tail) => self.certificate(member, &tail.certificate),
            Message::Snapshot(offer) => self.certificate(member, &offer.seal),
            _ => {}
        }
    }

    /// Somebody proposed a block, or hands one on.
    pub(in crate::torture) fn learn(&mut self, message: &Message) {
        if let Message::Proposal(proposal) = message {
            let header = &proposal.block.header;
            (self.parents).insert(header.id().hash, header.parent_id());
        }
    }

    fn voted(&mut self, member: u8, signed: &SignedVote) {
        self.sign(member, signed.vote);
        self.bind(member, signed.vote);
        let known = match signed.vote {
            Vote::Seal(seal) => {
                let first = *self
                    .seals
                    .entry((member, seal.height()))
                    .or_insert(signed.vote);
                (first != signed.vote).then_some(first)
            }
            vote => {
                let votes = self.votes.entry((member, vote.view())).or_default();
                if !votes.contains(&vote) {
                    votes.push(vote);
                }
                votes.iter().find(|known| known.contradicts(&vote)).copied()
            }
        };
        if let Some(known) = known {
            let text = format!(
                "honest member {member} signed {known:?} and {:?}",
                signed.vote
            );
            self.blame(Violation::Framed(text));
        }
    }

    /// Notes what could be certified now if all liars helped: outsiders must never be shown two certificates that
    /// contradict each other, whoever made them.
    fn sign(&mut self, member: u8, vote: Vote) {
        let (Vote::Finalize(block) | Vote::Seal(Seal { block, .. })) = vote else {
            return;
        };
        let signers = self.signers.entry(vote).or_default();
        signers.insert(member);
        let liars = self.epoch.size() - self.honest.len();
        if signers.len() + liars >= self.epoch.quorum() {
            self.commit(block, "could be shown as committed");
            if matches!(vote, Vote::Seal(_))
                && *self.sealed.entry(block.height).or_insert(vote) != vote
            {
                let text = format!("two seals could be shown of height {}", block.height);
                self.blame(Violation::Certificate(text));
            }
        }
    }

    fn commit(&mut self, block: BlockId, how: &str) {
        let mut next = Some(block);
        while let Some(block) = next.filter(|block| block.height > 0) {
            let first = !self.committed.contains_key(&block.height);
            let known = *self.committed.entry(block.height).or_insert(block.hash);
            if known != block.hash {
                let text = format!("two blocks {how} at height {}", block.height);
                self.blame(Violation::Certificate(text));
            }
            next = (self.parents.get(&block.hash).copied()).filter(|_| first);
        }
    }

    /// Whether a block builds on another, as far as blocks are known.
    fn descends(&self, block: BlockId, from: BlockId) -> bool {
        let mut at = block;
        while at.view > from.view {
            match self.parents.get(&at.hash) {
                Some(parent) => at = *parent,
                None => return true,
            }
        }
        at == from
    }

    /// Under synchrony, from which agreement follows: what somebody honest finalized binds everybody honest in all later views.
    fn bind(&mut self, member: u8, vote: Vote) {
        let bound = self.epoch.terms().model.bound();
        if bound.is_none() || self.shaky.contains(&member) {
            return;
        }
        let broken = match vote {
            Vote::Finalize(block) => {
                let known = *self.finalized.entry(block.view).or_insert(block);
                let past = (self.supported.range((block.view + 1, block)..))
                    .find(|(_, other)| !self.descends(*other, block));
                past.map(|(_, other)| (block, *other))
                    .or((known != block).then_some((known, block)))
            }
            Vote::Notarize(block) | Vote::Support(block) => {
                self.supported.insert((block.view, block));
                let mut before = self.finalized.range(..block.view);
                let past = before.find(|(_, bound)| !self.descends(block, **bound));
                past.map(|(_, bound)| (*bound, block))
            }
            _ => None,
        };
        if let Some((bound, other)) = broken {
            let text = format!("{bound:?} was finalized, and {other:?} passes over it");
            self.blame(Violation::Agreement(text));
        }
    }

    /// Whether somebody honest voted for a block, as every certificate of it needs.
    fn is_vouched_for(&self, block: BlockId) -> bool {
        // Under synchrony an honest member may support what only liars notarized.
        let in_time = self.epoch.terms().model.bound().is_some();
        self.honest.iter().any(|member| {
            (self.votes.get(&(*member, block.view))).is_some_and(|votes| {
                let helps = in_time && votes.contains(&Vote::Support(block));
                helps || votes.contains(&Vote::Notarize(block))
            })
        })
    }

    fn certificate(&mut self, member: u8, certificate: &Certificate) {
        if !certificate.verify(&self.epoch, &self.keys) {
            let text = format!("member {member} relies on {:?}", certificate.claim);
            return self.blame(Violation::Certificate(text));
        }
        if let Claim::Notarized(block)
        | Claim::Preferred(block)
        | Claim::Finalized(block)
        | Claim::Unanimous(block) = certificate.claim
            && !self.is_vouched_for(block)
        {
            let text =
                format!("nobody honest voted for {block:?}, which member {member} relies on");
            return self.blame(Violation::Certificate(text));
        }
        let block = match certificate.claim {
            Claim::Sealed(seal) => Some(seal.block),
            claim => claim.commits(),
        };
        if let Some(block) = block {
            self.commit(block, "are committed");
        }
    }
}
