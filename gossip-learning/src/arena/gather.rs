//! Merges that count several received models: the robust ones, and the best by loss.

use super::{inbox::Inbox, plane::Plane};
use crate::{
    protocol::Slot,
    robust::{Asked, Rule, Scratch, judge},
    vector,
};

/// How several models are merged.
#[derive(Clone, Copy)]
pub(super) enum Gather<'a> {
    /// Own and received models by a robust rule, with every model received.
    Together(Together<'a>),
    /// The newest one alone, if those received before it do not object.
    Jury(Asked),
    /// The best few by the loss on own rows, once the inbox is full.
    Best(usize),
}

/// A robust rule and what it wants to know, see [`super::Way::Together`].
#[derive(Clone, Copy)]
pub(super) struct Together<'a> {
    pub fit: bool,
    pub rule: &'a Rule,
    pub byzantine: usize,
    pub models: usize,
}

/// Takes a model in and merges it with the others held, if it is time to. False if it is held for a lie: then the
/// peer does not learn either, since whoever is refused much would run ahead of the others on its own rows.
pub(super) fn gather(
    how: Gather<'_>,
    plane: &mut Plane,
    peer: usize,
    (weights, age): (&[f32], u32),
    (spare, scratch): (&mut [f32], &mut Scratch),
    loss: impl Fn(&[f32]) -> f32,
) -> bool {
    let Some((inbox, slot, start)) = plane.inbox_and_slot(peer) else {
        return true;
    };
    if let Gather::Jury(asked) = how {
        let entries = spare.iter_mut().zip(weights.iter().zip(start));
        entries.for_each(|(learned, (weight, start))| *learned = weight - start);
        let newest = (weights, &*spare, age);
        let accepted = one_by_one(asked, inbox, (slot, start), peer, newest, scratch);
        // Who is refused sits on the next jury all the same: by that the next of its kind is known.
        inbox.push(peer, spare, age);
        return accepted;
    }
    inbox.push(peer, weights, age);
    match how {
        // A few models cannot be compared: who holds less than half learns alone at first.
        Gather::Together(how) if 2 * inbox.len(peer) >= how.models => {
            together(how, inbox, slot, peer, (spare, scratch), loss);
        }
        Gather::Best(best) if inbox.is_full(peer) => {
            keep_best(best, inbox, slot, peer, loss);
            inbox.clear(peer);
        }
        Gather::Together(_) | Gather::Best(_) | Gather::Jury(_) => {}
    }
    true
}

/// Merges the newest model with the own one, half and half, unless the jury objects. The merged one is as old as
/// the older of both, as far as the jury lets the newest claim its age. A jury of fewer than half its seats does
/// not judge, and lets nothing in.
///
/// The newest, and those that judge it, are what models have `learned` beyond the one that everybody began with. A regression begins
/// at a level that is much longer than all it learns: seen from zero, all models point the same way.
fn one_by_one(
    asked: Asked,
    inbox: &Inbox,
    (slot, start): (Slot<'_>, &[f32]),
    peer: usize,
    (weights, learned, age): (&[f32], &[f32], u32),
    scratch: &mut Scratch,
) -> bool {
    if 2 * inbox.len(peer) < inbox.seats() {
        return true;
    }
    let own = slot.newest.iter().zip(start);
    let own = own.map(|(weight, start)| weight - start);
    let Ok(age) = judge((learned, age), own, inbox.held(peer), asked, scratch) else {
        return false;
    };
    vector::mix(slot.newest, weights, 0.5);
    slot.ages[0] = slot.ages[0].max(age);
    true
}

/// Merges the own model with those held. The merged one is as old as the own one, or as the median of
/// those merged if that is more: so liars who are fewer than half cannot set the age, and models that
/// waited in the inbox do not make the merged one younger.
fn together(
    how: Together<'_>,
    inbox: &Inbox,
    slot: Slot<'_>,
    peer: usize,
    (spare, scratch): (&mut [f32], &mut Scratch),
    loss: impl Fn(&[f32]) -> f32,
) {
    let mut received: [(f32, u32, &[f32]); MAX_INBOX] = [(0.0, 0, &[]); MAX_INBOX];
    let mut count = inbox.len(peer);
    for (place, (weights, age)) in received.iter_mut().zip(inbox.held(peer)) {
        *place = (if how.fit { loss(weights) } else { 0.0 }, age, weights);
    }
    if how.fit {
        received[..count].sort_by(|a, b| a.0.total_cmp(&b.0));
        count -= how.byzantine.min(count / 2);
    }
    let mut models: [&[f32]; MAX_INBOX + 1] = [&[]; MAX_INBOX + 1];
    let mut ages = [0; MAX_INBOX + 1];
    (models[0], ages[0]) = (&*slot.newest, slot.ages[0]);
    for (place, (_, age, weights)) in received[..count].iter().enumerate() {
        (models[place + 1], ages[place + 1]) = (weights, *age);
    }
    (how.rule).aggregate(&models[..=count], 0, how.byzantine, spare, scratch);
    let middle = *ages[..=count].select_nth_unstable(count.div_ceil(2)).1;
    slot.newest.copy_from_slice(spare);
    slot.ages[0] = slot.ages[0].max(middle);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jury_sees_what_was_learned_beyond_the_level_that_everybody_began_with() {
        let start = [0.0, 4.7];
        let asked = Asked {
            repeated: false,
            undoing: false,
        };
        // Seen from zero, the level is nearly all that there is.
        let merged = |learned: [f32; 2]| {
            let mut inbox = Inbox::new(1, 4, 2);
            (0..4).for_each(|_| inbox.push(0, &[0.2, 0.1], 9));
            let mut newest = [0.2, 4.8];
            let slot = Slot {
                newest: &mut newest,
                ages: &mut [9],
                last: &mut [],
                last_ages: &mut [],
            };
            let mut scratch = Scratch::default();
            let weights = [start[0] + learned[0], start[1] + learned[1]];
            let (slot, came) = ((slot, &start[..]), (&weights[..], &learned[..], 9));
            one_by_one(asked, &inbox, slot, 0, came, &mut scratch).then_some(newest)
        };
        assert_eq!(merged([-0.2, -0.1]), None);
        assert_eq!(merged([2.0, 1.0]), None);
        let taken = merged([0.4, 0.1]).unwrap_or_default();
        assert!((taken[0] - 0.3).abs() + (taken[1] - 4.8).abs() < 1e-6);
    }
}
