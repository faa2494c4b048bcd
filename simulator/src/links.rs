//! The links between peers: who wants which, which are up, and how long a message takes.
//!
//! Each end of a link belongs to its peer and knows only what came to it, so that what one peer does reaches
//! another no sooner than a message would.

use crate::{
    random::{Chance, Purpose, Randomness},
    settings::LinkSettings,
};
use std::{ops::RangeInclusive, time::Duration};

/// What links are like.
#[derive(Clone, Debug)]
pub struct Lines {
    latency_micros: RangeInclusive<u64>,
    jitter_micros: RangeInclusive<u64>,
    loss: Chance,
    latency: Randomness,
    jitter: Randomness,
    lost: Randomness,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives so much later.
    Arrives(Duration),
    /// It is lost on the way.
    Lost,
    /// There is no connection.
    NotConnected,
}

impl Lines {
    /// The lines of a world.
    pub fn new(seed: u64, settings: &LinkSettings) -> Lines {
        let micros = |time: Duration| time.as_micros().min(u32::MAX.into()) as u64;
        // Nothing takes no time at all: see `shortest_micros`.
        let latency = |time: &Duration| micros(*time).max(1);
        Lines {
            latency_micros: latency(settings.latency.start())..=latency(settings.latency.end()),
            jitter_micros: 0..=micros(settings.jitter),
            loss: settings.loss_chance(),
            latency: Randomness::new(seed, Purpose::Latency),
            jitter: Randomness::new(seed, Purpose::Jitter),
            lost: Randomness::new(seed, Purpose::Loss),
        }
    }

    /// The least time that anything takes from one peer to another, in microseconds; at least one.
    pub fn shortest_micros(&self) -> u64 {
        *self.latency_micros.start()
    }

    /// The latency between two peers: the same both ways.
    pub fn latency(&self, one: u32, other: u32) -> Duration {
        let pair = [one.min(other).into(), one.max(other).into()];
        Duration::from_micros(self.latency.within(pair, &self.latency_micros))
    }

    /// What becomes of the `number`-th message over a link.
    fn fate(&self, from: u32, to: u32, number: u32, latency_micros: u32) -> Fate {
        let place = [from.into(), to.into(), number.into()];
        if !self.loss.is_none() && self.loss.strikes(self.lost.at(place)) {
            return Fate::Lost;
        }
        let mut micros = u64::from(latency_micros);
        if *self.jitter_micros.end() > 0 {
            micros += self.jitter.within(place, &self.jitter_micros);
        }
        Fate::Arrives(Duration::from_micros(micros))
    }
}

/// The ends of links that one peer holds.
#[derive(Clone, Debug)]
pub struct Ends {
    me: u32,
    /// The peers at the other ends, in ascending order.
    others: Vec<u32>,
    /// In the order of `others`.
    ends: Vec<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    latency_micros: u32,
    /// Messages sent so far: each has a fortune of its own.
    sent: u32,
    /// Whether this end wants the link, and whether the other end said so.
    wanted: bool,
    offered: bool,
    up: bool,
}

