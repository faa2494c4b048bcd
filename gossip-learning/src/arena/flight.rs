//! Models on their way: a calendar of when they arrive, and a pool that holds them.

use serde::{Deserialize, Serialize};

/// How finely a round is divided in the calendar.
const BUCKETS_PER_ROUND: usize = 32;

/// A model on its way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) slot: u8,
    pub(super) part: u16,
    pub(super) age: u32,
    /// Where its parameters lie in the pool.
    place: u32,
}

/// All models on their way. Time is in rounds.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Flight {
    /// A ring: bucket `b` holds what arrives in the `b`-th thirty-second of a round, modulo its length.
    calendar: Vec<Vec<Letter>>,
    /// The next bucket to be delivered, counted from the first round.
    next: usize,
    pool: Vec<f32>,
    free: Vec<u32>,
}

impl Flight {
    /// Room for delays of at most `longest` rounds.
    pub(super) fn new(longest: f64) -> Flight {
        let buckets = (longest * BUCKETS_PER_ROUND as f64).ceil() as usize + 2;
        Flight {
            calendar: vec![Vec::new(); buckets],
            next: 0,
            pool: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Sends `weights`, to arrive at time `due`. `width` is the room that each model takes.
    pub(super) fn send(
        &mut self,
        due: f64,
        (from, to): (u32, u32),
        (slot, part, age): (u8, u16, u32),
        weights: &[f32],
        width: usize,
    ) {
        let place = self.free.pop().unwrap_or_else(|| {
            let place = self.pool.len() / width.max(1);
            self.pool.resize(self.pool.len() + width, 0.0);
            place as u32
        });
        let start = place as usize * width;
        self.pool[start..start + weights.len()].copy_from_slice(weights);
        let bucket = (due * BUCKETS_PER_ROUND as f64) as usize;
        // What is due in a bucket already delivered arrives with the next one.
        let bucket = bucket.clamp(self.next, self.next + self.calendar.len() - 1);
        let index = bucket % self.calendar.len();
        self.calendar[index].push(Letter {
            from,
            to,
            slot,
            part,
            age,
            place,
        });
    }

    /// The letters of the next bucket if it is due by `now`; to be handed back to [`Flight::done`].
    pub(super) fn due(&mut self, now: f64) -> Option<Vec<Letter>> {
        if self.next + 1 > (now * BUCKETS_PER_ROUND as f64) as usize {
            return None;
        }
        let index = self.next % self.calendar.len();
        Some(std::mem::take(&mut self.calendar[index]))
    }

    /// The parameters of a letter, `count` of them.
    pub(super) fn weights(&self, letter: &Letter, width: usize, count: usize) -> &[f32] {
        let start = letter.place as usize * width;
        &self.pool[start..start + count]
    }

    /// Ends a bucket: its places and its memory are used again.
    pub(super) fn done(&mut self, mut letters: Vec<Letter>) {
        self.free
            .extend(letters.drain(..).map(|letter| letter.place));
        let index = self.next % self.calendar.len();
        // Answers to these letters were sent to later buckets, so this one is empty.
        self.calendar[index] = letters;
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_arrive_when_they_are_due_and_places_are_used_again() {
        let mut flight = Flight::new(3.0);
        let mut arrived = Vec::new();
        for round in 0..50 {
            let now = f64::from(round);
            for delay in [0.5, 1.0, 3.0] {
                flight.send(now + delay, (round, 0), (0, 0, 1), &[round as f32], 1);
            }
            while let Some(letters) = flight.due(now + 1.0) {
                for letter in &letters {
                    assert_eq!(flight.weights(letter, 1, 1), [letter.from as f32]);
                    arrived.push(letter.from);
                }
                flight.done(letters);
            }
        }
        // The first round's three, the second's three, …; at most the last four rounds' are missing.
        assert!(arrived.len() >= 3 * 46, "{}", arrived.len());
        assert!(flight.pool.len() <= 3 * 5, "{}", flight.pool.len());
    }
}
