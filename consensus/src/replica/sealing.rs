//! R11: seals, from which outsiders and newcomers know what is committed.

use super::{Replica, certify::Purpose};
use crate::{
    application::Application,
    certificate::{Certificate, Claim},
    check::Item,
    command::CommandId,
    epoch::{Epoch, Height},
    io::{Output, Refusal, Reply},
    log::Executed,
    member::{Member, MemberSet},
    message::Message,
    mutant::Mutant,
    outcome::{Outcome, OutcomeProof},
    storage::Record,
    time::Time,
    view::OpenView,
    vote::{SignedVote, Vote},
};
use std::collections::BTreeMap;

/// The most heights whose seals are collected at a time; the lowest go first.
const MAX_WANTED: usize = 64;
/// How often a seal is asked for before it is given up.
const MAX_REQUESTS: u32 = 16;
/// The most seals that are kept for clients who ask again.
const MAX_KEPT: usize = 64;

/// Seals on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seals {
    /// Shares, by height; what a view is to votes.
    shares: BTreeMap<Height, OpenView>,
    /// Heights whose seals are asked for, and how often they were.
    wanted: BTreeMap<Height, u32>,
    kept: BTreeMap<Height, Certificate>,
}

impl Seals {
    pub fn are_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The seal of what the epoch begins with.
    pub fn of_origin(&self, epoch: &Epoch) -> Option<&Certificate> {
        self.kept.get(&epoch.origin().height)
    }
}

impl<A: Application> Replica<A> {
    fn share(&self, height: Height) -> Option<SignedVote> {
        let vote = Vote::Seal(self.log.seal_at(&self.epoch, height)?);
        Some(SignedVote::new(vote, &self.epoch, &*self.signer))
    }

    /// After executing a height with a snapshot: sends the own share to all.
    pub(super) fn seal(&mut self, height: Height) {
        self.want_seal(height);
        if let Some(share) = self.share(height).filter(|_| !self.recovering) {
            self.send_all(Message::Vote(share));
        }
    }

    /// E6: tells all that this member has begun, and wants to know that a quorum has.
    pub(super) fn share_origin(&mut self) {
        self.seal(self.epoch.origin().height);
        self.flush();
    }

    fn want_seal(&mut self, height: Height) {
        self.seals.wanted.insert(height, 0);
        while self.seals.wanted.len() > MAX_WANTED {
            if let Some((lowest, _)) = self.seals.wanted.pop_first() {
                self.give_up_seal(lowest);
            }
        }
        let me = self.me;
        if let Some(share) = self.share(height) {
            let shares = self.seals.shares.entry(height).or_default();
            shares.accept(me, share.vote, share.signature);
            self.certify_seal(height);
        }
    }

    pub(super) fn wants_seal(&self, height: Height) -> bool {
        self.seals.wanted.contains_key(&height)
    }

    /// Asks for the seals of the heights with outcomes that clients wait for.
    pub(super) fn await_outcomes(&mut self, outcomes: &[Outcome]) {
        let awaited = (outcomes.iter()).find(|outcome| self.waiters.contains(&outcome.command));
        if let Some(outcome) = awaited {
            self.await_seal(outcome.height);
        }
    }

    pub(super) fn await_seal(&mut self, height: Height) {
        if self.log.at(height).is_none() {
            return self.give_up_seal(height);
        }
        if let Some(seal) = self.seals.kept.get(&height).cloned() {
            return self.answer_clients(height, &seal);
        }
        self.want_seal(height);
        if self.seals.wanted.contains_key(&height) {
            self.send_all(Message::RequestSeal(height));
        }
    }

    /// The seal of a height will not be had: whoever waits for an outcome there must ask another member.
    fn give_up_seal(&mut self, height: Height) {
        self.seals.wanted.remove(&height);
        self.seals.shares.remove(&height);
        let commands: Vec<CommandId> = (self.waiters.commands())
            .filter(|command| self.log.executed_at(command) == Some(height))
            .copied()
            .collect();
        for command in commands {
            for client in self.waiters.take(&command) {
                self.refuse(client, command, Refusal::Unproved);
            }
        }
    }

