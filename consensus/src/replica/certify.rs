//! R7 and what leads to it: certificates, own and others', and the checks of their signatures.

use super::Replica;
use crate::{
    application::Application,
    certificate::{Certificate, Claim},
    check::{Check, CheckId, Item, Verdict},
    epoch::View,
    evidence::Evidence,
    io::Output,
    member::{Member, MemberSet},
    message::{Proposal, SnapshotOffer, Tail, Welcome},
    mutant::Mutant,
    storage::Record,
    vote::{SignedVote, Vote},
};
use std::collections::BTreeMap;

/// Checks of signatures that are under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Checks {
    next: CheckId,
    pending: BTreeMap<CheckId, (Vec<Item>, Purpose)>,
    /// Members of whom there is evidence.
    pub accused: MemberSet,
}

/// What signatures are checked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Votes of a view.
    Votes,
    /// Shares of seals.
    Shares,
    /// Two votes that contradict each other.
    Evidence,
    /// Certificates that a member sent, and what rests on them.
    Certificates(Member, Vec<Certificate>, Rests),
}

/// What rests on certificates that a member sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rests {
    Nothing,
    Tail(Box<Tail>),
    Snapshot(Box<SnapshotOffer>),
    /// A leader's block and the leader's signature, which is checked as well.
    Proposal(Box<Proposal>),
    /// Two signatures of a leader, which are checked as well.
    Evidence(Box<Evidence>),
    /// How far somebody has spoken, with proofs against leaders, which are checked as well.
    Welcome(Box<Welcome>),
}

impl<A: Application> Replica<A> {
    /// Has signatures checked.
    pub(super) fn check(&mut self, items: Vec<Item>, purpose: Purpose) {
        if items.is_empty() {
            return;
        }
        let id = self.checks.next;
        self.checks.next += 1;
        let all_or_nothing = matches!(purpose, Purpose::Evidence | Purpose::Certificates(..));
        self.outputs.push_back(Output::Check(Check {
            id,
            epoch: self.epoch.clone(),
            items: items.clone(),
            all_or_nothing,
        }));
        self.checks.pending.insert(id, (items, purpose));
    }

