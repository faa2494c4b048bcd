//! Small views, refreshed by swapping entries (Cyclon: Voulgaris, Gavidia and van Steen 2005).
//!
//! Two peers that meet swap some of their entries, and the one that asked puts itself in place of the
//! entry that named the other. Entries move rather than multiply, so that views of five stay random;
//! with Newscast's rule, which keeps the freshest of the union, so small views fall apart into cliques.

use crate::random;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// No peer in this place.
const EMPTY: u32 = u32::MAX;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Views {
    size: usize,
    refreshes: u32,
    entries: Vec<u32>,
}

impl Views {
    pub(super) fn new(peers: usize, size: usize, refreshes: u32, rng: &mut impl Rng) -> Views {
        let mut entries = Vec::with_capacity(peers * size);
        for peer in 0..peers {
            for _ in 0..size {
                let other = random::below(rng, peers - 1);
                entries.push((other + usize::from(other >= peer)) as u32);
            }
        }
        Views {
            size,
            refreshes,
            entries,
        }
    }

    fn of(&self, peer: u32) -> &[u32] {
        &self.entries[peer as usize * self.size..(peer as usize + 1) * self.size]
    }

    /// The place of a random entry of `peer`'s view.
    fn place(&self, peer: u32, rng: &mut impl Rng) -> Option<usize> {
        let start = peer as usize * self.size;
        let filled = self
            .of(peer)
            .iter()
            .filter(|entry| **entry != EMPTY)
            .count();
        let nth = random::below(rng, filled);
        let mut places = (start..start + self.size).filter(|place| self.entries[*place] != EMPTY);
        places.nth(nth)
    }

    pub(super) fn pick(&self, peer: u32, rng: &mut impl Rng) -> Option<u32> {
        self.place(peer, rng).map(|place| self.entries[place])
    }

    /// Lets every peer of `online` swap with somebody of its view, and drop whom it finds offline.
    pub(super) fn refresh(&mut self, online: &[u32], rng: &mut impl Rng) {
        let mut is_online = vec![false; self.entries.len() / self.size];
        online
            .iter()
            .for_each(|peer| is_online[*peer as usize] = true);
        for _ in 0..self.refreshes {
            for &peer in online {
                let Some(place) = self.place(peer, rng) else {
                    continue;
                };
                let other = self.entries[place];
                if is_online[other as usize] {
                    self.swap(peer, place, other, rng);
                } else {
                    self.entries[place] = EMPTY;
                }
            }
        }
    }

    /// Swaps half a view; `peer` gives away its entry for `other` and gives itself.
    fn swap(&mut self, peer: u32, place: usize, other: u32, rng: &mut impl Rng) {
        let theirs = other as usize * self.size;
        let mine = peer as usize * self.size;
        // Both go through their views from a random place on.
        let start = random::below(rng, self.size);
        for step in 0..self.size.div_ceil(2) {
            let to = theirs + (start + step) % self.size;
            let from = mine + (place - mine + step) % self.size;
            let (given, taken) = (
                if step == 0 { peer } else { self.entries[from] },
                self.entries[to],
            );
            let new_for = |owner: u32, entry: u32, view: &[u32]| {
                entry != EMPTY && entry != owner && !view.contains(&entry)
            };
            let (gives, takes) = (
                new_for(other, given, self.of(other)),
                new_for(peer, taken, self.of(peer)),
            );
            if gives {
                self.entries[to] = given;
            }
            if takes {
                self.entries[from] = taken;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_forget_who_is_offline_and_stay_spread() {
        let mut rng = random::stream(1, 1);
        let mut views = Views::new(100, 5, 10, &mut rng);
        let online: Vec<u32> = (0..60).collect();
        for _ in 1..20 {
            views.refresh(&online, &mut rng);
        }
        let named = || {
            online
                .iter()
                .flat_map(|peer| views.of(*peer))
                .filter(|e| **e != EMPTY)
        };
        assert!(named().count() > 200, "{}", named().count());
        assert!(named().all(|entry| *entry < 60));
        let mut times = [0; 60];
        named().for_each(|entry| times[*entry as usize] += 1);
        assert!(times.iter().all(|times| *times < 20), "{times:?}");
        assert!(
            times.iter().filter(|times| **times == 0).count() < 4,
            "{times:?}"
        );
        for peer in 0..60 {
            assert!(!views.of(peer).contains(&peer));
        }
    }
}