    /// After a leap to this height: outcomes up to there are not known here, so they cannot be proved.
    pub(super) fn give_up_proofs(&mut self, height: Height) {
        self.seals.shares = self.seals.shares.split_off(&(height + 1));
        self.seals.wanted = self.seals.wanted.split_off(&(height + 1));
        let executed: Vec<CommandId> = (self.waiters.commands())
            .filter(|command| !self.pool.contains(command))
            .copied()
            .collect();
        for command in executed {
            for client in self.waiters.take(&command) {
                self.refuse(client, command, Refusal::Unproved);
            }
        }
    }

    /// Whether a seal is never given up: that of an epoch's end, and of its beginning (E2, E6).
    fn is_needed(&self, height: Height) -> bool {
        self.log.end() == Some(height)
            || (self.log.origin().is_some() && height == self.epoch.origin().height)
    }

    /// R9 for seals.
    pub(super) fn request_seals(&mut self) {
        let heights: Vec<Height> = self.seals.wanted.keys().copied().collect();
        for height in heights {
            let needed = self.is_needed(height);
            let requests = self.seals.wanted.entry(height).or_default();
            *requests += 1;
            if *requests > MAX_REQUESTS && !needed {
                self.give_up_seal(height);
                continue;
            }
            let heard = (self.share(height))
                .and_then(|share| {
                    let shares = self.seals.shares.get(&height)?;
                    shares.tally(share.vote).map(|tally| tally.heard())
                })
                .unwrap_or(MemberSet::EMPTY);
            self.send(
                self.epoch.all().without(heard),
                Message::RequestSeal(height),
            );
        }
    }

    pub(super) fn on_request_seal(&mut self, from: Member, height: Height) {
        let known = (self.seals.kept.get(&height))
            .or(self.log.base().map(|base| &base.seal))
            .filter(|seal| matches!(seal.claim, Claim::Sealed(seal) if seal.height() == height));
        let known = known.map(|seal| Message::Certificates(vec![seal.clone()]));
        if known.is_none() && self.log.seal_at(&self.epoch, height).is_none() {
            return;
        }
        // A share costs a signature, so whoever asks pays first.
        let interval = self.settings.delay / 8;
        if self.peers.take_token(from, self.now, interval)
            && let Some(answer) = known.or_else(|| self.share(height).map(Message::Vote))
        {
            self.send(MemberSet::one(from), answer);
        }
    }

    pub(super) fn on_share(&mut self, from: Member, signed: SignedVote) {
        let Vote::Seal(seal) = signed.vote else {
            return;
        };
        let height = seal.height();
        let tip = self.log.height();
        // Where the epoch ends is not known before; a liar can claim any height, but only so many.
        let ends = seal.successors.is_some()
            && (self.seals.shares.contains_key(&height) || self.seals.shares.len() < MAX_WANTED);
        let ahead = height > tip
            && (self.epoch.has_snapshot(height) || ends)
            && height <= tip.saturating_add(self.epoch.terms().snapshot_every.saturating_mul(2));
        if !ahead && !self.seals.wanted.contains_key(&height) {
            return;
        }
        let shares = self.seals.shares.entry(height).or_default();
        let (new, contradiction) = shares.hear(from, signed);
        if let Some((first, second)) = contradiction {
            let items = [first, second].map(|signed| Item {
                member: from,
                vote: signed.vote,
                signature: signed.signature,
            });
            self.check(items.to_vec(), Purpose::Evidence);
        }
        if new {
            self.certify_seal(height);
        }
    }

    pub(super) fn on_checked_shares(&mut self, items: &[Item], valid: &[bool]) {
        for (item, valid) in items.iter().zip(valid) {
            let Vote::Seal(seal) = item.vote else {
                continue;
            };
            let Some(shares) = self.seals.shares.get_mut(&seal.height()) else {
                continue;
            };
            if *valid {
                shares.accept(item.member, item.vote, item.signature);
            } else {
                shares.refuse(item.member, item.vote);
            }
            self.certify_seal(seal.height());
        }
    }

