//! Members that lie, as a team: they share what they know, and tell the same stories to the same honest members.

mod forgery;
mod minds;
mod plot;
mod tactic;

use super::{
    dice::Dice,
    keys::{CheapKeys, CheapSigner},
    ledger::Ledger,
    plan::Plan,
};
use hamlet_consensus::{
    Epoch, Message, Replica,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    epoch::View,
    hash::Hash,
    member::MemberSet,
    message::{Fetch, Status},
    time::Time,
    vote::{SignedVote, Vote},
};
use plot::Plot;
use std::{collections::BTreeMap, sync::Arc};
pub use tactic::Tactic;

/// A message of a liar: from, to, and what.
pub(super) type Lie = (u8, u8, Arc<Message>);

/// All Byzantine members of one world.
pub(super) struct Team {
    seed: u64,
    members: u8,
    epoch: Arc<Epoch>,
    keys: CheapKeys,
    /// Signed by the same members, in another epoch.
    foreign: Option<Certificate>,
    tactics: Vec<Tactic>,
    liars: BTreeMap<u8, Liar>,
    dice: Dice,
    /// Blocks that were seen or made, by view.
    blocks: BTreeMap<View, Vec<BlockId>>,
    bodies: BTreeMap<Hash, SoundBlock>,
    /// Certificates that were seen.
    certificates: Vec<Certificate>,
    height: u64,
    plot: Plot,
    sent: u32,
    flooded: u32,
    wishes: u32,
}

struct Liar {
    signer: CheapSigner,
    brains: Vec<Replica<Ledger>>,
    alarms: Vec<Time>,
}

/// How many made-up messages a team sends, so that runs end.
const MAX_LIES: u32 = 150;
/// How many messages full of commands it sends.
const MAX_FLOODS: u32 = 3;
/// How many commands its own replicas want ordered.
const MAX_WISHES: u32 = 6;

impl Team {
    pub fn new(plan: &Plan, epoch: &Arc<Epoch>, keys: CheapKeys, other: &Epoch) -> Team {
        let tactics = (plan.byzantine.first()).map_or(Vec::new(), |(_, tactics)| tactics.clone());
        let has = |tactic| tactics.contains(&tactic);
        let brains = match (has(Tactic::Silent), has(Tactic::Twins)) {
            (true, _) => 0,
            _ if has(Tactic::Plot) => 0,
            (_, true) => 2,
            _ => 1,
        };
        let new = |member: u8| {
            Replica::new(
                epoch.clone(),
                Arc::new(keys.signer(member)),
                Ledger::default(),
                plan.settings,
                &[],
                Time::ZERO,
            )
        };
        let liars = (plan.byzantine.iter())
            .map(|(member, _)| {
                let liar = Liar {
                    signer: keys.signer(*member),
                    brains: (0..brains).filter_map(|_| new(*member).ok()).collect(),
                    alarms: vec![Time::ZERO; brains],
                };
                (*member, liar)
            })
            .collect();
        // In another epoch of the same members this block was finalized, honestly.
        let block = BlockId {
            view: 3,
            height: 1,
            hash: Hash([0xee; 32]),
        };
        let foreign = has(Tactic::Forge).then(|| Certificate {
            claim: Claim::Finalized(block),
            first: epoch.all(),
            second: MemberSet::EMPTY,
            signatures: (0..plan.members)
                .map(|member| {
                    SignedVote::new(Vote::Finalize(block), other, &keys.signer(member)).signature
                })
                .collect(),
        });
        Team {
            seed: plan.seed,
            members: plan.members,
            epoch: epoch.clone(),
            keys,
            foreign,
            tactics,
            liars,
            dice: Dice::new(plan.seed, 2),
            blocks: BTreeMap::new(),
            bodies: BTreeMap::new(),
            certificates: Vec::new(),
            height: 0,
            plot: match plan.model.bound().filter(|_| plan.is_plot()) {
                Some(bound) => Plot::new(bound),
                None => Plot::default(),
            },
            sent: 0,
            flooded: 0,
            wishes: 0,
        }
    }

    fn has(&self, tactic: Tactic) -> bool {
        self.tactics.contains(&tactic)
    }

    /// Which of two stories a member is told in a view.
    fn side(&self, view: View, member: u8) -> usize {
        let mut dice = Dice::new(self.seed, view.wrapping_add(1000));
        (dice.word() >> (member % 64) & 1) as usize
    }

    /// When a liar wants to be woken.
    pub fn alarm(&self, liar: u8) -> Option<Time> {
        self.liars.get(&liar)?.alarms.iter().min().copied()
    }

