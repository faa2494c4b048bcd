//! What a hunt tries: mixes of adversaries, drawn or changed.

use crate::{scenario::Scenario, seeds::Seeds};
use hamlet_simulator::{
    behaviour::{Conduct, Kind, Rhythm},
    random::{Purpose, Randomness},
    settings::Adversaries,
};
use std::time::Duration;

/// Kinds that are worth trying.
const KINDS: [Kind; 12] = [
    Kind::Withholding,
    Kind::Silent,
    Kind::ColludersOnly,
    Kind::Partial(50),
    Kind::Sparing(2),
    Kind::Polluter,
    Kind::Late(300),
    Kind::Slander,
    Kind::NeverComplete,
    Kind::Flood,
    Kind::Replay,
    Kind::Satiation(50),
];
/// The most groups of adversaries that do different things.
const GROUPS_MAX: u64 = 3;
/// Worlds have seeds from 1 up to this.
const SEEDS: u64 = 1000;

/// A search that draws adversaries.
pub struct Game {
    dice: Randomness,
    thrown: u64,
    /// The share of all adversaries together.
    share: f64,
}

impl Game {
    /// The search of a seed.
    pub fn new(seed: u64, share: f64) -> Game {
        Game {
            dice: Randomness::new(seed, Purpose::Hunt),
            thrown: 0,
            share,
        }
    }

    /// The next to be tried: a change of what is known, or something new.
    pub fn draw(&mut self, base: &Scenario, known: Option<&Scenario>) -> Scenario {
        let adversaries = match known {
            Some(known) => self.change(&known.adversaries),
            None => {
                let groups = 1 + self.below(GROUPS_MAX);
                (0..groups).map(|_| self.group()).collect()
            }
        };
        Scenario {
            seeds: Seeds::one(1 + self.below(SEEDS)),
            adversaries: self.scaled(adversaries),
            ..base.clone()
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.thrown += 1;
        self.dice.within([self.thrown], &(0..=bound - 1))
    }

    fn one_of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.below(some.len() as u64) as usize]
    }

    /// One change: a group more, a group less, or another in the place of one.
    fn change(&mut self, known: &[Adversaries]) -> Vec<Adversaries> {
        let mut all = known.to_vec();
        let place = self.below(all.len().max(1) as u64) as usize;
        match self.below(4) {
            0 if (all.len() as u64) < GROUPS_MAX => {
                let group = self.group();
                all.push(group);
            }
            1 if all.len() > 1 => {
                all.remove(place);
            }
            2 => {
                if let Some(group) = all.get_mut(place) {
                    group.share *= self.one_of(&[0.5, 2.0]);
                }
            }
            _ => {
                let group = self.group();
                match all.get_mut(place) {
                    Some(old) => {
                        *old = Adversaries {
                            share: old.share,
                            ..group
                        }
                    }
                    None => all.push(group),
                }
            }
        }
        all
    }

    fn group(&mut self) -> Adversaries {
        let several = 1 + u64::from(self.below(3) == 0);
        let kinds = (0..several).map(|_| self.kind()).collect();
        let rhythm = (self.below(3) == 0).then(|| {
            let on = 1 + self.below(8);
            Rhythm {
                on: Duration::from_secs(on),
                every: Duration::from_secs(on + 1 + self.below(8)),
            }
        });
        let from_s = self.one_of(&[0.0, 0.0, 0.0, 2.0, 4.0]);
        Adversaries {
            among: None,
            share: (1 + self.below(4)) as f64,
            behavior: Conduct { kinds, rhythm },
            from_s,
            until_s: None,
        }
    }

    fn kind(&mut self) -> Kind {
        match self.one_of(&KINDS) {
            Kind::Partial(_) => Kind::Partial(self.one_of(&[10, 25, 50, 75, 90])),
            Kind::Satiation(_) => Kind::Satiation(self.one_of(&[10, 25, 50, 75, 90])),
            Kind::Sparing(_) => Kind::Sparing(self.one_of(&[2, 3, 4, 8])),
            Kind::Late(_) => Kind::Late(100 * (1 + self.below(12)) as u16),
            other => other,
        }
    }

    /// The groups with shares that come to that of the search, to whole thousandths, without the smallest.
    fn scaled(&self, mut all: Vec<Adversaries>) -> Vec<Adversaries> {
        let sum = |all: &[Adversaries]| all.iter().map(|group| group.share).sum::<f64>();
        let least = sum(&all) / 50.0;
        all.retain(|group| group.share >= least);
        let whole = sum(&all);
        for group in &mut all {
            group.share = (group.share / whole * self.share * 1000.0).floor() / 1000.0;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_makes_worlds_of_the_share_asked_for() {
        let base = Scenario::default();
        let mut game = Game::new(1, 0.3);
        let mut known: Option<Scenario> = None;
        let mut different = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let drawn = game.draw(&base, known.as_ref());
            assert!(
                (0.295..=0.3001).contains(&drawn.byzantine()),
                "{}",
                drawn.byzantine()
            );
            assert!(drawn.settings(1).check().is_ok());
            different.insert(drawn.behavior());
            known = Some(drawn);
        }
        assert!(different.len() > 100, "{}", different.len());
        let again = Game::new(1, 0.3).draw(&base, None);
        assert_eq!(again, Game::new(1, 0.3).draw(&base, None));
    }
}
