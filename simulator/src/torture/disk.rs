//! A disk that loses what was not synced, and tears the last write on purpose.

use super::dice::Dice;
use hamlet_consensus::storage::Storage;
use std::convert::Infallible;

/// A member's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    records: Vec<Vec<u8>>,
    /// How many of them will survive a crash.
    synced: usize,
}

impl Disk {
    /// What a crash does: any number of the last unsynced records are gone, and the last that is left of
    /// them may be cut short or end in zeros.
    pub fn crash(&mut self, dice: &mut Dice) {
        let unsynced = (self.records.len() - self.synced) as u64;
        let kept = self.synced + dice.within(0, unsynced) as usize;
        self.records.truncate(kept);
        if kept > self.synced
            && dice.chance(500)
            && let Some(last) = self.records.last_mut()
        {
            let cut = dice.below(last.len() as u64) as usize;
            let length = last.len();
            last.truncate(cut);
            if dice.chance(500) {
                // The length was written, the data was not.
                last.resize(length, 0);
            }
        }
        self.synced = self.records.len();
    }
}

impl Storage for Disk {
    type Error = Infallible;

    fn load(&mut self) -> Result<Vec<Vec<u8>>, Infallible> {
        Ok(self.records.clone())
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Infallible> {
        self.records.push(record.to_vec());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Infallible> {
        self.synced = self.records.len();
        Ok(())
    }

    fn rewrite(&mut self, records: &[Vec<u8>]) -> Result<(), Infallible> {
        self.records = records.to_vec();
        self.synced = self.records.len();
        Ok(())
    }
}
