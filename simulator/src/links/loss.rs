//! Messages that are lost on the way.

use crate::{
    random::Chance,
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};

/// Which messages are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each by itself.
    Random {
        /// The share of messages lost.
        share: f64,
    },
    /// Several in a row: each direction of a link is *good* and loses nothing, or *bad* (Gilbert, Bell System
    /// Technical Journal 39, 1960; Elliott, 42, 1963).
    Burst {
        /// The share of messages lost in the long run.
        share: f64,
        /// How many messages long a bad time is in the mean.
        messages: f64,
        /// The share of messages lost in a bad time.
        #[serde(default = "all")]
        share_in_bad: f64,
    },
}

fn all() -> f64 {
    1.0
}

impl Loss {
    pub(crate) fn check(&self, at: &str) -> Result<(), Wrong> {
        let share = |name: &str, value| wrong::share(wrong::field(at, name), value);
        match *self {
            Loss::None => Ok(()),
            Loss::Random { share: lost } => share("share", lost),
            Loss::Burst {
                share: lost,
                messages,
                share_in_bad,
            } => {
                share("share", lost)?;
                share("share_in_bad", share_in_bad)?;
                wrong::within(wrong::field(at, "messages"), messages, 1.0, 1e6)?;
                // With so long bad times, how short would good ones have to be?
                let bad = lost / share_in_bad;
                if lost > 0.0 && bad / (1.0 - bad) / messages > 1.0 || bad >= 1.0 {
                    let remedy = format!(
                        "{lost} cannot be reached by bad times of {messages} messages that lose \
                         {share_in_bad} of them: give longer ones, or a smaller share"
                    );
                    return Err(Wrong::new(wrong::field(at, "share"), remedy));
                }
                Ok(())
            }
        }
    }
}

/// The same, ready to be asked for each message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Losses {
    in_good: Chance,
    in_bad: Chance,
    to_bad: Chance,
    to_good: Chance,
}

impl Losses {
    pub fn new(loss: &Loss) -> Losses {
        let never = Chance::new(0.0);
        match *loss {
            Loss::None => Losses {
                in_good: never,
                in_bad: never,
                to_bad: never,
                to_good: never,
            },
            Loss::Random { share } => Losses {
                in_good: Chance::new(share),
                in_bad: never,
                to_bad: never,
                to_good: never,
            },
            Loss::Burst {
                share,
                messages,
                share_in_bad,
            } => {
                let to_good = 1.0 / messages;
                let bad = match share > 0.0 {
                    true => share / share_in_bad,
                    false => 0.0,
                };
                Losses {
                    in_good: never,
                    in_bad: Chance::new(share_in_bad),
                    to_bad: Chance::new(to_good * bad / (1.0 - bad)),
                    to_good: Chance::new(to_good),
                }
            }
        }
    }

    /// Whether nothing is ever lost.
    pub fn is_none(&self) -> bool {
        self.in_good.is_none() && self.to_bad.is_none()
    }

    /// Whether the next message is lost over a link whose direction was `bad` before, by two random numbers.
    pub fn strike(&self, bad: &mut bool, turn: u64, lost: u64) -> bool {
        let turns = if *bad { self.to_good } else { self.to_bad };
        *bad ^= turns.strikes(turn);
        let loses = if *bad { self.in_bad } else { self.in_good };
        loses.strikes(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Randomness};

    /// The share of messages lost, and the mean length of an unbroken row of them.
    fn measure(loss: Loss) -> (f64, f64) {
        loss.check("loss").unwrap();
        let losses = Losses::new(&loss);
        let dice = Randomness::new(1, Purpose::Loss);
        let (mut bad, mut lost, mut rows, mut before) = (false, 0, 0, false);
        let messages = 1_000_000;
        for number in 0..messages {
            let strikes = losses.strike(&mut bad, dice.at([number, 0]), dice.at([number, 1]));
            lost += u64::from(strikes);
            rows += u64::from(strikes && !before);
            before = strikes;
        }
        (
            lost as f64 / messages as f64,
            lost as f64 / rows.max(1) as f64,
        )
    }

    #[test]
    fn as_many_are_lost_as_the_share_says_and_in_rows_as_long() {
        let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 0.06;
        assert_eq!(measure(Loss::None).0, 0.0);
        let (share, row) = measure(Loss::Random { share: 0.1 });
        assert!(near(share, 0.1) && near(row, 1.0 / 0.9), "{share} {row}");
        let burst = |share, messages, share_in_bad| Loss::Burst {
            share,
            messages,
            share_in_bad,
        };
        let (share, row) = measure(burst(0.05, 8.0, 1.0));
        assert!(near(share, 0.05) && near(row, 8.0), "{share} {row}");
        let (share, row) = measure(burst(0.05, 8.0, 0.5));
        assert!(near(share, 0.05) && row < 2.5, "{share} {row}");
        assert_eq!(measure(burst(0.0, 8.0, 1.0)).0, 0.0);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = [
            Loss::Random { share: 1.1 },
            Loss::Burst {
                share: 0.6,
                messages: 1.0,
                share_in_bad: 1.0,
            },
            Loss::Burst {
                share: 0.5,
                messages: 4.0,
                share_in_bad: 0.5,
            },
        ];
        for loss in wrong {
            assert_eq!(
                loss.check("links.loss").unwrap_err().field,
                "links.loss.share"
            );
        }
    }
}