    /// A liar's clock.
    pub fn wake(&mut self, now: Time, liar: u8, lies: &mut Vec<Lie>) {
        self.think(now, liar, None, lies);
        if self.has(Tactic::WrongViews) && self.spend() {
            let word = self.dice.word();
            let far = self.dice.pick(&[0, 1, 70, u64::MAX, word]).unwrap_or(0);
            let status = Status {
                view: far,
                height: self.dice.pick(&[0, 1, far]).unwrap_or(0),
                stuck: self.dice.chance(500),
            };
            self.tell_all(liar, Message::Status(status), lies);
            let vote = self.dice.pick(&[Vote::Nullify(far), Vote::Abandon(far)]);
            if let Some(vote) = vote {
                self.vote(liar, vote, None, lies);
            }
        }
        if self.has(Tactic::Garbage) && self.spend() {
            let bytes: Vec<u8> = (0..self.dice.below(90))
                .map(|_| self.dice.word() as u8)
                .collect();
            if let Ok(message) = Message::decode(&bytes) {
                self.tell_all(liar, message, lies);
            }
        }
        if self.has(Tactic::Flood) && self.flooded < MAX_FLOODS && self.spend() {
            let commands = (0..self.dice.below(20)).map(|_| self.command()).collect();
            self.flooded += 1;
            self.tell_all(liar, Message::Commands(commands), lies);
        }
        if self.has(Tactic::Forge) && self.spend() {
            let to = self.dice.below(self.members.into()) as u8;
            let (above, block) = (self.dice.below(4), None);
            lies.push((liar, to, Arc::new(Message::Fetch(Fetch { above, block }))));
            let forged = self.forged_certificate();
            self.tell_all(liar, Message::Certificates(forged), lies);
        }
    }

    /// An honest member, or another liar, sent something to a liar.
    pub fn hear(
        &mut self,
        now: Time,
        liar: u8,
        from: u8,
        message: &Arc<Message>,
        lies: &mut Vec<Lie>,
    ) {
        self.learn(message);
        if !self.has(Tactic::Silent) {
            self.think(now, liar, Some((from, message)), lies);
        }
        match &**message {
            Message::Proposal(_) | Message::Vote(_) if self.has(Tactic::Contradict) => {
                let view = match &**message {
                    Message::Proposal(proposal) => proposal.block.header.view,
                    Message::Vote(signed) => signed.vote.view(),
                    _ => 0,
                };
                if self.dice.chance(400) && self.spend() {
                    self.contradict(liar, view, lies);
                }
            }
            Message::Proposal(_) | Message::Vote(_)
                if self.has(Tactic::Corner) && self.dice.chance(300) && self.spend() =>
            {
                self.corner(message, lies);
            }
            Message::Fetch(_) | Message::FetchPiece { .. } | Message::RequestSeal(_)
                if self.has(Tactic::Forge) && self.spend() =>
            {
                self.forge_answer(liar, from, message, lies);
            }
            _ => {}
        }
        if self.has(Tactic::Garbage) && self.dice.chance(50) && self.spend() {
            let mut bytes = message.encode();
            if !bytes.is_empty() {
                let at = self.dice.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << self.dice.below(8);
                if let Ok(damaged) = Message::decode(&bytes) {
                    self.tell_all(liar, damaged, lies);
                }
            }
        }
    }

    fn spend(&mut self) -> bool {
        self.sent += 1;
        self.sent <= MAX_LIES
    }

    fn tell_all(&mut self, liar: u8, message: Message, lies: &mut Vec<Lie>) {
        let message = Arc::new(message);
        for to in (0..self.members).filter(|to| *to != liar) {
            if !self.has(Tactic::Withhold) || self.dice.chance(500) {
                lies.push((liar, to, message.clone()));
            }
        }
    }

    /// Signs and sends a vote, to everybody or to those on one side.
    fn vote(&mut self, liar: u8, vote: Vote, side: Option<usize>, lies: &mut Vec<Lie>) {
        let signer = self.keys.signer(liar);
        let mut signed = SignedVote::new(vote, &self.epoch, &signer);
        for to in (0..self.members).filter(|to| *to != liar) {
            if side.is_none_or(|side| self.side(vote.view(), to) == side) {
                if self.has(Tactic::BadSignatures) && self.dice.chance(300) {
                    signed.signature.0[3] ^= 1;
                }
                lies.push((liar, to, Arc::new(Message::Vote(signed))));
            }
        }
    }
}
