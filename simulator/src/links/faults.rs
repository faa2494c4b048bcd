//! What goes wrong between peers for a time: partitions, links that carry one way, flap or clog, and peers
//! that are flooded by outsiders.

use crate::{
    random::{Chance, Purpose, Randomness},
    span::{self, Pulse, Span, Stretch},
    targets::{Cast, Targets},
    wrong::{self, Wrong},
};
use hamlet_overlay::time::Time;
use serde::{Deserialize, Serialize};

/// Something that is wrong with links for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkFault {
    /// What.
    pub fault: Fault,
    /// When; left out, always.
    #[serde(default)]
    pub during: Span,
}

/// What can be wrong with links. What is lost is lost when it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing passes between some peers and all others; among themselves both sides go on.
    Partition {
        /// One side.
        of: Targets,
        /// Which way nothing passes.
        #[serde(default)]
        ways: Ways,
    },
    /// Some links carry in one direction only, drawn for each.
    OneWay {
        /// The share of links.
        share: f64,
    },
    /// Some links carry nothing from time to time: once in each period, at a moment drawn for each.
    Flapping {
        /// The share of links.
        share: f64,
        /// For how long a link carries between two outages, in the mean, in seconds.
        up_s: f64,
        /// For how long it does not, in seconds.
        down_s: f64,
    },
    /// Some links hold back what is sent from time to time, and then deliver it all.
    Clogging {
        /// The share of links.
        share: f64,
        /// For how long a link carries between two times, in the mean, in seconds.
        clear_s: f64,
        /// For how long it holds back, in seconds.
        clogged_s: f64,
    },
    /// Outsiders flood some peers' lines, so that much of what is sent to them and by them is lost.
    DenialOfService {
        /// The victims.
        of: Targets,
        /// The share of messages lost.
        share: f64,
    },
}

/// Which way nothing passes between a side of a partition and the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ways {
    /// Neither.
    #[default]
    Both,
    /// From the side to the others.
    Outward,
    /// From the others to the side.
    Inward,
}

impl LinkFault {
    pub(crate) fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        self.during.check(&wrong::field(at, "during"))?;
        let at = wrong::field(at, "fault");
        let seconds = |name: &str, value, least| {
            wrong::within(wrong::field(&at, name), value, least, span::MAX_S)
        };
        match &self.fault {
            Fault::Partition { of, .. } => of.check(&wrong::field(&at, "of"), peers),
            Fault::OneWay { share } => wrong::share(wrong::field(&at, "share"), *share),
            Fault::Flapping {
                share,
                up_s,
                down_s,
            } => {
                wrong::share(wrong::field(&at, "share"), *share)?;
                seconds("up_s", *up_s, 0.0)?;
                seconds("down_s", *down_s, 0.001)
            }
            Fault::Clogging {
                share,
                clear_s,
                clogged_s,
            } => {
                wrong::share(wrong::field(&at, "share"), *share)?;
                seconds("clear_s", *clear_s, 0.0)?;
                seconds("clogged_s", *clogged_s, 0.001)
            }
            Fault::DenialOfService { of, share } => {
                of.check(&wrong::field(&at, "of"), peers)?;
                wrong::share(wrong::field(&at, "share"), *share)
            }
        }
    }
}

/// How a message fares on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// As on any link.
    Free,
    /// It sets out only then.
    Held(Time),
    /// It is lost.
    Lost,
}

/// The faults of a world, with those whom they strike.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkFaults(Vec<Ready>);

#[derive(Clone, Debug)]
struct Ready {
    during: Stretch,
    what: What,
    dice: Randomness,
    number: u64,
}

#[derive(Clone, Debug)]
enum What {
    Partition { side: Vec<bool>, ways: Ways },
    OneWay { share: Chance },
    Flapping { share: Chance, pulse: Pulse },
    Clogging { share: Chance, pulse: Pulse },
    DenialOfService { victims: Vec<bool>, share: Chance },
}

