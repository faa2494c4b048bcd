//! Models received and not yet merged, for merges that count several of them.

use serde::{Deserialize, Serialize};

/// A ring of the models that each peer received last.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Inbox {
    width: usize,
    models: usize,
    weights: Vec<f32>,
    ages: Vec<u32>,
    /// How many models each peer has received so far.
    received: Vec<u32>,
}

impl Inbox {
    pub(super) fn new(peers: usize, models: usize, width: usize) -> Inbox {
        Inbox {
            width,
            models,
            weights: vec![0.0; peers * models * width],
            ages: vec![0; peers * models],
            received: vec![0; peers],
        }
    }

    /// Stores a model, over the oldest when the ring is full.
    pub(super) fn push(&mut self, peer: usize, weights: &[f32], age: u32) {
        let place = peer * self.models + self.received[peer] as usize % self.models;
        self.weights[place * self.width..(place + 1) * self.width].copy_from_slice(weights);
        self.ages[place] = age;
        self.received[peer] = self.received[peer].wrapping_add(1);
    }

    /// How many models a peer can hold.
    pub(super) fn seats(&self) -> usize {
        self.models
    }

    /// How many models `peer` holds.
    pub(super) fn len(&self, peer: usize) -> usize {
        (self.received[peer] as usize).min(self.models)
    }

    /// Whether the ring of `peer` holds as many models as it can.
    pub(super) fn is_full(&self, peer: usize) -> bool {
        self.len(peer) == self.models
    }

    /// The models of `peer` and their ages, in no particular order.
    pub(super) fn held(&self, peer: usize) -> impl Iterator<Item = (&[f32], u32)> + Clone {
        let start = peer * self.models;
        let end = start + self.len(peer);
        let weights = self.weights[start * self.width..end * self.width].chunks_exact(self.width);
        weights.zip(self.ages[start..end].iter().copied())
    }

    /// Forgets the models of `peer`.
    pub(super) fn clear(&mut self, peer: usize) {
        self.received[peer] = 0;
    }
}
