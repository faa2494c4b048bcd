//! The audit hash: one hash over everything that happened, so that two runs can be compared.
//!
//! Each peer's events are in one order, but those of different peers are not. So what is hashed is the set of
//! all events, each with its peer, its time and its place among the peer's events: the hashes of the records
//! are added up (an additive multiset hash; Clarke et al., ASIACRYPT 2003). The records' hash is quick and
//! no defence against a forger, who has no say here; bodies of messages go into it by their BLAKE3 hash.

use crate::{event::Event, random};
use hamlet_overlay::{hash::Hash, time::Time};

/// Hashes the events of a world as they happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    sums: [u64; 4],
    events: u64,
}

impl Audit {
    /// Notes an event: the `place`-th that happened to the peer `to`, by the doing of the peer `from`.
    pub fn note(&mut self, time: Time, to: u32, place: u64, from: u32, event: &Event) {
        let (kind, content) = event.parts();
        let pair = u64::from(to) << 32 | u64::from(from);
        let words = [time.as_micros(), pair, place << 8 | u64::from(kind)];
        let mut state = random::mix(words.into_iter().chain(content));
        self.events += 1;
        for sum in &mut self.sums {
            *sum = sum.wrapping_add(state);
            state = random::scramble(state);
        }
    }

    /// Adds what another part of the world noted.
    pub fn add(&mut self, other: &Audit) {
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.wrapping_add(other);
        }
        self.events += other.events;
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash over all of them.
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hamlet simulator v4 audit");
        for word in self.sums.into_iter().chain([self.events]) {
            hasher.update(&word.to_le_bytes());
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_peers_is_nothing_and_all_else_counts() {
        let at = Time::from_micros;
        let hash = |notes: &[(u64, u32, u64, u32, Event)]| {
            let mut audit = Audit::default();
            for (time, to, place, from, event) in notes {
                audit.note(at(*time), *to, *place, *from, event);
            }
            audit.hash()
        };
        let one = (5, 1, 0, 2, Event::Wanted { life: 1 });
        let other = (3, 7, 0, 2, Event::Gone { life: 1 });
        let both = hash(&[one.clone(), other.clone()]);
        assert_eq!(both, hash(&[other.clone(), one.clone()]));
        for changed in [
            (6, 1, 0, 2, Event::Wanted { life: 1 }),
            (5, 3, 0, 2, Event::Wanted { life: 1 }),
            (5, 1, 1, 2, Event::Wanted { life: 1 }),
            (5, 1, 0, 4, Event::Wanted { life: 1 }),
            (5, 1, 0, 2, Event::Up { mine: 1, theirs: 1 }),
        ] {
            assert_ne!(both, hash(&[changed, other.clone()]));
        }
        assert_ne!(hash(&[one.clone(), one.clone()]), hash(&[one]));
    }
}
