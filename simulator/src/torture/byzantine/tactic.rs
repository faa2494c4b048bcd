//! What Byzantine members try.

use crate::torture::dice::Dice;

/// What Byzantine members try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tactic {
    /// They say nothing at all.
    Silent,
    /// They run two honest replicas under one key, each for a part of the members.
    Twins,
    /// As leaders they propose one block to some and another to others.
    Equivocate,
    /// They vote for everything, against everything, and differently to different members.
    Contradict,
    /// They leave out messages to some.
    Withhold,
    /// They speak of views and heights long past or far ahead.
    WrongViews,
    /// They make up blocks, tails, snapshots and certificates.
    Forge,
    /// They sign badly.
    BadSignatures,
    /// They send random and damaged bytes.
    Garbage,
    /// They send many commands of their own.
    Flood,
    /// They help a block before some members, and its view to be passed over before the others.
    Corner,
    /// They speak rarely, together and at the worst moment, and nothing of theirs is ever under way.
    Plot,
}

impl Tactic {
    /// All of them.
    pub const ALL: [Tactic; 11] = [
        Tactic::Silent,
        Tactic::Twins,
        Tactic::Equivocate,
        Tactic::Contradict,
        Tactic::Withhold,
        Tactic::WrongViews,
        Tactic::Forge,
        Tactic::BadSignatures,
        Tactic::Garbage,
        Tactic::Flood,
        Tactic::Corner,
    ];

    /// Under synchrony: mostly leaders that equivocate, with all that helps, or liars who corner somebody.
    pub(in crate::torture) fn draw_in_time(dice: &mut Dice) -> Vec<Tactic> {
        if dice.chance(200) {
            return vec![Tactic::Corner];
        }
        let mut tactics = Tactic::draw(dice);
        if dice.chance(600) {
            let helpful = [
                Tactic::Twins,
                Tactic::Equivocate,
                Tactic::Contradict,
                Tactic::Withhold,
            ];
            tactics.retain(|tactic| *tactic != Tactic::Silent);
            tactics.push(Tactic::Equivocate);
            tactics.extend(dice.pick(&helpful));
        }
        tactics.sort();
        tactics.dedup();
        tactics
    }

    pub(in crate::torture) fn draw(dice: &mut Dice) -> Vec<Tactic> {
        // To corner somebody is of use only where delays are bounded.
        let mut tactics: Vec<Tactic> = (0..dice.within(1, 4))
            .filter_map(|_| dice.pick(&Tactic::ALL[..10]))
            .collect();
        tactics.sort();
        tactics.dedup();
        tactics
    }
}
