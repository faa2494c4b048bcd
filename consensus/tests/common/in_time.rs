//! One member under synchrony: tests hand it messages and let time pass.

use super::{Journal, signer};
use hamlet_consensus::{
    Epoch, Input, Message, Model, Output, Replica, Settings, Terms,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::Command,
    ed25519::Ed25519Verifier,
    hash::Hash,
    identity::Signer,
    member::{Member, MemberSet},
    message::{Proposal, Welcome},
    time::Time,
    vote::{SignedVote, Vote},
};
use std::{sync::Arc, time::Duration};

pub const BOUND: Duration = Duration::from_secs(1);

pub fn epoch(size: Member) -> Arc<Epoch> {
    let members = (0..size).map(|member| signer(member).id()).collect();
    let terms = Terms {
        model: Model::Synchrony { bound: BOUND },
        ..Terms::default()
    };
    Arc::new(Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members).unwrap())
}

/// A member under test.
pub struct One {
    pub epoch: Arc<Epoch>,
    pub replica: Replica<Journal>,
    pub disk: Vec<Vec<u8>>,
    pub sent: Vec<(MemberSet, Message)>,
    /// The alarms that it raised: who was absent.
    pub alarms: Vec<MemberSet>,
    pub now: Time,
}

impl One {
    pub fn start(me: Member, size: Member) -> One {
        let mut one = One::wake(me, size, Vec::new(), Time::ZERO);
        one.welcome();
        one
    }

    pub fn wake(me: Member, size: Member, disk: Vec<Vec<u8>>, now: Time) -> One {
        let epoch = epoch(size);
        let settings = Settings {
            beat: Duration::from_secs(3600),
            ..Settings::default()
        };
        let (journal, key) = (Journal::default(), signer(me));
        let replica = Replica::new(epoch.clone(), key, journal, settings, &disk, now).unwrap();
        let mut one = One {
            epoch,
            replica,
            disk,
            sent: Vec::new(),
            alarms: Vec::new(),
            now,
        };
        one.input(Input::Wake);
        one
    }

    /// Is told by all others that nobody has spoken of blocks yet (S10).
    pub fn welcome(&mut self) {
        let me = MemberSet::one(self.replica.me());
        let welcome = Message::Welcome(Box::new(Welcome {
            spoken: 0,
            certificates: Vec::new(),
            proofs: Vec::new(),
        }));
        for other in self.epoch.all().without(me).iter() {
            self.hear(other, &welcome);
        }
    }

    pub fn restart(self) -> One {
        let size = self.epoch.size() as Member;
        let mut one = One::wake(self.replica.me(), size, self.disk, self.now);
        one.welcome();
        one
    }

    pub fn input(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Record(record) => self.disk.push(record),
                Output::Send { to, message } => self.sent.push((to, (*message).clone())),
                Output::Check(check) => {
                    let verdict = check.run(&Ed25519Verifier);
                    self.replica.handle(self.now, Input::Checked(verdict));
                }
                Output::Asynchrony { absent, .. } => self.alarms.push(absent),
                _ => {}
            }
        }
    }

    pub fn hear(&mut self, from: Member, message: &Message) {
        let message = Arc::new(message.clone());
        self.input(Input::Message { from, message });
    }

    pub fn hear_vote(&mut self, from: Member, vote: Vote) {
        let signed = SignedVote::new(vote, &self.epoch, &*signer(from));
        self.hear(from, &Message::Vote(signed));
    }

    /// Lets time pass, a little at a time as its alarms would.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = (self.now + BOUND / 32).min(until);
            self.input(Input::Wake);
        }
    }

    pub fn voted(&self, vote: Vote) -> bool {
        self.sent.iter().any(|(_, message)| match message {
            Message::Vote(signed) => signed.vote == vote,
            Message::Proposal(proposal) => {
                let id = proposal.block.header.id();
                vote == Vote::Notarize(id) && self.epoch.leader(id.view) == self.replica.me()
            }
            _ => false,
        })
    }

    pub fn handed_on(&self, block: BlockId) -> Option<(MemberSet, Message)> {
        let mut sent = self.sent.iter();
        let is_it = |message: &Message| matches!(message, Message::Proposal(proposal) if proposal.block.header.id() == block);
        sent.find(|(_, message)| is_it(message)).cloned()
    }

    pub fn proved(&self) -> bool {
        (self.sent.iter()).any(|(_, message)| matches!(message, Message::Evidence(_)))
    }
}

pub fn block(epoch: &Epoch, view: u64, parent: BlockId, text: &'static [u8]) -> SoundBlock {
    let command = Command {
        expires: 200,
        payload: text.into(),
    };
    SoundBlock::build(epoch, view, parent, vec![command])
}

pub fn proposal(epoch: &Epoch, block: &SoundBlock) -> Message {
    let leader = signer(epoch.leader(block.id().view));
    Message::Proposal(Proposal {
        block: block.block().clone(),
        signature: SignedVote::new(Vote::Notarize(block.id()), epoch, &*leader).signature,
        justification: Vec::new(),
    })
}

pub fn certificate(epoch: &Epoch, claim: Claim, members: &[Member]) -> Message {
    let vote = claim.votes().0;
    let signatures = members
        .iter()
        .map(|member| SignedVote::new(vote, epoch, &*signer(*member)).signature)
        .collect();
    Message::Certificates(vec![Certificate {
        claim,
        first: members.iter().copied().collect(),
        second: MemberSet::EMPTY,
        signatures,
    }])
}

/// Two blocks of view 1, which member 1 leads.
pub fn two(epoch: &Epoch) -> (SoundBlock, SoundBlock) {
    let start = BlockId::start(epoch);
    (block(epoch, 1, start, b"a"), block(epoch, 1, start, b"b"))
}
