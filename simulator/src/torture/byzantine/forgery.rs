//! What liars make up: contradictory votes, second blocks, certificates and answers.

use super::{Lie, Team};
use crate::torture::keys::CheapSigner;
use hamlet_consensus::{
    Message,
    block::{Block, BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::{COMMAND_WINDOW, Command},
    epoch::View,
    hash::Hash,
    member::MemberSet,
    message::{Proposal, SnapshotOffer, Tail},
    vote::{Seal, SignedVote, Vote},
};
use std::sync::Arc;

impl Team {
    pub(super) fn contradict(&mut self, liar: u8, view: View, lies: &mut Vec<Lie>) {
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

    /// All liars together vote for the block of a view before those on one side, and against the view before the others.
    pub(super) fn corner(&mut self, message: &Message, lies: &mut Vec<Lie>) {
        let view = match message {
            Message::Proposal(proposal) => proposal.block.header.view,
            Message::Vote(signed) => signed.vote.view(),
            _ => return,
        };
        let block = (self.blocks.get(&view)).and_then(|blocks| blocks.first().copied());
        let liars: Vec<u8> = self.liars.keys().copied().collect();
        for liar in liars {
            if let Some(block) = block {
                self.vote(liar, Vote::Notarize(block), Some(0), lies);
                self.vote(liar, Vote::Finalize(block), Some(0), lies);
            }
            self.vote(liar, Vote::Nullify(view), Some(1), lies);
        }
    }

    pub(super) fn command(&mut self) -> Command {
        Command {
            expires: self.height + self.dice.within(0, COMMAND_WINDOW),
            payload: self.dice.word().to_le_bytes().to_vec().into(),
        }
    }

    /// Claims that nobody signed, or that others signed, or that were signed elsewhere.
    pub(super) fn forged_certificate(&mut self) -> Vec<Certificate> {
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
    pub(super) fn forge_answer(
        &mut self,
        liar: u8,
        to: u8,
        question: &Message,
        lies: &mut Vec<Lie>,
    ) {
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
            successors: None,
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

    /// Another block for the same view: with other commands, another parent, or nonsense for a place.
    pub(super) fn other_block(&mut self, liar: u8, proposal: &Proposal) -> Option<Arc<Message>> {
        let header = &proposal.block.header;
        let mut parent = header.parent_id();
        if self.dice.chance(300) {
            // Past the block that it should build on, which may be committed already.
            let older = (self.bodies.get(&parent.hash)).map(SoundBlock::parent);
            parent = older.unwrap_or(BlockId::start(&self.epoch));
        }
        let command = self.command();
        let block = SoundBlock::build(&self.epoch, header.view, parent, vec![command]);
        self.note(block.clone());
        let mut block = Block::clone(block.block());
        if self.dice.chance(200) {
            // A place in the log that cannot be.
            let header = &mut block.header;
            let far = self.dice.pick(&[0, 1, u64::MAX]).unwrap_or(0);
            if self.dice.chance(500) {
                header.height = far;
            } else {
                header.parent_view = far;
            }
        }
        let vote = Vote::Notarize(block.header.id());
        let signed = SignedVote::new(vote, &self.epoch, &self.keys.signer(liar));
        Some(Arc::new(Message::Proposal(Proposal {
            block: Arc::new(block),
            signature: signed.signature,
            justification: proposal.justification.clone(),
        })))
    }
}
