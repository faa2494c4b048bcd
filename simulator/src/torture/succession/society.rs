//! The application under torture: it counts commands and chains their hashes, and some commands change the members.

use crate::torture::{Ledger, keys::CheapKeys};
use bytes::Bytes;
use hamlet_consensus::{
    Epoch,
    application::{Application, BadSnapshot},
    epoch::{Charter, Height, Host, Merge},
    hash::Hash,
};
use serde::{Deserialize, Serialize};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Something to be remembered.
    Note(u64),
    /// The members after this epoch of this cluster, and what else becomes of it.
    Change(Hash, u64, Vec<u8>, Fate),
}

/// What becomes of a cluster with the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    /// It goes on.
    Alone,
    /// One of these members splits from it.
    Split(Vec<u8>),
    /// It asks this epoch to take it in.
    Ask(Box<Host>),
    /// It takes in another, which would go on as the epoch of this id, and has these notes.
    Take(Hash, Vec<u64>),
}

impl Order {
    pub fn encode(&self) -> Bytes {
        hamlet_consensus::wire::encode(self).into()
    }
}

/// Counts and chains commands, whatever epoch they are in.
#[derive(Clone, Debug)]
pub(crate) struct Society {
    ledger: Ledger,
    epoch: Charter,
    successors: Vec<Charter>,
    merge: Option<Merge>,
    /// The notes, in order; those of clusters that were taken in when they were.
    notes: Vec<u64>,
}

impl Society {
    pub fn new(founding: &Epoch, ballast: usize) -> Society {
        Society {
            ledger: Ledger {
                ballast,
                ..Ledger::default()
            },
            epoch: founding.charter().clone(),
            successors: Vec::new(),
            merge: None,
            notes: Vec::new(),
        }
    }

    /// The notes, in order.
    pub fn notes(&self) -> &[u64] {
        &self.notes
    }

    /// The cluster, how many commands it executed, and what they were.
    pub fn state(&self) -> (Hash, u64, [u8; 16]) {
        (self.epoch.cluster, self.ledger.count, self.ledger.digest)
    }

    /// Ends this epoch.
    fn end(&mut self, stay: Vec<u8>, fate: Fate) {
        let charter = |cluster, number, members: Vec<u8>| Charter {
            cluster,
            number,
            terms: self.epoch.terms,
            members: members.into_iter().map(CheapKeys::id).collect(),
            context: Bytes::new(),
        };
        self.successors = vec![charter(self.epoch.cluster, self.epoch.number + 1, stay)];
        match fate {
            Fate::Alone => {}
            Fate::Split(members) => {
                let name = [&self.epoch.cluster.0[..], &self.ledger.digest].concat();
                let name = Hash(*blake3::hash(&name).as_bytes());
                self.successors.push(charter(name, 0, members));
            }
            Fate::Ask(host) => self.merge = Some(Merge::Asks(host)),
            Fate::Take(guest, notes) => {
                self.merge = Some(Merge::Takes(guest));
                // Both have those from before one split from the other.
                let known = std::mem::take(&mut self.notes);
                let new = notes.into_iter().filter(|note| !known.contains(note));
                self.notes = known.iter().copied().chain(new).collect();
            }
        }
    }
}

impl Application for Society {
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8> {
        let answer = self.ledger.execute(height, command);
        match hamlet_consensus::wire::decode(command) {
            Ok(Order::Note(note)) => self.notes.push(note),
            Ok(Order::Change(cluster, number, stay, fate)) => {
                self.successors.clear();
                if (cluster, number) == (self.epoch.cluster, self.epoch.number) {
                    self.end(stay, fate);
                }
            }
            Err(_) => {}
        }
        answer
    }

    fn snapshot(&self) -> Vec<u8> {
        let successors = hamlet_consensus::wire::encode(&(
            &self.epoch,
            &self.successors,
            &self.merge,
            &self.notes,
        ));
        let mut bytes = (successors.len() as u64).to_le_bytes().to_vec();
        bytes.extend(successors);
        bytes.extend(self.ledger.snapshot());
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        let (length, rest) = snapshot.split_first_chunk::<8>().ok_or(BadSnapshot)?;
        let length = u64::from_le_bytes(*length) as usize;
        let (society, ledger) = rest.split_at_checked(length).ok_or(BadSnapshot)?;
        let society = hamlet_consensus::wire::decode(society).map_err(|_| BadSnapshot)?;
        self.ledger.restore(ledger)?;
        (self.epoch, self.successors, self.merge, self.notes) = society;
        Ok(())
    }

    fn successors(&self) -> Vec<Charter> {
        self.successors.clone()
    }

    fn merge(&self) -> Option<Merge> {
        self.merge.clone()
    }

    fn begin(&mut self, epoch: &Epoch) {
        self.epoch = epoch.charter().clone();
        self.successors.clear();
        self.merge = None;
    }
}
