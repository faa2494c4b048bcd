//! What a cluster agrees on: the replicated state, the orders that change it, and the log of them.

use crate::{
    hash::Hash,
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    wire,
};
use hamlet_consensus::{Application, application::BadSnapshot, epoch::Height, outcome::Outcome};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Arc};

/// The longest text of a note, in bytes.
pub const MAX_NOTE_BYTES: usize = 1024;
/// The most entries of the log that the state remembers; older ones are forgotten by all members alike.
pub const MAX_ENTRIES: usize = 256;

/// What members may order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// A note of an operator, for all members to read.
    Note(Note),
}

/// A note, signed by the member whose operator wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The member.
    pub by: PeerId,
    /// What it says.
    pub text: String,
    /// When it was written by the writer's wall clock, in milliseconds since 1970; to be read, not relied on.
    pub written_unix_ms: u64,
    /// The member's signature.
    pub signature: Signature,
}

const NOTE_DOMAIN: &str = "hamlet v1 note";

impl Note {
    /// Signs a note.
    pub fn sign(network: Hash, signer: &dyn Signer, text: String, written_unix_ms: u64) -> Note {
        let by = signer.id();
        let bytes = Note::text(by, &text, written_unix_ms);
        Note {
            signature: signer.sign(Note::statement(network, &bytes)),
            by,
            text,
            written_unix_ms,
        }
    }

    fn text(by: PeerId, text: &str, written_unix_ms: u64) -> Vec<u8> {
        wire::encode(&(by, written_unix_ms, text))
    }

    fn statement(network: Hash, text: &[u8]) -> Statement<'_> {
        Statement {
            domain: NOTE_DOMAIN,
            network,
            text,
        }
    }

    fn is_signed(&self, network: Hash, verifier: &dyn Verifier) -> bool {
        let bytes = Note::text(self.by, &self.text, self.written_unix_ms);
        verifier.verify(self.by, Note::statement(network, &bytes), &self.signature)
    }
}

/// An entry of the cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place among all entries since the founding, from 0.
    pub number: u64,
    /// The height at which it was decided.
    pub height: Height,
    /// What was decided.
    pub order: Order,
}

impl Entry {
    /// The entry that came of a command, if the command made one.
    pub(super) fn of(state: &ClusterState, outcome: &Outcome) -> Option<Entry> {
        let Ok(Answer::Entered(number)) = decode::<Answer>(&outcome.answer) else {
            return None;
        };
        state.entry(number).cloned()
    }
}

/// What the state answers to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    /// It is the entry of this number.
    Entered(u64),
    /// It is no order, or not by a member, or not signed by it.
    Nonsense,
}

/// The state that all members of a cluster hold alike: a pure function of the founding and of the log.
#[derive(Clone)]
pub struct ClusterState {
    network: Hash,
    verifier: Arc<dyn Verifier>,
    shared: Shared,
}

/// The part of it that travels in snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Shared {
    members: Vec<PeerId>,
    /// The number of the next entry.
    next: u64,
    /// The newest entries.
    entries: VecDeque<Entry>,
}

impl ClusterState {
    /// The state at the beginning.
    pub fn new(network: Hash, verifier: Arc<dyn Verifier>, members: Vec<PeerId>) -> ClusterState {
        ClusterState {
            network,
            verifier,
            shared: Shared {
                members,
                next: 0,
                entries: VecDeque::new(),
            },
        }
    }

    /// The members, in the order of their keys.
    pub fn members(&self) -> &[PeerId] {
        &self.shared.members
    }

    /// The newest entries of the log, the oldest of them first: at most [`MAX_ENTRIES`].
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.shared.entries.iter()
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        let first = self.shared.entries.front()?.number;
        self.shared.entries.get(number.checked_sub(first)? as usize)
    }

    /// The order of these bytes, if it is one that this state accepts.
    fn order(&self, command: &[u8]) -> Option<Order> {
        let order: Order = decode(command).ok()?;
        let accepted = match &order {
            Order::Note(note) => {
                note.text.len() <= MAX_NOTE_BYTES
                    && self.shared.members.binary_search(&note.by).is_ok()
                    && note.is_signed(self.network, &*self.verifier)
            }
        };
        accepted.then_some(order)
    }
}

impl Application for ClusterState {
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8> {
        let answer = match self.order(command) {
            Some(order) => {
                let number = self.shared.next;
                self.shared.next += 1;
                if self.shared.entries.len() == MAX_ENTRIES {
                    self.shared.entries.pop_front();
                }
                self.shared.entries.push_back(Entry {
                    number,
                    height,
                    order,
                });
                Answer::Entered(number)
            }
            None => Answer::Nonsense,
        };
        wire::encode(&answer)
    }

    fn snapshot(&self) -> Vec<u8> {
        wire::encode(&self.shared)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        self.shared = decode(snapshot).map_err(|_| BadSnapshot)?;
        Ok(())
    }
}

/// Decodes bytes whose length the engine has bounded.
fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, wire::Malformed> {
    hamlet_consensus::wire::decode(bytes)
}
