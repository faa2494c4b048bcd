//! The application under torture: it counts commands and chains their hashes, and some commands change the members.

use crate::torture::{Ledger, keys::CheapKeys};
use bytes::Bytes;
use hamlet_consensus::{
    Epoch,
    application::{Application, BadSnapshot},
    epoch::{Charter, Height},
    hash::Hash,
};
use serde::{Deserialize, Serialize};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Something to be remembered.
    Note(u64),
    /// The members after this epoch of this cluster: those of the cluster, and of one that splits from it.
    Change(Hash, u64, Vec<u8>, Option<Vec<u8>>),
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
    /// The notes, in order.
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

    fn change(&self, order: Order) -> Vec<Charter> {
        let Order::Change(cluster, number, stay, split) = order else {
            return Vec::new();
        };
        if (cluster, number) != (self.epoch.cluster, self.epoch.number) {
            return Vec::new();
        }
        let charter = |cluster, number, members: Vec<u8>| Charter {
            cluster,
            number,
            terms: self.epoch.terms,
            members: members.into_iter().map(CheapKeys::id).collect(),
            context: Bytes::new(),
        };
        let mut charters = vec![charter(self.epoch.cluster, self.epoch.number + 1, stay)];
        if let Some(split) = split {
            let name = blake3::hash(&[&self.epoch.cluster.0[..], &self.ledger.digest].concat());
            charters.push(charter(Hash(*name.as_bytes()), 0, split));
        }
        charters
    }
}

impl Application for Society {
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8> {
        let answer = self.ledger.execute(height, command);
        match hamlet_consensus::wire::decode(command) {
            Ok(Order::Note(note)) => self.notes.push(note),
            Ok(order) => self.successors = self.change(order),
            Err(_) => {}
        }
        answer
    }

    fn snapshot(&self) -> Vec<u8> {
        let successors =
            hamlet_consensus::wire::encode(&(&self.epoch, &self.successors, &self.notes));
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
        (self.epoch, self.successors, self.notes) = society;
        Ok(())
    }

    fn successors(&self) -> Vec<Charter> {
        self.successors.clone()
    }

    fn begin(&mut self, epoch: &Epoch) {
        self.epoch = epoch.charter().clone();
        self.successors.clear();
    }
}
