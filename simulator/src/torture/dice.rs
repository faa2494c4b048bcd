//! A stream of random numbers.

use crate::random::{Purpose, Randomness};

/// A stream of random numbers that follows from a seed and the stream's number.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    randomness: Randomness,
    stream: u64,
    drawn: u64,
}

impl Dice {
    pub fn new(seed: u64, stream: u64) -> Dice {
        Dice {
            randomness: Randomness::new(seed, Purpose::Torture),
            stream,
            drawn: 0,
        }
    }

    pub fn word(&mut self) -> u64 {
        self.drawn += 1;
        self.randomness.at([self.stream, self.drawn])
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Whether something of this many in a thousand happens.
    pub fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.below(1000) < permille
    }

    /// So many different ones of the members below a number, in the order in which they came up.
    pub fn some_of(&mut self, members: u8, count: u64) -> Vec<u8> {
        let mut some = Vec::new();
        while (some.len() as u64) < count {
            let member = self.below(members.into()) as u8;
            if !some.contains(&member) {
                some.push(member);
            }
        }
        some
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u64) as usize).copied()
    }
}
