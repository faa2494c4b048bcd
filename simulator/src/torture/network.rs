//! What becomes of a message on its way.

use super::{dice::Dice, plan::Plan};

/// The links between members.
pub(super) struct Network {
    dice: Dice,
}

impl Network {
    pub fn new(seed: u64) -> Network {
        Network {
            dice: Dice::new(seed, 1),
        }
    }

    /// When a message that is sent now arrives: not at all, once or twice.
    pub fn carry(&mut self, plan: &Plan, now: u64, from: u8, to: u8) -> [Option<u64>; 2] {
        if plan.model.bound().is_some() {
            return self.carry_in_time(plan, now, from, to);
        }
        let stable = now >= plan.stable_at;
        let side = |member: u8, side: u64| side >> member & 1 == 1;
        let cut = !stable
            && plan.partitions.iter().any(|partition| {
                (partition.from..partition.until).contains(&now)
                    && side(from, partition.side) != side(to, partition.side)
                    && (!partition.one_way || side(from, partition.side))
            });
        if cut || (!stable && self.dice.chance(plan.loss_permille)) {
            return [None, None];
        }
        let first = self.arrival(plan, now, stable);
        let twice = self.dice.chance(plan.duplication_permille);
        [Some(first), twice.then(|| self.arrival(plan, now, stable))]
    }

    /// Under synchrony: between honest members in time, often just so; from liars when they like.
    fn carry_in_time(&mut self, plan: &Plan, now: u64, from: u8, to: u8) -> [Option<u64>; 2] {
        let (least, greatest) = plan.delay;
        if plan.is_plot() && !(plan.is_honest(from) && plan.is_honest(to)) {
            return [Some(now), None];
        }
        let wild = !plan.is_honest(from) && self.dice.chance(500);
        let mut arrival = || {
            let delay = match self.dice.below(4) {
                _ if wild => self.dice.below(plan.wild_delay),
                0 => least.min(greatest),
                1 => greatest,
                _ => self.dice.within(least.min(greatest), greatest),
            };
            now + delay
        };
        let first = arrival();
        let again = arrival();
        let twice = plan.is_honest(to) && self.dice.chance(plan.duplication_permille);
        [Some(first), twice.then_some(again)]
    }

    fn arrival(&mut self, plan: &Plan, now: u64, stable: bool) -> u64 {
        let (least, greatest) = plan.delay;
        let usual = now + self.dice.within(least, greatest);
        if stable || !self.dice.chance(300) {
            return usual;
        }
        // Nothing is under way longer than until shortly after stabilisation.
        (now + self.dice.below(plan.wild_delay))
            .min(plan.stable_at + greatest)
            .max(usual)
    }
}