    pub(super) fn on_verdict(&mut self, verdict: Verdict) {
        let Some((items, purpose)) = self.checks.pending.remove(&verdict.id) else {
            return;
        };
        let good = verdict.valid.len() == items.len() && verdict.valid.iter().all(|valid| *valid);
        match purpose {
            Purpose::Votes => self.on_checked_votes(&items, &verdict.valid),
            Purpose::Shares => self.on_checked_shares(&items, &verdict.valid),
            Purpose::Evidence if good => self.on_evidence(&items),
            Purpose::Evidence => {}
            Purpose::Certificates(from, certificates, rests) => {
                let good = good || self.epoch.mutants.has(Mutant::TrustCertificates);
                (self.peers).end_check(from, good, self.now, self.settings.delay);
                if good {
                    for certificate in certificates {
                        self.on_certificate(certificate);
                    }
                    match rests {
                        Rests::Nothing => {}
                        Rests::Tail(tail) => self.on_checked_tail(*tail),
                        Rests::Snapshot(offer) => self.on_checked_snapshot(from, *offer),
                        Rests::Proposal(proposal) => self.on_checked_proposal(&proposal),
                        Rests::Evidence(evidence) => {
                            let items = self.items_of(&Rests::Evidence(evidence));
                            self.on_evidence(&items);
                        }
                        Rests::Welcome(welcome) => {
                            let items = self.items_of(&Rests::Welcome(welcome.clone()));
                            self.on_checked_proofs(&items);
                            self.on_checked_welcome(from, welcome.spoken);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn on_evidence(&mut self, items: &[Item]) {
        let [first, second] = items else {
            return;
        };
        let signed = |item: &Item| SignedVote {
            vote: item.vote,
            signature: item.signature,
        };
        self.prove(first.member, signed(first), signed(second));
    }

    /// Two votes that contradict each other, both with valid signatures.
    pub(super) fn prove(&mut self, member: Member, first: SignedVote, second: SignedVote) {
        let Some(culprit) = self.epoch.peer(member) else {
            return;
        };
        let evidence = Evidence {
            culprit,
            first,
            second,
        };
        if self.epoch.leader(first.vote.view()) == member {
            self.on_equivocation(evidence.clone());
        }
        if self.checks.accused.insert(member) {
            (self.outputs).push_back(Output::Evidence(Box::new(evidence)));
            self.look_for_asynchrony();
        }
    }

    /// Has the votes of a view checked that nobody checked yet, as far as they are wanted.
    pub(super) fn check_votes(&mut self, view: View, wanted: impl Fn(&Vote) -> bool) {
        let items = self.open(view).take_waiting(|vote| wanted(&vote));
        self.check(items, Purpose::Votes);
    }

    fn on_checked_votes(&mut self, items: &[Item], valid: &[bool]) {
        for (item, valid) in items.iter().zip(valid) {
            let view = item.vote.view();
            if view <= self.floor() {
                continue;
            }
            if *valid {
                self.open(view)
                    .accept(item.member, item.vote, item.signature);
            } else {
                self.open(view).refuse(item.member, item.vote);
            }
        }
        let mut counted: Vec<Vote> = items.iter().map(|item| item.vote).collect();
        counted.dedup();
        for vote in counted {
            self.count(vote);
        }
    }

    pub(super) fn is_known(&self, claim: &Claim) -> bool {
        let open = self.views.get(&claim.view());
        match claim {
            Claim::Notarized(block) => {
                block.view <= self.floor()
                    || open.is_some_and(|open| open.notarization_of(*block).is_some())
            }
            Claim::Preferred(block) => {
                block.view <= self.floor()
                    || open.is_some_and(|open| open.strength_of(*block) >= claim.strength())
            }
            Claim::Nullified(view) => {
                *view <= self.floor() || open.is_some_and(|open| open.nullified.is_some())
            }
            Claim::Finalized(block) | Claim::Unanimous(block) => {
                let known = (self.target.as_ref()).and_then(|target| target.claim.commits());
                block.height <= self.log.height()
                    || known.is_some_and(|known| known.height >= block.height)
            }
            Claim::Sealed(seal) => {
                seal.height() <= self.log.height() && !self.wants_seal(seal.height())
            }
        }
    }

    /// Makes a certificate of the votes of a view if they suffice, or has them checked if they may.
    pub(super) fn certify(&mut self, claim: Claim) {
        if claim.view() <= self.floor() || self.is_known(&claim) {
            return;
        }
        let epoch = self.epoch.clone();
        let open = self.open(claim.view());
        if let Some(certificate) = open.certify(claim, &epoch) {
            self.on_certificate(certificate);
        } else if open.suffices(claim, &epoch, false) {
            let (first, second) = claim.votes();
            self.check_votes(claim.view(), |vote| *vote == first || Some(*vote) == second);
        }
    }

    /// Certificates came from a fellow member.
    pub(super) fn on_certificates(&mut self, from: Member, certificates: &[Certificate]) {
        self.compare_with_commits(from, certificates);
        self.admit(from, certificates.to_vec(), Rests::Nothing);
    }

    /// Has those certificates checked that are new, then takes in what rests on them.
    pub(super) fn admit(&mut self, from: Member, certificates: Vec<Certificate>, rests: Rests) {
        let mut unknown = Vec::new();
        let mut items = self.items_of(&rests);
        let alone = matches!(rests, Rests::Tail(_) | Rests::Snapshot(_));
        for certificate in certificates {
            // What has a use of its own is checked even if nothing else is new in it.
            if !alone && self.is_known(&certificate.claim) {
                continue;
            }
            let Some(more) = certificate.items(&self.epoch) else {
                return;
            };
            items.extend(more);
            unknown.push(certificate);
        }
        let worth = !items.is_empty();
        if worth && (self.peers).begin_check(from, self.now, self.most_checks()) {
            self.check(items, Purpose::Certificates(from, unknown, rests));
        }
    }

    /// The signatures of what rests on certificates itself.
    fn items_of(&self, rests: &Rests) -> Vec<Item> {
        let item = |vote: Vote, signature| Item {
            member: self.epoch.leader(vote.view()),
            vote,
            signature,
        };
        match rests {
            Rests::Proposal(proposal) => {
                let vote = Vote::Notarize(proposal.block.header.id());
                vec![item(vote, proposal.signature)]
            }
            Rests::Evidence(evidence) => [evidence.first, evidence.second]
                .map(|signed| item(signed.vote, signed.signature))
                .to_vec(),
            Rests::Welcome(welcome) => (welcome.proofs.iter())
                .flat_map(|proof| [proof.first, proof.second])
                .map(|signed| item(signed.vote, signed.signature))
                .collect(),
            Rests::Nothing | Rests::Tail(_) | Rests::Snapshot(_) => Vec::new(),
        }
    }

    /// A valid certificate is there: R6, R7, R8.
    pub(super) fn on_certificate(&mut self, certificate: Certificate) {
        if self.is_known(&certificate.claim) {
            return;
        }
        let view = certificate.claim.view();
        match certificate.claim {
            Claim::Notarized(_) if self.is_mere_notarization(&certificate.claim) => {
                self.keep(&certificate);
                self.on_certified_in_time(&certificate);
                self.open(view).notarized.push(certificate);
            }
            Claim::Notarized(block) | Claim::Preferred(block) => {
                self.keep(&certificate);
                self.on_certified_in_time(&certificate);
                self.open(view).notarized.push(certificate);
                self.finalize(block);
                self.enter(view.saturating_add(1));
            }
            Claim::Nullified(_) => {
                self.keep(&certificate);
                self.open(view).nullified = Some(certificate);
                self.on_void(view);
                self.enter(view.saturating_add(1));
            }
            Claim::Finalized(block) | Claim::Unanimous(block) => {
                self.keep(&certificate);
                let strength = certificate.claim.strength();
                let more =
                    (self.views.get(&view)).is_none_or(|open| open.strength_of(block) < strength);
                if block.view > self.floor() && more {
                    self.open(view).notarized.push(certificate.clone());
                }
                self.target = Some(certificate);
                self.enter(view.saturating_add(1));
                self.execute_target();
            }
            Claim::Sealed(seal) if seal.height() <= self.log.height() => {
                self.on_seal(seal.height(), certificate);
            }
            Claim::Sealed(seal) => {
                // Whoever is ahead proves it; what is missing is fetched.
                self.catch_up.heard_of(seal.height(), self.now);
                if let Some(synchrony) = &mut self.synchrony {
                    synchrony.is_over |= seal.successors.is_some();
                }
                if self.synchrony.is_some()
                    && view > self.floor()
                    && self.open(view).strength_of(seal.block) < certificate.claim.strength()
                {
                    // Until then nobody here builds past it.
                    self.keep(&certificate);
                    self.open(view).notarized.push(certificate);
                    self.enter(view.saturating_add(1));
                }
            }
        }
    }

    /// Writes a certificate down, before any vote that rests on it.
    fn keep(&mut self, certificate: &Certificate) {
        if !self.recovering {
            self.record(&Record::Certificate(certificate.clone()));
        }
    }

    /// R7: goes to a later view.
    pub(super) fn enter(&mut self, view: View) {
        if view <= self.view {
            return;
        }
        self.view = view;
        self.timing.entered(self.now);
        // What is said in views long left matters no more; their certificates may.
        let old = view.saturating_sub(super::VIEWS_AHEAD);
        for (_, open) in self
            .views
            .range_mut(..old)
            .rev()
            .take_while(|(_, open)| !open.is_bare())
        {
            if let Some(block) = open.strip() {
                self.blocks.remove(&block.hash);
            }
        }
    }
}
