//! Colluders who want a cluster's beacon to be what suits them, and try.
//!
//! A network as bad as it can be for the others: colluders hear everything before they speak, and it is they who order the log.
//! What suits them is a value whose lowest bit is 0, half of all; so an honest beacon suits them half of the time.

use hamlet_consensus::{
    beacon::{Contribution, Key, Refused, Round, SecretKey, lottery::Lottery},
    hash::Hash,
    member::{Member, MemberSet},
};
use std::collections::BTreeMap;

/// How many ways to complete what is ordered colluders try at most.
const TRIALS: usize = 64;

/// A cluster and the colluders among its members.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How many members there are.
    pub members: u8,
    /// How many may be faulty, as everybody believes.
    pub faults: usize,
    /// How many are: the last ones.
    pub colluders: usize,
}

/// One beacon after the other of the same members.
pub struct Game {
    setup: Setup,
    secrets: Vec<SecretKey>,
    keys: Vec<Key>,
    rounds: u64,
}

impl Game {
    /// A game whose keys follow from a seed.
    pub fn new(setup: Setup, seed: u64) -> Game {
        let secret = |member: u8| {
            let mut bytes = [member + 1; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            SecretKey::derive(&bytes, Hash::default())
        };
        let secrets: Vec<SecretKey> = (0..setup.members).map(secret).collect();
        Game {
            setup,
            keys: secrets.iter().map(SecretKey::key).collect(),
            secrets,
            rounds: 0,
        }
    }

    fn name(&mut self) -> Hash {
        self.rounds += 1;
        let mut name = [0; 32];
        name[..8].copy_from_slice(&self.rounds.to_le_bytes());
        Hash(name)
    }

    fn honest(&self) -> std::ops::Range<Member> {
        0..self.setup.members - self.setup.colluders as Member
    }

    fn colluders(&self) -> std::ops::Range<Member> {
        self.honest().end..self.setup.members
    }

    fn contribution(&self, round: &Round, member: Member) -> Option<Contribution> {
        round.contribution(member, &self.secrets[usize::from(member)])
    }

    /// One beacon of dealt secrets; its value. Colluders deal first, look at all dealings of the others, and choose the one
    /// that completes the set so that the value suits them, as far as they can tell. Then they show false shares, and no others.
    ///
    /// # Panics
    /// If the beacon does not come although enough are honest.
    pub fn shared(&mut self) -> Hash {
        let name = self.name();
        let (keys, faults) = (self.keys.clone(), self.setup.faults);
        let mut round = Round::new(name, keys, faults).unwrap_or_else(|error| panic!("{error}"));
        // An honest one is left out of this, or the set would be theirs alone.
        for dealer in self.colluders().take(faults) {
            self.say(&mut round, dealer, None);
        }
        let (last, missing) = (self.honest(), faults - round.dealers().len());
        for dealer in last.clone().take(missing) {
            self.say(&mut round, dealer, None);
        }
        let complete = (last.skip(missing).take(TRIALS)).map(|dealer| {
            let mut fixed = round.clone();
            self.say(&mut fixed, dealer, None);
            fixed
        });
        let best = first_or_last(complete, |fixed| suits(self.guess(fixed)));
        let mut round = best.unwrap_or(round);
        let stolen = self
            .honest()
            .next()
            .and_then(|honest| self.contribution(&round, honest));
        for colluder in self.colluders() {
            self.say(&mut round, colluder, stolen.as_ref());
        }
        for honest in self.honest() {
            self.say(&mut round, honest, None);
        }
        (round.value()).unwrap_or_else(|| panic!("the others are enough"))
    }

    /// Has a member put something into the log: what it ought to, or this.
    fn say(&self, round: &mut Round, member: Member, instead: Option<&Contribution>) {
        let own = self.contribution(round, member);
        let taken = match (instead, &own) {
            (Some(lie), _) => {
                assert_eq!(round.take(member, lie), Err(Refused::Unproved));
                return;
            }
            (None, Some(own)) => round.take(member, own),
            (None, None) => return,
        };
        taken.unwrap_or_else(|refused| panic!("an honest contribution is refused: {refused}"));
    }

    /// What colluders expect of dealings: the value, if their keys suffice to read it; otherwise the best they can do is to look at what
    /// they can read.
    fn guess(&self, fixed: &Round) -> Hash {
        let mut read = fixed.clone();
        let mut hasher = blake3::Hasher::new();
        for colluder in self.colluders() {
            if let Some(share) = self.contribution(&read, colluder) {
                hasher.update(&share.encode());
                self.say(&mut read, colluder, None);
            }
        }
        read.value()
            .unwrap_or_else(|| Hash(*hasher.finalize().as_bytes()))
    }

    /// One beacon of draws; its value. Colluders hear all draws and choose which of all members come too late.
    ///
    /// # Panics
    /// If the beacon does not come although enough draw.
    pub fn drawn(&mut self) -> Hash {
        let name = self.name();
        let (keys, faults) = (self.keys.clone(), self.setup.faults);
        let lottery = Lottery::new(name, keys, faults);
        let mut lottery = lottery.unwrap_or_else(|error| panic!("{error}"));
        let draws: BTreeMap<Member, _> = (0..self.setup.members)
            .map(|member| {
                (
                    member,
                    lottery.draw(member, &self.secrets[usize::from(member)]),
                )
            })
            .collect();
        // Without colluders it is the first that come.
        let trials = if self.setup.colluders == 0 { 1 } else { TRIALS };
        let sets = subsets(self.setup.members, draws.len() - faults);
        let value = |set: &MemberSet| {
            let chosen = draws.iter().filter(|(member, _)| set.contains(**member));
            lottery.value_of(&chosen.map(|(member, draw)| (*member, *draw)).collect())
        };
        let best = first_or_last(sets.take(trials), |set| suits(value(set)));
        for member in best.unwrap_or_default().iter() {
            let taken = lottery.take(member, &draws[&member]);
            taken.unwrap_or_else(|refused| panic!("a draw is refused: {refused}"));
        }
        (lottery.value()).unwrap_or_else(|| panic!("they are enough"))
    }
}

/// The first that is wanted, or else the last.
fn first_or_last<T>(all: impl Iterator<Item = T>, wanted: impl Fn(&T) -> bool) -> Option<T> {
    let mut last = None;
    for one in all {
        if wanted(&one) {
            return Some(one);
        }
        last = Some(one);
    }
    last
}

/// Whether a value is what colluders want.
pub fn suits(value: Hash) -> bool {
    value.0[0] & 1 == 0
}

/// How many sets colluders choose among who decide which `faults` draws of so many come too late, as far as they try.
pub fn choices(members: u8, faults: usize) -> usize {
    subsets(members, usize::from(members) - faults)
        .take(TRIALS)
        .count()
}

/// The sets of so many members, in the order of their bits (Gosper's hack).
fn subsets(members: u8, size: usize) -> impl Iterator<Item = MemberSet> {
    let first = (1u128 << size) - 1;
    let next = |set: &u128| {
        let lowest = set & set.wrapping_neg();
        let carried = set + lowest;
        Some(carried | (((carried ^ set) >> 2) / lowest.max(1)))
    };
    let all = std::iter::successors(Some(first), next);
    all.take_while(move |set| set >> members == 0)
        .map(move |set| {
            (0..members)
                .filter(|member| set >> member & 1 == 1)
                .collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(setup: Setup, rounds: u32, play: fn(&mut Game) -> Hash) -> f64 {
        let mut game = Game::new(setup, 1);
        let suited = (0..rounds).filter(|_| suits(play(&mut game))).count();
        suited as f64 / f64::from(rounds)
    }

    /// Four standard deviations around a half.
    fn is_fair(share: f64, rounds: u32) -> bool {
        (share - 0.5).abs() < 4.0 * 0.5 / f64::from(rounds).sqrt()
    }

    #[test]
    fn colluders_choose_draws_but_not_dealt_secrets() {
        let setup = Setup {
            members: 7,
            faults: 2,
            colluders: 2,
        };
        let dealt = share(setup, 80, Game::shared);
        assert!(is_fair(dealt, 80), "{dealt}");
        let drawn = share(setup, 40, Game::drawn);
        assert!(drawn > 0.95, "21 sets to choose among, and only {drawn}");
        let honest = Setup {
            colluders: 0,
            ..setup
        };
        assert!(is_fair(share(honest, 60, Game::drawn), 60));
    }

    /// The bound is tight, and the colluder worth its name: with one key more than may be faulty it wins.
    #[test]
    fn with_one_more_colluders_read_what_is_dealt_and_choose() {
        let setup = Setup {
            members: 7,
            faults: 2,
            colluders: 3,
        };
        let dealt = share(setup, 40, Game::shared);
        assert!(
            dealt > 0.85,
            "four dealings to choose among, and only {dealt}"
        );
    }

    #[test]
    fn all_sets_are_tried() {
        assert_eq!(choices(4, 1), 4);
        assert_eq!(choices(7, 2), 21);
        assert_eq!(choices(16, 5), TRIALS);
        assert!(subsets(7, 5).all(|set| set.len() == 5));
    }
}
