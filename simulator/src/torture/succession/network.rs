//! What becomes of a message on its way.

use super::plan::Plan;
use crate::torture::dice::Dice;

/// When a message arrives, if it does.
pub(super) fn arrival(plan: &Plan, dice: &mut Dice, now: u64, from: u8, to: u8) -> Option<u64> {
    if plan.model.bound().is_some() {
        return Some(now + delay_in_time(plan, dice, from, to));
    }
    let stable = now >= plan.stable_at;
    let usual = now + dice.within(plan.delay.0, plan.delay.1);
    if stable {
        return Some(usual);
    }
    let cut = plan.partitions.iter().any(|(since, until, side)| {
        (*since..*until).contains(&now) && (side >> from ^ side >> to) & 1 == 1
    });
    if cut || dice.chance(plan.loss_permille) {
        return None;
    }
    if !dice.chance(300) {
        return Some(usual);
    }
    // Nothing is under way longer than until shortly after stabilisation.
    let wild = (now + dice.below(plan.wild_delay)).min(plan.stable_at + plan.delay.1);
    Some(wild.max(usual))
}

/// Under synchrony: between honest peers in time, often just so; from liars when they like, and plotters hear at once.
fn delay_in_time(plan: &Plan, dice: &mut Dice, from: u8, to: u8) -> u64 {
    let (least, greatest) = plan.delay;
    if plan.plot && !plan.is_honest(to) {
        return 0;
    }
    match dice.below(4) {
        _ if !plan.is_honest(from) && dice.chance(500) => dice.below(plan.wild_delay),
        0 => least,
        1 => greatest,
        _ => dice.within(least, greatest),
    }
}
