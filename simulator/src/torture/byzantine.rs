//! Members that lie, as a team: they share what they know, and tell the same stories to the same honest members.

use super::{
    dice::Dice,
    keys::{CheapKeys, CheapSigner},
    ledger::Ledger,
    plan::Plan,
};
use hamlet_consensus::{
    Epoch, Input, Message, Output, Replica,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::{COMMAND_WINDOW, Command},
    epoch::View,
    hash::Hash,
    member::MemberSet,
    message::{Fetch, Proposal, SnapshotOffer, Status, Tail},
    time::Time,
    vote::{Seal, SignedVote, Vote},
};
use std::{collections::BTreeMap, sync::Arc};

/// What Byzantine members try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tactic {
    /// They say nothing at all.
    Silent,
    /// They run two honest replicas under one key, each for a part of the members.
    Twins,
    /// As leaders they propose one block to some and another to others.
    Equivocate,
    /// They vote for everything, against everything, and differently to different members.
    Contradict,
    /// They leave out messages to some.
    Withhold,
    /// They speak of views and heights long past or far ahead.
    WrongViews,
    /// They make up blocks, tails, snapshots and certificates.
    Forge,
    /// They sign badly.
    BadSignatures,
    /// They send random and damaged bytes.
    Garbage,
    /// They send many commands of their own.
    Flood,
}

impl Tactic {
    /// All of them.
    pub const ALL: [Tactic; 10] = [
        Tactic::Silent,
        Tactic::Twins,
        Tactic::Equivocate,
        Tactic::Contradict,
        Tactic::Withhold,
        Tactic::WrongViews,
        Tactic::Forge,
        Tactic::BadSignatures,
        Tactic::Garbage,
        Tactic::Flood,
    ];

    pub(super) fn draw(dice: &mut Dice) -> Vec<Tactic> {
        let mut tactics: Vec<Tactic> = (0..dice.within(1, 4))
            .filter_map(|_| dice.pick(&Tactic::ALL))
            .collect();
        tactics.sort();
        tactics.dedup();
        tactics
    }
}

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
    sent: u32,
    flooded: u32,
}

struct Liar {
    signer: CheapSigner,
    brains: Vec<Replica<Ledger>>,
    alarms: Vec<Time>,
}

/// How many made-up messages a team sends, so that runs end.
const MAX_LIES: u32 = 300;
/// How many messages full of commands it sends.
const MAX_FLOODS: u32 = 4;

