//! The application under torture: it counts commands and chains their hashes.

use hamlet_consensus::{
    application::{Application, BadSnapshot},
    epoch::Height,
};

/// Counts commands and chains their hashes, so that equal counts with equal digests mean equal histories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// How many commands were executed.
    pub count: u64,
    /// The chained hash of all of them.
    pub digest: [u8; 16],
    /// Ballast, so that snapshots have several pieces.
    pub ballast: usize,
}

impl Ledger {
    /// The count and the digest in an answer of [`Ledger::execute`](Application::execute).
    pub fn parse(answer: &[u8]) -> Option<(u64, [u8; 16])> {
        let (count, digest) = answer.split_first_chunk::<8>()?;
        Some((u64::from_le_bytes(*count), digest.try_into().ok()?))
    }
}

impl Application for Ledger {
    fn execute(&mut self, height: Height, command: &[u8]) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.digest);
        hasher.update(&height.to_le_bytes());
        hasher.update(command);
        self.digest
            .copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        self.count += 1;
        [&self.count.to_le_bytes()[..], &self.digest].concat()
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = [&self.count.to_le_bytes()[..], &self.digest].concat();
        bytes.resize(24 + self.ballast, self.digest[0]);
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BadSnapshot> {
        let (head, _) = snapshot.split_at_checked(24).ok_or(BadSnapshot)?;
        (self.count, self.digest) = Ledger::parse(head).ok_or(BadSnapshot)?;
        Ok(())
    }
}
