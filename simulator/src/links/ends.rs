//! The ends of a peer's links: whom it wants to be linked with, which links are up, and what becomes of messages.
//!
//! Each end of a link belongs to its peer and knows only what came to it, so that what one peer does reaches
//! another no sooner than a message would.

use super::{Fate, Lines};
use hamlet_overlay::time::Time;

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
    /// Whether messages over it are in a bad time, in which many are lost.
    bad: bool,
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

    /// What becomes of the next message, sent now.
    pub fn send(&mut self, lines: &Lines, to: u32, now: Time) -> Fate {
        let me = self.me;
        let Some(end) = self.end(to).filter(|end| end.up) else {
            return Fate::NotConnected;
        };
        let number = end.sent;
        end.sent = end.sent.wrapping_add(1);
        lines.fate([me, to, number], end.latency_micros, &mut end.bad, now)
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
                bad: false,
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
    use crate::{
        links::{Latency, LinkSettings, Loss},
        targets::Cast,
    };
    use std::time::Duration;

    fn lines(settings: LinkSettings) -> Lines {
        let cast = Cast {
            seed: 1,
            source: 0,
            clusters: vec![0; 10],
        };
        Lines::new(&cast, &settings)
    }

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
        let lines = lines(LinkSettings::default());
        let mut ends = ends(2, &[6, 5], &lines);
        assert_eq!(ends.connected().collect::<Vec<_>>(), [5, 6]);
        assert!(ends.gone(5));
        assert!(!ends.is_up(5) && ends.is_up(6));
        assert_eq!(ends.send(&lines, 5, Time::ZERO), Fate::NotConnected);
        assert_eq!(ends.send(&lines, 7, Time::ZERO), Fate::NotConnected);
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
        let lines = lines(LinkSettings::default());
        let mut here = ends(2, &[5, 6], &lines);
        let there = here.send(&lines, 5, Time::ZERO);
        assert_eq!(there, here.send(&lines, 5, Time::ZERO));
        assert_eq!(there, ends(5, &[2], &lines).send(&lines, 2, Time::ZERO));
        assert_ne!(there, here.send(&lines, 6, Time::ZERO));
        let Fate::Arrives(latency) = there else {
            panic!("{there:?}")
        };
        let usual = Duration::from_millis(20)..=Duration::from_millis(100);
        assert!(usual.contains(&latency));
    }

    #[test]
    fn nothing_takes_no_time() {
        let settings = LinkSettings {
            latency: Latency::Constant { ms: 0.0 },
            ..LinkSettings::default()
        };
        let lines = lines(settings);
        assert_eq!(lines.shortest_micros(), 1);
        assert_eq!(lines.latency(1, 2), Duration::from_micros(1));
    }

    #[test]
    fn traffic_on_one_link_does_not_touch_another() {
        let settings = LinkSettings {
            jitter_ms: 50.0,
            loss: Loss::Random { share: 0.3 },
            ..LinkSettings::default()
        };
        let lines = lines(settings);
        let fates = |disturbed: bool| {
            let mut ends = ends(2, &[5, 6], &lines);
            let fate = |_| {
                if disturbed {
                    ends.send(&lines, 6, Time::ZERO);
                }
                ends.send(&lines, 5, Time::ZERO)
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