impl Team {
    pub fn new(plan: &Plan, epoch: &Arc<Epoch>, keys: CheapKeys, other: &Epoch) -> Team {
        let tactics = (plan.byzantine.first()).map_or(Vec::new(), |(_, tactics)| tactics.clone());
        let has = |tactic| tactics.contains(&tactic);
        let brains = match (has(Tactic::Silent), has(Tactic::Twins)) {
            (true, _) => 0,
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
            sent: 0,
            flooded: 0,
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

    fn contradict(&mut self, liar: u8, view: View, lies: &mut Vec<Lie>) {
        let blocks = self.blocks.get(&view).cloned().unwrap_or_default();
        let liars: Vec<u8> = self.liars.keys().copied().collect();
        let liar = self.dice.pick(&liars).unwrap_or(liar);
        for side in 0..2 {
            let block = blocks.get(side).or(blocks.first()).copied();
            let mut votes = vec![Vote::Nullify(view), Vote::Abandon(view)];
            if let Some(block) = block {
                let three = [
                    Vote::Notarize(block),
                    Vote::Support(block),
                    Vote::Finalize(block),
                ];
                votes.extend(three);
                votes.extend(three);
            }
            for _ in 0..self.dice.within(1, 3) {
                if let Some(vote) = self.dice.pick(&votes) {
                    self.vote(liar, vote, Some(side), lies);
                }
            }
        }
    }

    fn command(&mut self) -> Command {
        Command {
            expires: self.height + self.dice.within(0, COMMAND_WINDOW),
            payload: self.dice.word().to_le_bytes().to_vec().into(),
        }
    }

    fn learn(&mut self, message: &Message) {
        let seen: &[Certificate] = match message {
            Message::Proposal(proposal) => {
                if let Some(block) = SoundBlock::check(proposal.block.clone()) {
                    self.note(block);
                }
                &proposal.justification
            }
            Message::Certificates(certificates) => certificates,
            Message::Status(status) => {
                self.height = self.height.max(status.height.min(1000));
                &[]
            }
            _ => &[],
        };
        for certificate in seen {
            if self.certificates.len() < 8 {
                self.certificates.push(certificate.clone());
            }
        }
    }

    fn note(&mut self, block: SoundBlock) {
        let ids = self.blocks.entry(block.id().view).or_default();
        if !ids.contains(&block.id()) && ids.len() < 4 {
            ids.push(block.id());
            self.bodies.insert(block.id().hash, block);
        }
    }

    /// Claims that nobody signed, or that others signed, or that were signed elsewhere.
    fn forged_certificate(&mut self) -> Vec<Certificate> {
        let blocks: Vec<BlockId> = self.blocks.values().flatten().copied().collect();
        let made_up = BlockId {
            view: self.dice.within(1, 12),
            height: self.height + 1,
            hash: Hash([0xdd; 32]),
        };
        let block = self.dice.pick(&blocks).unwrap_or(made_up);
        let claims = [
            Claim::Finalized(block),
            Claim::Unanimous(block),
            Claim::Notarized(made_up),
            Claim::Nullified(block.view),
        ];
        let claim = self.dice.pick(&claims).unwrap_or(Claim::Nullified(1));
        let mut forged = vec![self.sign_alone(claim)];
        if let Some(mut changed) = self.certificates.last().cloned() {
            changed.claim = claim;
            forged.push(changed);
        }
        // Alone, since one bad certificate spoils a message.
        match self.foreign.clone() {
            Some(foreign) if self.dice.chance(500) => vec![foreign],
            _ => forged,
        }
    }

    /// A certificate with the liars' signatures in everybody's place, each twice if that might count.
    fn sign_alone(&mut self, claim: Claim) -> Certificate {
        let signers: Vec<CheapSigner> = self.liars.values().map(|liar| liar.signer).collect();
        let (vote, second) = claim.votes();
        let own: MemberSet = self.liars.keys().copied().collect();
        let sign = |vote: Vote, at: usize| {
            SignedVote::new(vote, &self.epoch, &signers[at % signers.len()]).signature
        };
        let everybody = self.dice.chance(500);
        let first = if everybody { self.epoch.all() } else { own };
        let doubled = second.filter(|_| !everybody);
        let signatures = (0..first.len()).map(|at| sign(vote, at));
        let again = doubled
            .into_iter()
            .flat_map(|vote| (0..own.len()).map(move |at| sign(vote, at)));
        Certificate {
            claim,
            first,
            second: if doubled.is_some() {
                own
            } else {
                MemberSet::EMPTY
            },
            signatures: signatures.chain(again).collect(),
        }
    }

    /// Answers a question of catch-up with something made up.
    fn forge_answer(&mut self, liar: u8, to: u8, question: &Message, lies: &mut Vec<Lie>) {
        let height = match question {
            Message::Fetch(fetch) => fetch.above + 1,
            Message::FetchPiece { height, .. } | Message::RequestSeal(height) => *height,
            _ => return,
        };
        let start = BlockId::start(&self.epoch);
        let known = (self
            .bodies
            .values()
            .find(|block| block.id().height + 1 == height))
        .map_or(start, SoundBlock::id);
        let command = self.command();
        let block = SoundBlock::build(&self.epoch, known.view + 1, known, vec![command]);
        let piece = bytes::Bytes::from_static(b"a state of our own making");
        let pieces = vec![Hash(*blake3::hash(&piece).as_bytes())];
        let seal = Seal {
            block: block.id(),
            outcomes: Hash::default(),
            state: Some(Hash([7; 32])),
        };
        let tail = Tail {
            certificate: self.sign_alone(Claim::Finalized(block.id())),
            headers: vec![*block.header()],
            bodies: vec![block.block().commands.clone()],
        };
        let offer = SnapshotOffer {
            seal: self.sign_alone(Claim::Sealed(seal)),
            pieces,
        };
        let answers = [
            Message::Tail(Box::new(tail)),
            Message::Snapshot(Box::new(offer)),
            Message::Piece {
                height,
                index: 0,
                bytes: piece,
            },
            Message::Block(block.block().clone()),
        ];
        let at = self.dice.below(5) as usize;
        if let Some(answer) = answers.into_iter().nth(at) {
            lies.push((liar, to, Arc::new(answer)));
        } else {
            self.vote(liar, Vote::Seal(seal), None, lies);
        }
    }

    /// Lets a liar's honest replicas run, and tells what they say, changed as the tactics want it.
    fn think(
        &mut self,
        now: Time,
        liar: u8,
        heard: Option<(u8, &Arc<Message>)>,
        lies: &mut Vec<Lie>,
    ) {
        let Some(mut minds) = self.liars.remove(&liar) else {
            return;
        };
        let twins = minds.brains.len() == 2;
        for (at, brain) in minds.brains.iter_mut().enumerate() {
            if let Some((from, message)) = heard {
                if twins && self.side(brain.view(), from) != at && !self.dice.chance(200) {
                    continue;
                }
                let message = message.clone();
                brain.handle(now, Input::Message { from, message });
            } else {
                brain.handle(now, Input::Wake);
                if self.dice.chance(300) && self.spend() {
                    let payload = self.dice.word().to_le_bytes().to_vec().into();
                    brain.handle(now, Input::Submit(vec![payload]));
                }
            }
            while let Some(output) = brain.poll() {
                match output {
                    Output::Check(check) => {
                        brain.handle(now, Input::Checked(check.run(&self.keys)));
                    }
                    Output::WakeAt(time) => minds.alarms[at] = time,
                    Output::Send { to, message } => {
                        let side = twins.then_some(at);
                        self.tell(liar, to, &message, side, lies);
                    }
                    _ => {}
                }
            }
        }
        self.liars.insert(liar, minds);
    }

    fn tell(
        &mut self,
        liar: u8,
        to: MemberSet,
        message: &Arc<Message>,
        side: Option<usize>,
        lies: &mut Vec<Lie>,
    ) {
        self.learn(message);
        let other = match &**message {
            Message::Proposal(proposal) if self.has(Tactic::Equivocate) => {
                self.other_block(liar, proposal)
            }
            _ => None,
        };
        let view = match &**message {
            Message::Proposal(proposal) => proposal.block.header.view,
            Message::Vote(signed) => signed.vote.view(),
            _ => 0,
        };
        for member in to.iter() {
            let told = self.side(view, member);
            if side.is_some_and(|side| side != told) && !self.dice.chance(100) {
                continue;
            }
            if self.has(Tactic::Withhold) && self.dice.chance(400) {
                continue;
            }
            let mut said = match &other {
                Some(other) if told == 1 => other.clone(),
                _ => message.clone(),
            };
            if self.has(Tactic::BadSignatures)
                && self.dice.chance(200)
                && let Message::Vote(signed) = &*said
            {
                let mut signed = *signed;
                signed.signature.0[0] ^= 1;
                said = Arc::new(Message::Vote(signed));
            }
            lies.push((liar, member, said));
            if let Some(other) = other.clone().filter(|_| self.dice.chance(200)) {
                lies.push((liar, member, other));
            }
        }
    }

    /// Another block for the same view: with other commands, or another parent.
    fn other_block(&mut self, liar: u8, proposal: &Proposal) -> Option<Arc<Message>> {
        let header = &proposal.block.header;
        let mut parent = header.parent_id();
        if self.dice.chance(200) {
            let older = self
                .bodies
                .values()
                .filter(|block| block.id().view < header.view);
            parent = older
                .max_by_key(|block| block.id())
                .map_or(parent, SoundBlock::id);
        }
        let command = self.command();
        let block = SoundBlock::build(&self.epoch, header.view, parent, vec![command]);
        let vote = Vote::Notarize(block.id());
        let signed = SignedVote::new(vote, &self.epoch, &self.keys.signer(liar));
        self.note(block.clone());
        Some(Arc::new(Message::Proposal(Proposal {
            block: block.block().clone(),
            signature: signed.signature,
            justification: proposal.justification.clone(),
        })))
    }
}
