//! A cluster of four without a network: tests hand messages over one by one, or all at once.

// Each test uses a part of it.
#![allow(dead_code)]

pub mod in_time;

use hamlet_consensus::{
    Application, Epoch, Input, Message, Output, Replica, Settings, Terms,
    application::BadSnapshot,
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::Command,
    ed25519::{Ed25519Signer, Ed25519Verifier},
    hash::Hash,
    identity::{PeerId, Signer},
    io::Reply,
    member::{Member, MemberSet},
    message::Proposal,
    time::Time,
    vote::{SignedVote, Vote},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Remembers what it executed.
#[derive(Clone, Default)]
pub struct Journal(pub Vec<u8>);

impl Application for Journal {
    fn execute(&mut self, _height: u64, command: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(command);
        command.to_vec()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.0 = snapshot.to_vec();
        Ok(())
    }
}

pub fn signer(member: Member) -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_secret(&[member + 1; 32]))
}

/// The epoch of this number of four members; member 1 leads view 1.
pub fn epoch(number: u64) -> Arc<Epoch> {
    let members = (0..4).map(|member| signer(member).id()).collect();
    Arc::new(
        Epoch::new(
            Hash([1; 32]),
            Hash([2; 32]),
            number,
            Terms::default(),
            members,
        )
        .unwrap(),
    )
}

/// A member under test, with its disk.
pub struct Member0 {
    pub replica: Replica<Journal>,
    pub disk: Vec<Vec<u8>>,
    /// What it sent, in order.
    pub sent: Vec<Message>,
    pub evidence: usize,
    now: Time,
}

impl Member0 {
    pub fn start(me: Member, disk: Vec<Vec<u8>>) -> Member0 {
        let replica = Replica::new(
            epoch(0),
            signer(me),
            Journal::default(),
            Settings::default(),
            &disk,
            Time::ZERO,
        )
        .unwrap();
        let mut member = Member0 {
            replica,
            disk,
            sent: Vec::new(),
            evidence: 0,
            now: Time::ZERO,
        };
        member.input(Input::Wake);
        member
    }

    pub fn input(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Record(record) => self.disk.push(record),
                Output::Rewrite(records) => self.disk = records,
                Output::Send { message, .. } => self.sent.push((*message).clone()),
                Output::Check(check) => {
                    let verdict = check.run(&Ed25519Verifier);
                    self.replica.handle(self.now, Input::Checked(verdict));
                }
                Output::Evidence(evidence) => {
                    assert!(evidence.verify(&epoch(0), &Ed25519Verifier));
                    self.evidence += 1;
                }
                _ => {}
            }
        }
    }

    pub fn hear(&mut self, from: Member, message: Message) {
        let message = Arc::new(message);
        self.input(Input::Message { from, message });
    }

    pub fn hear_vote(&mut self, from: Member, vote: Vote) {
        self.hear(from, Message::Vote(sign(from, vote)));
    }

    /// Lets so much time pass.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.input(Input::Wake);
    }

    /// The votes that it sent, its proposals' among them.
    pub fn votes(&self) -> Vec<Vote> {
        let mut votes = Vec::new();
        for message in &self.sent {
            let vote = match message {
                Message::Vote(signed) => signed.vote,
                Message::Proposal(proposal) => Vote::Notarize(proposal.block.header.id()),
                _ => continue,
            };
            if !votes.contains(&vote) {
                votes.push(vote);
            }
        }
        votes
    }

    /// Crashes and comes back from its disk.
    pub fn restart(self) -> Member0 {
        let me = self.replica.me();
        let mut member = Member0::start(me, self.disk);
        member.now = self.now;
        member.input(Input::Wake);
        member
    }
}

pub fn sign(member: Member, vote: Vote) -> SignedVote {
    SignedVote::new(vote, &epoch(0), &*signer(member))
}

/// A block with one command.
pub fn block(view: u64, parent: BlockId, text: &'static [u8]) -> SoundBlock {
    let command = Command {
        expires: 200,
        payload: text.into(),
    };
    SoundBlock::build(&epoch(0), view, parent, vec![command])
}

pub fn proposal(block: &SoundBlock, justification: Vec<Certificate>) -> Message {
    let leader = epoch(0).leader(block.id().view);
    Message::Proposal(Proposal {
        block: block.block().clone(),
        signature: sign(leader, Vote::Notarize(block.id())).signature,
        justification,
    })
}

/// A certificate with the first votes of these members, signed in an epoch.
pub fn certificate(claim: Claim, members: &[Member], epoch: &Epoch) -> Certificate {
    let (vote, _) = claim.votes();
    Certificate {
        claim,
        first: members.iter().copied().collect(),
        second: MemberSet::EMPTY,
        signatures: (members.iter())
            .map(|member| SignedVote::new(vote, epoch, &*signer(*member)).signature)
            .collect(),
    }
}

/// Four members whose messages arrive at once, in virtual time.
pub struct Cluster {
    pub replicas: Vec<Replica<Journal>>,
    /// What clients were told.
    pub replies: Vec<(PeerId, Reply)>,
    /// Which messages get lost.
    pub lose: fn(&Message) -> bool,
    alarms: Vec<Time>,
    now: Time,
}

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Cluster {
        let new = |me| {
            let (epoch, signer, journal) = (epoch(0), signer(me), Journal::default());
            Replica::new(epoch, signer, journal, settings, &[], Time::ZERO).unwrap()
        };
        let mut cluster = Cluster {
            replicas: (0..4).map(new).collect(),
            replies: Vec::new(),
            lose: |_| false,
            alarms: vec![Time::NEVER; 4],
            now: Time::ZERO,
        };
        for member in 0..4 {
            cluster.input(member, Input::Wake);
        }
        cluster
    }

    /// Gives an input to a member, and carries out what follows from it everywhere.
    pub fn input(&mut self, member: Member, input: Input) {
        let mut inputs = VecDeque::from([(member, input)]);
        while let Some((to, input)) = inputs.pop_front() {
            let at = usize::from(to);
            self.replicas[at].handle(self.now, input);
            while let Some(output) = self.replicas[at].poll() {
                match output {
                    Output::Send { to: all, message } if !(self.lose)(&message) => {
                        inputs.extend(all.iter().map(|member| {
                            let message = message.clone();
                            (member, Input::Message { from: to, message })
                        }));
                    }
                    Output::Check(check) => {
                        inputs.push_back((to, Input::Checked(check.run(&Ed25519Verifier))));
                    }
                    Output::WakeAt(time) => self.alarms[at] = time,
                    Output::Reply { client, reply } => self.replies.push((client, reply)),
                    _ => {}
                }
            }
        }
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let next = (0..4).min_by_key(|member| self.alarms[usize::from(*member)]);
            let Some(member) = next.filter(|member| self.alarms[usize::from(*member)] <= until)
            else {
                break;
            };
            let at = usize::from(member);
            self.now = self.now.max(self.alarms[at]);
            self.alarms[at] = Time::NEVER;
            self.input(member, Input::Wake);
        }
        self.now = until;
    }
}
