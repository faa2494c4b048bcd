//! Merges that count several received models: the robust ones, and the best by loss.

use super::{inbox::Inbox, plane::Plane, settings::Defence};
use crate::{protocol::Slot, robust::Scratch, vector};

/// How several models are merged.
#[derive(Clone, Copy)]
pub(super) enum Gather<'a> {
    /// Own and received models by a robust rule, with every model received.
    Robust(&'a Defence),
    /// The best few by the loss on own rows, once the inbox is full.
    Best(usize),
}

/// Takes a model in and merges it with the others held, if it is time to. The merged model is as old
/// as the median of those merged, so that liars who are fewer than half cannot set the age.
pub(super) fn gather(
    how: Gather<'_>,
    plane: &mut Plane,
    peer: usize,
    (weights, age): (&[f32], u32),
    (spare, scratch): (&mut [f32], &mut Scratch),
    loss: impl Fn(&[f32]) -> f32,
) {
    let Some((inbox, slot)) = plane.inbox_and_slot(peer) else {
        return;
    };
    inbox.push(peer, weights, age);
    match how {
        Gather::Robust(defence) => robust(defence, inbox, slot, peer, spare, scratch),
        Gather::Best(best) if inbox.is_full(peer) => {
            keep_best(best, inbox, slot, peer, loss);
            inbox.clear(peer);
        }
        Gather::Best(_) => {}
    }
}

fn robust(
    defence: &Defence,
    inbox: &Inbox,
    slot: Slot<'_>,
    peer: usize,
    spare: &mut [f32],
    scratch: &mut Scratch,
) {
    let mut models: [&[f32]; MAX_INBOX + 1] = [&[]; MAX_INBOX + 1];
    let mut ages = [0; MAX_INBOX + 1];
    let count = 1 + inbox.len(peer);
    (models[0], ages[0]) = (&*slot.newest, slot.ages[0]);
    for (place, (weights, age)) in inbox.held(peer).enumerate() {
        (models[place + 1], ages[place + 1]) = (weights, age);
    }
    spare.copy_from_slice(slot.newest);
    defence
        .rule
        .aggregate(&models[..count], 0, defence.byzantine, spare, scratch);
    slot.newest.copy_from_slice(spare);
    slot.ages[0] = *ages[..count].select_nth_unstable(count / 2).1;
}

fn keep_best(
    best: usize,
    inbox: &Inbox,
    slot: Slot<'_>,
    peer: usize,
    loss: impl Fn(&[f32]) -> f32,
) {
    let mut ranked = [(f32::INFINITY, 0); MAX_INBOX];
    let held = inbox.held(peer).enumerate();
    held.for_each(|(place, (weights, _))| ranked[place] = (loss(weights), place));
    let ranked = &mut ranked[..inbox.len(peer)];
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (merged, (_, place)) in ranked.iter().take(best).enumerate() {
        if let Some((weights, age)) = inbox.held(peer).nth(*place) {
            vector::mix(slot.newest, weights, 1.0 / (merged + 2) as f32);
            slot.ages[0] = slot.ages[0].max(age);
        }
    }
}

/// The most received models that a peer holds.
pub(super) const MAX_INBOX: usize = 64;
