//! The honest replicas that liars run, and how what they say is changed on its way out.

use super::{Lie, MAX_WISHES, Tactic, Team};
use hamlet_consensus::{
    Input, Message, Output, block::SoundBlock, certificate::Certificate, member::MemberSet,
    time::Time, vote::Vote,
};
use std::sync::Arc;

impl Team {
    /// Lets a liar's honest replicas run, and tells what they say, changed as the tactics want it.
    pub(super) fn think(
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
                if self.wishes < MAX_WISHES && self.dice.chance(300) {
                    self.wishes += 1;
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
            if self.has(Tactic::Corner) && !Team::fits(message, told) {
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

    /// Whether a message is for members on this side, to corner those who get blocks.
    fn fits(message: &Message, side: usize) -> bool {
        match message {
            Message::Proposal(_) | Message::Certificates(_) => side == 0,
            Message::Vote(signed) => {
                let against = matches!(signed.vote, Vote::Nullify(_) | Vote::Abandon(_));
                against == (side == 1)
            }
            Message::Evidence(_) => false,
            _ => true,
        }
    }

    pub(super) fn learn(&mut self, message: &Message) {
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

    pub(super) fn note(&mut self, block: SoundBlock) {
        let ids = self.blocks.entry(block.id().view).or_default();
        if !ids.contains(&block.id()) && ids.len() < 4 {
            ids.push(block.id());
            self.bodies.insert(block.id().hash, block);
        }
    }
}
