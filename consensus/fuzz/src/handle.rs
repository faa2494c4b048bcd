//! A replica that anything happens to, in any order.

use super::cluster::{CLIENT, LIAR, MEMBERS, RECORDED, Tags, Words, id, replica};
use hamlet_consensus::{
    Input, Message, Output, Replica, command::Command, epoch::Height, time::Time, vote::Vote,
};
use std::{sync::Arc, time::Duration};

/// The most that one input may make a replica want done.
const OUTPUTS_MAX: usize = 5_000;

/// What happens begins with four bytes: what it is, how many hundredths of a second have passed, and two more. A message
/// comes from the member of the first byte (one of whom there is none), if that is below the following; the two bytes
/// are its length, and it follows.
const MESSAGES_BELOW: u8 = MEMBERS + 1;
/// A message that was said once is said again: the two bytes are its number.
const RECORDED_AGAIN: u8 = 5;
/// The member itself wants a command ordered.
const SUBMIT: u8 = 6;
/// A client does; the bytes are the expiry and the command.
const ASK: u8 = 7;
/// The member crashes and comes back: the bytes say how many unsynced records are lost, and how the last is torn.
const CRASH: u8 = 8;

/// What happened to one member once.
pub fn happenings() -> Vec<Vec<u8>> {
    let said = |(at, (from, bytes)): (usize, &(u8, Vec<u8>))| {
        let mut step = vec![*from, (at % 5) as u8];
        step.extend((bytes.len() as u16).to_le_bytes());
        step.extend(bytes);
        step
    };
    let again = |at: usize| {
        let [a, b] = (at as u16).to_le_bytes();
        vec![RECORDED_AGAIN, (at % 5) as u8, a, b]
    };
    let heard = &RECORDED.heard;
    // Parts of what was said, in short and in full; all of it, with crashes; and backwards.
    let parts = [(0, 40), (60, 80), (150, 100)]
        .map(|(skip, take)| heard.iter().enumerate().skip(skip).take(take));
    let mut all: Vec<Vec<u8>> = (parts.into_iter())
        .map(|part| part.flat_map(said).collect())
        .collect();
    all.push((0..heard.len()).flat_map(again).collect());
    all.push((0..heard.len()).rev().flat_map(again).collect());
    let crashing = (0..heard.len()).flat_map(|at| {
        let more = [SUBMIT, ASK, CRASH].map(|kind| [kind, 40, 9, at as u8]);
        let more = more.into_iter().filter(move |_| at % 10 == 9).flatten();
        again(at).into_iter().chain(more)
    });
    all.push(crashing.collect());
    all
}

/// A replica with its disk, and what it has said.
struct Subject {
    replica: Replica<Words>,
    disk: Vec<Vec<u8>>,
    synced: usize,
    votes: Vec<Vote>,
    height: Height,
    now: Time,
}

/// Whatever happens, a replica does not break, wants a bounded number of things done, never contradicts itself, never
/// holds anything against the honest, and never goes back but by a crash, from which it always recovers.
pub fn handle(mut bytes: &[u8]) {
    let Some(replica) = replica(0, &[], Time::ZERO) else {
        return;
    };
    let mut subject = Subject {
        replica,
        disk: Vec::new(),
        synced: 0,
        votes: Vec::new(),
        height: 0,
        now: Time::ZERO,
    };
    while let Some(([kind, pause, a, b], rest)) = bytes.split_first_chunk::<4>() {
        bytes = rest;
        let number = usize::from(u16::from_le_bytes([*a, *b]));
        subject.now += Duration::from_millis(10 * u64::from(*pause));
        match *kind {
            from if from < MESSAGES_BELOW => {
                let (text, rest) = bytes.split_at(number.min(bytes.len()));
                bytes = rest;
                subject.hear(from, text);
            }
            RECORDED_AGAIN => {
                let (from, text) = &RECORDED.heard[number % RECORDED.heard.len()];
                subject.hear(*from, text);
            }
            SUBMIT => subject.input(Input::Submit(vec![vec![*b; usize::from(*a)].into()])),
            ASK => {
                let command = Command {
                    expires: u64::from(*a) * 8,
                    payload: vec![*b; 3].into(),
                };
                let client = CLIENT;
                subject.input(Input::Client { client, command });
            }
            CRASH => subject.crash(*a, *b),
            _ => subject.input(Input::Wake),
        }
    }
}

impl Subject {
    fn hear(&mut self, from: u8, text: &[u8]) {
        if let Ok(message) = Message::decode(text) {
            let message = Arc::new(message);
            self.input(Input::Message { from, message });
        }
    }

    fn input(&mut self, input: Input) {
        self.replica.handle(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.replica.poll() {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "one input leads to work without end");
            match output {
                Output::Check(check) => {
                    let verdict = check.run(&Tags(0));
                    self.replica.handle(self.now, Input::Checked(verdict));
                }
                Output::Record(record) => self.disk.push(record),
                Output::Sync => self.synced = self.disk.len(),
                Output::Rewrite(records) => {
                    self.synced = records.len();
                    self.disk = records;
                }
                Output::Send { message, .. } => match &*message {
                    Message::Vote(signed) => self.said(signed.vote),
                    Message::Proposal(proposal) => {
                        self.said(Vote::Notarize(proposal.block.header.id()));
                    }
                    _ => {}
                },
                Output::Evidence(evidence) => assert_eq!(evidence.culprit, id(LIAR)),
                _ => {}
            }
        }
        assert!(self.replica.height() >= self.height, "the log only grows");
        self.height = self.replica.height();
    }

    fn said(&mut self, vote: Vote) {
        if !self.votes.contains(&vote) {
            let other = self.votes.iter().find(|other| other.contradicts(&vote));
            assert_eq!(other, None, "against {vote:?}");
            self.votes.push(vote);
        }
    }

    fn crash(&mut self, lost: u8, torn: u8) {
        let unsynced = self.disk.len() - self.synced;
        let lost = usize::from(lost) % (unsynced + 1);
        self.disk.truncate(self.disk.len() - lost);
        if self.disk.len() > self.synced
            && torn > 0
            && let Some(last) = self.disk.last_mut()
        {
            let length = last.len();
            last.truncate(length * usize::from(torn) / 256);
            if torn % 2 == 1 {
                // The length was written, the data was not.
                last.resize(length, 0);
            }
        }
        self.synced = self.disk.len();
        let back = replica(0, &self.disk, self.now);
        self.replica = back.expect("a replica recovers from a crash");
        self.height = self.replica.height();
        self.input(Input::Wake);
    }
}
