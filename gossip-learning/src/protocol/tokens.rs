//! Token accounts: when to send, so that messages answer messages without flooding
//! (Danner and Jelasity, "Token account algorithms", ICDCS 2018).
//!
//! An account gets one token a round. Sending unasked (proactive) happens at the peer's own timer,
//! sending in answer (reactive) when a model arrives and tokens are left; both spend tokens.

use crate::random;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// When to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// One message a round, none in answer: the plain protocol.
    Always,
    /// Unasked when the account is full, one answer while a token is left.
    Simple {
        /// The size of the account, `C`.
        capacity: u32,
    },
    /// As simple, and answers in proportion to the account, half as many to what was not useful.
    Generalised {
        /// The size of the account, `C`.
        capacity: u32,
        /// How thrifty the answers are, `A`, from 1 to `C`.
        thrift: u32,
    },
    /// Unasked with a probability that grows with the account, answers in proportion to it.
    Randomised {
        /// The size of the account, `C`.
        capacity: u32,
        /// How thrifty the answers are, `A`, from 1 to `C`.
        thrift: u32,
    },
}

impl Tokens {
    /// At the peer's timer: adds the round's token, and says whether to send (the token is spent).
    #[inline]
    pub fn proactive(self, account: &mut u32, rng: &mut impl Rng) -> bool {
        let a = *account;
        let send = match self {
            Tokens::Always => return true,
            Tokens::Simple { capacity } | Tokens::Generalised { capacity, .. } => a >= capacity,
            Tokens::Randomised { capacity, thrift } => {
                let span = f64::from(capacity.saturating_sub(thrift)) + 1.0;
                random::chance(rng, (f64::from(a) - f64::from(thrift) + 1.0) / span)
            }
        };
        *account = a + u32::from(!send);
        send
    }

    /// When a model arrived: how many messages to answer with (their tokens are spent).
    #[inline]
    pub fn reactive(self, account: &mut u32, useful: bool, rng: &mut impl Rng) -> u32 {
        let a = *account;
        let answers = match self {
            Tokens::Always => 0,
            Tokens::Simple { .. } => u32::from(a > 0),
            Tokens::Generalised { thrift, .. } => {
                let thrift = thrift.max(1);
                (thrift - 1 + a) / if useful { thrift } else { 2 * thrift }
            }
            Tokens::Randomised { .. } if !useful => 0,
            Tokens::Randomised { thrift, .. } => {
                let thrift = thrift.max(1);
                a / thrift
                    + u32::from(random::chance(
                        rng,
                        f64::from(a % thrift) / f64::from(thrift),
                    ))
            }
        };
        let answers = answers.min(a);
        *account = a - answers;
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_never_exceed_their_capacity_nor_go_below_zero() {
        let mut rng = random::stream(1, 1);
        for tokens in [
            Tokens::Simple { capacity: 5 },
            Tokens::Generalised {
                capacity: 5,
                thrift: 2,
            },
            Tokens::Randomised {
                capacity: 5,
                thrift: 2,
            },
        ] {
            let (mut account, mut sent) = (0, 0);
            for round in 0..1000 {
                sent += u32::from(tokens.proactive(&mut account, &mut rng));
                assert!(account <= 5, "{tokens:?}");
                if round % 3 == 0 {
                    sent += tokens.reactive(&mut account, round % 2 == 0, &mut rng);
                }
            }
            // One token a round comes in, each message takes one.
            assert_eq!(sent + account, 1000, "{tokens:?}");
        }
    }

    #[test]
    fn generalised_answers_half_as_much_to_what_was_not_useful() {
        let tokens = Tokens::Generalised {
            capacity: 20,
            thrift: 2,
        };
        let mut rng = random::stream(1, 1);
        assert_eq!(tokens.reactive(&mut 9, true, &mut rng), 5);
        assert_eq!(tokens.reactive(&mut 9, false, &mut rng), 2);
        assert_eq!(tokens.reactive(&mut 0, true, &mut rng), 0);
    }
}