impl LinkFaults {
    pub fn new(faults: &[LinkFault], cast: &Cast) -> LinkFaults {
        let ready = |(number, LinkFault { fault, during }): (usize, &LinkFault)| {
            let number = number as u64;
            let what = match fault {
                Fault::Partition { of, ways } => What::Partition {
                    side: of.draw(cast, number),
                    ways: *ways,
                },
                Fault::OneWay { share } => What::OneWay {
                    share: Chance::new(*share),
                },
                Fault::Flapping {
                    share,
                    up_s,
                    down_s,
                } => What::Flapping {
                    share: Chance::new(*share),
                    pulse: Pulse::new(*up_s, *down_s),
                },
                Fault::Clogging {
                    share,
                    clear_s,
                    clogged_s,
                } => What::Clogging {
                    share: Chance::new(*share),
                    pulse: Pulse::new(*clear_s, *clogged_s),
                },
                Fault::DenialOfService { of, share } => What::DenialOfService {
                    victims: of.draw(cast, number),
                    share: Chance::new(*share),
                },
            };
            Ready {
                during: during.resolve(),
                what,
                dice: Randomness::new(cast.seed, Purpose::LinkFault),
                number,
            }
        };
        LinkFaults(faults.iter().enumerate().map(ready).collect())
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether messages come through at all that are sent now.
    pub fn carries(&self, from: u32, to: u32, now: Time) -> bool {
        let mut now_wrong = self.0.iter().filter(|fault| fault.during.contains(now));
        now_wrong.all(|fault| match &fault.what {
            What::DenialOfService { share, .. } if !share.is_certain() => true,
            _ => fault.strike(from, to, 0, now) == Passage::Free,
        })
    }

    /// How the `message`-th message from one peer to another fares that is sent now.
    pub fn passage(&self, from: u32, to: u32, message: u64, now: Time) -> Passage {
        let mut passage = Passage::Free;
        for fault in self.0.iter().filter(|fault| fault.during.contains(now)) {
            match fault.strike(from, to, message, now) {
                Passage::Free => {}
                Passage::Lost => return Passage::Lost,
                Passage::Held(until) => {
                    passage = match passage {
                        Passage::Held(before) => Passage::Held(before.max(until)),
                        _ => Passage::Held(until),
                    }
                }
            }
        }
        passage
    }
}

impl Ready {
    fn strike(&self, from: u32, to: u32, message: u64, now: Time) -> Passage {
        let place = [self.number, from.min(to).into(), from.max(to).into()];
        let chosen = |share: Chance| share.strikes(self.dice.at(place));
        let lost = match &self.what {
            What::Partition { side, ways } => {
                let inside = |peer: u32| side.get(peer as usize).copied().unwrap_or_default();
                match (inside(from), inside(to)) {
                    (true, false) => *ways != Ways::Inward,
                    (false, true) => *ways != Ways::Outward,
                    _ => false,
                }
            }
            What::OneWay { share } => {
                let [fault, low, high] = place;
                let upward = self.dice.at([fault, low, high, 1]) & 1 == 0;
                chosen(*share) && upward != (from < to)
            }
            What::Flapping { share, pulse } => {
                chosen(*share) && pulse.lasts_until(self.dice, place, now).is_some()
            }
            What::Clogging { share, pulse } => {
                let until = || pulse.lasts_until(self.dice, place, now);
                return match chosen(*share).then(until).flatten() {
                    Some(until) => Passage::Held(until.min(self.during.to)),
                    None => Passage::Free,
                };
            }
            What::DenialOfService { victims, share } => {
                let struck = |peer: u32| victims.get(peer as usize).copied().unwrap_or_default();
                let dice = [self.number, from.into(), to.into(), message];
                (struck(from) || struck(to)) && share.strikes(self.dice.at(dice))
            }
        };
        match lost {
            true => Passage::Lost,
            false => Passage::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::time::Duration;

    fn faults(fault: Fault, during: Span) -> LinkFaults {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; 100],
        };
        let fault = LinkFault { fault, during };
        fault.check("links.faults[0]", 100).unwrap();
        LinkFaults::new(&[fault], &cast)
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn a_partition_cuts_what_crosses_it_while_it_lasts() {
        let during = Span {
            from_s: Some(1.0),
            to_s: Some(2.0),
        };
        let cut = |ways| {
            let of = Targets::Peers(vec![1, 2]);
            let faults = faults(Fault::Partition { of, ways }, during);
            move |from, to, ms| faults.passage(from, to, 0, at(ms)) == Passage::Lost
        };
        // The first segment is cut a second after the world began.
        let both = cut(Ways::Both);
        assert!(both(1, 3, 2000) && both(3, 1, 2999));
        assert!(!both(1, 2, 2500) && !both(3, 4, 2500), "within the sides");
        assert!(!both(1, 3, 1999) && !both(1, 3, 3000), "before and after");
        let outward = cut(Ways::Outward);
        assert!(outward(1, 3, 2000) && !outward(3, 1, 2000));
        let inward = cut(Ways::Inward);
        assert!(!inward(1, 3, 2000) && inward(3, 1, 2000));
    }

    #[test]
    fn one_way_links_carry_one_way() {
        let faults = faults(Fault::OneWay { share: 0.5 }, Span::default());
        let lost = |from, to| faults.passage(from, to, 0, at(0)) == Passage::Lost;
        let pairs = (0..100u32).flat_map(|one| (0..one).map(move |other| (one, other)));
        let struck: Vec<_> = pairs.filter(|&(a, b)| lost(a, b) || lost(b, a)).collect();
        assert!((2_300..2_650).contains(&struck.len()), "{}", struck.len());
        assert!(struck.iter().all(|&(a, b)| lost(a, b) != lost(b, a)));
        let upward = struck.iter().filter(|&&(a, b)| lost(a, b)).count();
        assert!((1_100..1_400).contains(&upward), "{upward}");
    }

    #[test]
    fn flapping_links_are_down_as_long_as_they_say() {
        let flapping = Fault::Flapping {
            share: 1.0,
            up_s: 3.0,
            down_s: 1.0,
        };
        let faults = faults(flapping, Span::default());
        let down: Vec<bool> = (0..400_000)
            .map(|ms| faults.passage(1, 2, 0, at(ms)) == Passage::Lost)
            .collect();
        let total = down.iter().filter(|&&down| down).count();
        assert!((99_000..=101_000).contains(&total), "{total}");
        let falls = down.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!((95..=101).contains(&falls), "{falls}");
        let back: Vec<bool> = (0..400_000)
            .map(|ms| faults.passage(2, 1, 0, at(ms)) == Passage::Lost)
            .collect();
        assert_eq!(down, back, "both ways");
        assert_ne!(faults.passage(3, 4, 0, at(0)), Passage::Held(at(0)));
    }

    #[test]
    fn clogged_links_hold_back_and_lose_nothing() {
        let clogging = Fault::Clogging {
            share: 1.0,
            clear_s: 1.0,
            clogged_s: 1.0,
        };
        let faults = faults(clogging, Span::default());
        let mut held = 0;
        for ms in 0..10_000 {
            if let Passage::Held(until) = faults.passage(1, 2, 0, at(ms)) {
                held += 1;
                assert!(until > at(ms) && until <= at(ms + 1000));
                assert_ne!(faults.passage(1, 2, 0, until), Passage::Lost);
            }
        }
        assert!((4_000..6_000).contains(&held), "{held}");
    }

    #[test]
    fn a_flooded_peer_loses_its_share_both_ways() {
        let flood = Fault::DenialOfService {
            of: Targets::Source,
            share: 0.8,
        };
        let faults = faults(flood, Span::default());
        let lost = |from, to| {
            let lost = |&message: &u64| faults.passage(from, to, message, at(0)) == Passage::Lost;
            (0..1000).filter(lost).count()
        };
        assert!((750..850).contains(&lost(0, 7)));
        assert!((750..850).contains(&lost(7, 0)));
        assert_eq!(lost(7, 8), 0);
    }

    #[test]
    fn a_wrong_fault_is_named() {
        let fault = LinkFault {
            fault: Fault::Flapping {
                share: 0.1,
                up_s: 1.0,
                down_s: 0.0,
            },
            during: Span::default(),
        };
        let error = fault.check("links.faults[3]", 10).unwrap_err();
        assert_eq!(error.field, "links.faults[3].fault.down_s");
    }
}
