//! What a peer stored of its cluster's agreement, on a disk that tears.

use super::plan::Fate;
use crate::torture::{dice::Dice, disk::Disk};
use hamlet_consensus::{
    storage::Storage,
    succession::{Store, Stored, Tag},
};
use hamlet_overlay::agreement::{Step, order::Nonce};
use std::collections::BTreeMap;

/// The stores of a peer. How epochs ended and what stores begin with is on disk at once; records only when synced.
#[derive(Default)]
pub(super) struct Shelf {
    links: Vec<Vec<u8>>,
    stores: BTreeMap<Tag, (Vec<u8>, Disk)>,
    lost: Option<Nonce>,
    /// The number that was chosen after the last loss.
    forgot: Option<Nonce>,
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
    pub fn crash(&mut self, fate: Fate, dice: &mut Dice) {
        match fate {
            Fate::Torn => {
                for (_, disk) in self.stores.values_mut() {
                    disk.crash(dice);
                }
            }
            Fate::Lost => {
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

    /// What is there, the number that was chosen after a loss, and whether there ever was one.
    pub fn load(&mut self) -> (Stored, Nonce, bool) {
        let stores = self.stores.values_mut().map(|(opening, disk)| {
            let Ok(records) = disk.load();
            Store {
                opening: opening.clone(),
                records,
            }
        });
        let stored = Stored {
            links: self.links.clone(),
            stores: stores.collect(),
            lost: self.lost.is_some(),
        };
        (
            stored,
            self.forgot.unwrap_or_default(),
            self.forgot.is_some(),
        )
    }
}