    /// Makes the seal of a height that this member executed, if enough others say the same.
    fn certify_seal(&mut self, height: Height) {
        let Some(seal) = self.log.seal_at(&self.epoch, height) else {
            return;
        };
        let vote = Vote::Seal(seal);
        let claim = Claim::Sealed(seal);
        let Some(shares) = self.seals.shares.get_mut(&height) else {
            return;
        };
        if let Some(certificate) = shares.certify(claim, &self.epoch) {
            self.on_seal(height, certificate);
        } else if shares.suffices(claim, &self.epoch, false) {
            let items = shares.take_waiting(|waiting| waiting == vote);
            self.check(items, Purpose::Shares);
        }
    }

    /// A valid seal of a height that this member executed.
    pub(super) fn on_seal(&mut self, height: Height, seal: Certificate) {
        let own = self.log.seal_at(&self.epoch, height);
        if own.map(Claim::Sealed) != Some(seal.claim) {
            return;
        }
        self.seals.wanted.remove(&height);
        self.seals.shares.remove(&height);
        self.answer_clients(height, &seal);
        if self.log.seal_candidate(&seal) {
            self.must_rewrite = true;
        }
        self.seals.kept.insert(height, seal);
        while self.seals.kept.len() > MAX_KEPT {
            self.seals.kept.pop_first();
        }
    }

    /// E6, under synchrony: the epoch ended with this seal, which binds this member, and those who are told of it.
    pub(crate) fn bind_to_end(&mut self, now: Time, seal: &Certificate) {
        if self.synchrony.is_none() || self.epoch.mutants.has(Mutant::KeepEnd) {
            return;
        }
        self.now = self.now.max(now);
        self.on_certificate(seal.clone());
        // Who signed it is there, or lies.
        let behind = self.epoch.all().without(seal.first.union(seal.second));
        self.send(behind, Message::Certificates(vec![seal.clone()]));
        self.settle();
        self.flush();
    }

    fn answer_clients(&mut self, height: Height, seal: &Certificate) {
        let outcomes =
            (self.log.at(height)).map_or(&[][..], |executed: &Executed| &executed.outcomes);
        for (index, outcome) in outcomes.iter().enumerate() {
            for client in self.waiters.take(&outcome.command) {
                let Some(proof) = OutcomeProof::new(outcomes, index, seal.clone()) else {
                    continue;
                };
                self.outbox.push(Output::Reply {
                    client,
                    reply: Reply::Outcome(Box::new(proof)),
                });
            }
        }
    }

    /// Begins the records anew with the last sealed snapshot.
    pub(super) fn rewrite(&mut self) {
        let Some(base) = self.log.base() else {
            return;
        };
        let origin = self.log.origin().cloned();
        let mut records: Vec<Record> = (origin.into_iter())
            .map(|snapshot| Record::Origin { snapshot })
            .collect();
        records.push(Record::Base {
            seal: base.seal.clone(),
            snapshot: base.snapshot.bytes.to_vec(),
        });
        for executed in self.log.after(base.snapshot.height).into_iter().flatten() {
            records.push(Record::Block(executed.block.block().clone()));
            records.extend(executed.certificate.clone().map(Record::Certificate));
        }
        records.extend(
            self.blocks
                .values()
                .map(|block| Record::Block(block.block().clone())),
        );
        for open in self.views.values() {
            records.extend(open.own.votes.iter().copied().map(Record::Vote));
            let certificates = open.notarized.iter().chain(&open.nullified);
            records.extend(certificates.cloned().map(Record::Certificate));
        }
        records.extend(self.target.clone().map(Record::Certificate));
        self.framing.restart();
        let bytes = records
            .iter()
            .map(|record| self.framing.frame(record))
            .collect();
        self.outputs.push_back(Output::Rewrite(bytes));
    }
}
