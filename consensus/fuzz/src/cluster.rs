//! A cluster of four with signatures that only one of them can forge, and what was said in it once.

use hamlet_consensus::{
    Application, Epoch, Input, Output, Replica, Settings, Terms,
    application::BadSnapshot,
    command::Command,
    hash::{Domain, Hash},
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    io::Reply,
    outcome::OutcomeProof,
    time::Time,
};
use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::Duration,
};

pub const MEMBERS: u8 = 4;
/// Whose key whoever searches has: whatever it is said to have signed, it did. So a search gets as far as one liar can.
pub const LIAR: u8 = 3;
/// A peer outside.
pub const CLIENT: PeerId = PeerId([9; 32]);
/// How many commands were ordered.
pub const COMMANDS: u8 = 12;

/// Signatures that are a hash of what is signed: nobody makes another's by damaging bytes.
#[derive(Clone, Copy)]
pub struct Tags(pub u8);

pub fn id(member: u8) -> PeerId {
    PeerId([member + 1; 32])
}

fn tag(by: PeerId, statement: Statement<'_>) -> Signature {
    let mut signature = [0; 64];
    let hash = Domain::Batch.hash(&[&by.0[..], &statement.bytes()].concat());
    signature[..32].copy_from_slice(&hash.0);
    Signature(signature)
}

impl Signer for Tags {
    fn id(&self) -> PeerId {
        id(self.0)
    }

    fn sign(&self, statement: Statement<'_>) -> Signature {
        tag(self.id(), statement)
    }
}

impl Verifier for Tags {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        by == id(LIAR) || *signature == tag(by, statement)
    }
}

/// Remembers the bytes of all commands.
#[derive(Clone, Default)]
pub struct Words(Vec<u8>);

impl Application for Words {
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

pub fn epoch() -> Arc<Epoch> {
    let terms = Terms {
        snapshot_every: 2,
        ..Terms::default()
    };
    let members = (0..MEMBERS).map(id).collect();
    let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, terms, members);
    Arc::new(epoch.expect("four members make an epoch"))
}

/// A member that starts with these records, unless they are damaged.
pub fn replica(member: u8, stored: &[Vec<u8>], now: Time) -> Option<Replica<Words>> {
    let (signer, words) = (Arc::new(Tags(member)), Words::default());
    Replica::new(epoch(), signer, words, Settings::default(), stored, now).ok()
}

/// What was said once.
pub struct Recorded {
    /// What member 0 heard, and from whom.
    pub heard: Vec<(u8, Vec<u8>)>,
    /// What it wrote down, at the end and before each time it began anew.
    pub journals: Vec<Vec<Vec<u8>>>,
    /// What clients were told.
    pub proofs: Vec<OutcomeProof>,
}

/// What was said while a cluster ordered a few commands and member 0 was late.
pub static RECORDED: LazyLock<Recorded> = LazyLock::new(record);

fn record() -> Recorded {
    let start = |member| replica(member, &[], Time::ZERO).expect("an empty disk is none damaged");
    let mut replicas: Vec<Replica<Words>> = (0..MEMBERS).map(start).collect();
    let mut recorded = Recorded {
        heard: Vec::new(),
        journals: Vec::new(),
        proofs: Vec::new(),
    };
    let mut journal = Vec::new();
    let mut now = Time::ZERO;
    for step in 0..COMMANDS {
        now += Duration::from_millis(400);
        let mut inputs: VecDeque<(u8, Input)> =
            (0..MEMBERS).map(|member| (member, Input::Wake)).collect();
        let command = Command {
            expires: 50,
            payload: vec![step; 3].into(),
        };
        let client = CLIENT;
        inputs.push_back((step % MEMBERS, Input::Client { client, command }));
        while let Some((to, input)) = inputs.pop_front() {
            // Member 0 is away in the middle, so it has to catch up.
            if to == 0 && (4..8).contains(&step) && matches!(input, Input::Message { .. }) {
                continue;
            }
            if let (0, Input::Message { from, message }) = (to, &input) {
                recorded.heard.push((*from, message.encode()));
            }
            let replica = &mut replicas[usize::from(to)];
            replica.handle(now, input);
            while let Some(output) = replica.poll() {
                match output {
                    Output::Send { to: all, message } => {
                        inputs.extend(all.iter().map(|member| {
                            let message = message.clone();
                            (member, Input::Message { from: to, message })
                        }));
                    }
                    Output::Check(check) => {
                        inputs.push_back((to, Input::Checked(check.run(&Tags(0)))));
                    }
                    Output::Record(bytes) if to == 0 => journal.push(bytes),
                    Output::Rewrite(all) if to == 0 => {
                        recorded.journals.push(std::mem::replace(&mut journal, all));
                    }
                    Output::Reply {
                        reply: Reply::Outcome(proof),
                        ..
                    } => recorded.proofs.push(*proof),
                    _ => {}
                }
            }
        }
    }
    recorded.journals.push(journal);
    recorded
}
