//! What a peer stored of its cluster's agreement, on a disk that tears.

use crate::{
    machines::DiskFate,
    torture::{dice::Dice, disk::Disk},
};
use hamlet_consensus::{
    storage::Storage,
    succession::{Store, Stored, Tag},
};
use hamlet_overlay::agreement::{Step, order::Nonce};
use std::collections::BTreeMap;

/// The stores of a peer. How epochs ended and what stores begin with is on disk at once; records only when synced.
#[derive(Default)]
pub(crate) struct Shelf {
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, (Vec<u8>, Disk)>,
    lost: Option<Nonce>,
    /// The number that was chosen after the last loss.
    forgot: Option<Nonce>,
    /// The cluster where the peer has or looks for its place, if that is not where it began; and those that it left.
    home: Option<u64>,
    left: BTreeMap<u64, u64>,
}

impl Shelf {
    /// Carries out a step that concerns the disk.
    pub fn carry_out(&mut self, step: Step) {
        // This disk never refuses.
        let Ok(()) = match step {
            Step::Record(name, record) => self.disk(name).append(&record),
            Step::Sync(name) => self.disk(name).sync(),
            Step::Rewrite(name, records) => self.disk(name).rewrite(&records),
            step => {
                self.carry_out_at_once(step);
                Ok(())
            }
        };
    }

    fn carry_out_at_once(&mut self, step: Step) {
        match step {
            Step::Settle { cluster, left } => {
                *self = Shelf {
                    home: Some(cluster),
                    left,
                    forgot: self.forgot,
                    ..Shelf::default()
                };
            }
            Step::Part { cluster, left } => {
                self.home = Some(cluster);
                self.left = left;
            }
            Step::Link(link) => self.links.push(link),
            Step::Open(name, opening) => {
                self.lost = None;
                self.stores.insert(name, (opening, Disk::default()));
            }
            Step::Drop(name) => {
                self.stores.remove(&name);
            }
            _ => {}
        }
    }

    fn disk(&mut self, name: Tag) -> &mut Disk {
        &mut self.stores.entry(name).or_default().1
    }

    /// The machine crashes.
    pub fn crash(&mut self, fate: DiskFate, dice: &mut Dice) {
        match fate {
            DiskFate::Kept => {}
            DiskFate::Torn => {
                for (_, disk) in self.stores.values_mut() {
                    disk.crash(dice);
                }
            }
            DiskFate::Lost => {
                let mut nonce = Nonce::default();
                nonce[..8].copy_from_slice(&dice.word().to_le_bytes());
                *self = Shelf {
                    lost: Some(nonce),
                    forgot: Some(nonce),
                    ..Shelf::default()
                };
            }
        }
    }

    /// The cluster where the peer has or looks for its place, if that is not where it began.
    pub fn home(&self) -> Option<u64> {
        self.home
    }

    /// The clusters that it left, and the last epoch of each that it may have taken part in.
    pub fn left(&self) -> &BTreeMap<u64, u64> {
        &self.left
    }

    /// What is there, the number that was chosen after a loss, and whether there ever was one.
    pub fn load(&mut self) -> (Stored, Nonce, bool) {
        let stores = self.stores.values_mut().map(|(opening, disk)| {
            let Ok(records) = disk.load();
            Store {
                opening: opening.clone(),
                records,
            }
        });
        let stores: Vec<Store> = stores.collect();
        // Who has moved has not founded the cluster where it is.
        let moved = self.home.is_some() && stores.is_empty();
        let stored = Stored {
            links: self.links.clone(),
            stores,
            lost: self.lost.is_some() || moved,
            ..Stored::default()
        };
        (
            stored,
            self.forgot.unwrap_or_default(),
            self.forgot.is_some(),
        )
    }
}