impl Ends {
    /// No links yet.
    pub fn new(me: u32) -> Ends {
        Ends {
            me,
            others: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// This end wants the link; whether the other does, and it is not up yet.
    pub fn want(&mut self, lines: &Lines, other: u32) -> bool {
        let end = self.end_or_new(lines, other);
        end.wanted = true;
        end.offered && !end.up
    }

    /// The other end wants the link; whether this one does, and it is not up yet.
    pub fn offered(&mut self, lines: &Lines, other: u32) -> bool {
        let end = self.end_or_new(lines, other);
        end.offered = true;
        end.wanted && !end.up
    }

    /// Takes the link up, if both ends want it and it is not up yet; whether it came up.
    pub fn come_up(&mut self, other: u32) -> bool {
        let ready = |end: &&mut End| end.wanted && end.offered && !end.up;
        let Some(end) = self.end(other).filter(ready) else {
            return false;
        };
        end.up = true;
        true
    }

    /// This end does not want the link any more; whether it did.
    pub fn release(&mut self, other: u32) -> bool {
        let Some(end) = self.end(other) else {
            return false;
        };
        end.up = false;
        std::mem::take(&mut end.wanted)
    }

    /// The other end has let go of the link; whether it was up.
    pub fn gone(&mut self, other: u32) -> bool {
        let Some(end) = self.end(other) else {
            return false;
        };
        end.offered = false;
        std::mem::take(&mut end.up)
    }

    /// Takes all links down; gives those that were up.
    pub fn fall(&mut self) -> Vec<u32> {
        let up = self.connected().collect();
        self.ends.iter_mut().for_each(|end| end.up = false);
        up
    }

    /// Whether messages pass.
    pub fn is_up(&self, other: u32) -> bool {
        let place = self.others.binary_search(&other);
        place.is_ok_and(|place| self.ends[place].up)
    }

    /// The peers with which there is a connection, as far as this end knows.
    pub fn connected(&self) -> impl Iterator<Item = u32> {
        let both = self.others.iter().zip(&self.ends);
        both.filter(|(_, end)| end.up).map(|(&other, _)| other)
    }

    /// What becomes of the next message.
    pub fn send(&mut self, lines: &Lines, to: u32) -> Fate {
        let me = self.me;
        let Some(end) = self.end(to).filter(|end| end.up) else {
            return Fate::NotConnected;
        };
        let number = end.sent;
        end.sent = end.sent.wrapping_add(1);
        lines.fate(me, to, number, end.latency_micros)
    }

    fn end(&mut self, other: u32) -> Option<&mut End> {
        let place = self.others.binary_search(&other).ok()?;
        Some(&mut self.ends[place])
    }

    fn end_or_new(&mut self, lines: &Lines, other: u32) -> &mut End {
        let place = self.others.binary_search(&other).unwrap_or_else(|place| {
            let end = End {
                latency_micros: lines.latency(self.me, other).as_micros() as u32,
                sent: 0,
                wanted: false,
                offered: false,
                up: false,
            };
            self.others.insert(place, other);
            self.ends.insert(place, end);
            place
        });
        &mut self.ends[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(me: u32, others: &[u32], lines: &Lines) -> Ends {
        let mut ends = Ends::new(me);
        for &other in others {
            assert!(!ends.want(lines, other));
            assert!(!ends.come_up(other), "the other end does not want it yet");
            assert!(ends.offered(lines, other));
            assert!(ends.come_up(other));
        }
        ends
    }

    #[test]
    fn a_link_is_up_while_both_ends_want_it() {
        let lines = Lines::new(1, &LinkSettings::default());
        let mut ends = ends(2, &[6, 5], &lines);
        assert_eq!(ends.connected().collect::<Vec<_>>(), [5, 6]);
        assert!(ends.gone(5));
        assert!(!ends.is_up(5) && ends.is_up(6));
        assert_eq!(ends.send(&lines, 5), Fate::NotConnected);
        assert_eq!(ends.send(&lines, 7), Fate::NotConnected);
        assert!(!ends.come_up(5));
        assert!(ends.offered(&lines, 5) && ends.come_up(5));
        assert!(ends.release(5));
        assert!(!ends.is_up(5) && !ends.come_up(5));
        assert!(ends.want(&lines, 5), "the other end still does");
        assert_eq!(ends.fall(), [6]);
        assert_eq!(ends.connected().count(), 0);
    }

    #[test]
    fn latency_is_fixed_per_pair_and_the_same_both_ways() {
        let lines = Lines::new(1, &LinkSettings::default());
        let mut here = ends(2, &[5, 6], &lines);
        let there = here.send(&lines, 5);
        assert_eq!(there, here.send(&lines, 5));
        assert_eq!(there, ends(5, &[2], &lines).send(&lines, 2));
        assert_ne!(there, here.send(&lines, 6));
        let Fate::Arrives(latency) = there else {
            panic!("{there:?}")
        };
        assert!(LinkSettings::default().latency.contains(&latency));
    }

    #[test]
    fn nothing_takes_no_time() {
        let settings = LinkSettings {
            latency: Duration::ZERO..=Duration::ZERO,
            ..LinkSettings::default()
        };
        let lines = Lines::new(1, &settings);
        assert_eq!(lines.shortest_micros(), 1);
        assert_eq!(lines.latency(1, 2), Duration::from_micros(1));
    }

    #[test]
    fn traffic_on_one_link_does_not_touch_another() {
        let settings = LinkSettings {
            jitter: Duration::from_millis(50),
            loss: 0.3,
            ..LinkSettings::default()
        };
        let lines = Lines::new(1, &settings);
        let fates = |disturbed: bool| {
            let mut ends = ends(2, &[5, 6], &lines);
            let fate = |_| {
                if disturbed {
                    ends.send(&lines, 6);
                }
                ends.send(&lines, 5)
            };
            (0..100).map(fate).collect::<Vec<_>>()
        };
        let alone = fates(false);
        assert_eq!(alone, fates(true));
        let lost = alone.iter().filter(|&&fate| fate == Fate::Lost).count();
        assert!((15..45).contains(&lost), "{lost}");
        let times = alone.iter().filter_map(|fate| match fate {
            Fate::Arrives(time) => Some(*time),
            _ => None,
        });
        let times: std::collections::BTreeSet<Duration> = times.collect();
        assert!(times.len() > 30, "jitter differs from message to message");
    }
}
