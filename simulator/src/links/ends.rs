//! The ends of a peer's links: whom it wants to be linked with, which links are up, and what becomes of messages.
//!
//! Each end of a link belongs to its peer and knows only what came to it, so that what one peer does reaches
//! another no sooner than a message would.

use super::{Fate, Lines};
use hamlet_overlay::time::{Duration, Time};

/// After how long a peer that did not answer is asked again for a link.
const REDIAL: Duration = Duration::from_secs(1);

/// The ends of links that one peer holds.
#[derive(Clone, Debug)]
pub struct Ends {
    me: u32,
    /// The peers at the other ends, in ascending order.
    others: Vec<u32>,
    /// In the order of `others`.
    ends: Vec<End>,
    wishes: Vec<Wish>,
}

/// What every message needs.
#[derive(Clone, Copy, Debug)]
struct End {
    latency_micros: u32,
    /// Messages sent so far: each has a fortune of its own.
    sent: u32,
    up: bool,
    /// Whether messages over it are in a bad time, in which many are lost.
    bad: bool,
}

/// What only connecting needs.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// The how many-eth life of the other peer this is, as far as it was heard.
    life: u32,
    /// Whether this end wants the link, and whether the other end said so.
    wanted: bool,
    offered: bool,
    /// Whether the other end was asked for it and has not let go since.
    dialed: bool,
    /// When the other end was heard last, of a link that is up; when it was asked last, of another.
    at: Time,
}

/// What follows when the other end wants a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whether there was a connection, which is void now.
    pub replaces: bool,
    /// Whether this end wants the link too.
    pub taken: bool,
}

/// What is to be done about links of which nothing is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Links to be given up.
    pub dead: Vec<u32>,
    /// Peers to be asked again.
    pub ask: Vec<u32>,
}

impl Ends {
    /// No links yet.
    pub fn new(me: u32) -> Ends {
        Ends {
            me,
            others: Vec::new(),
            ends: Vec::new(),
            wishes: Vec::new(),
        }
    }

    /// This end wants the link, and asks for it now.
    pub fn want(&mut self, lines: &Lines, other: u32, now: Time) {
        let place = self.place_or_new(lines, other);
        let wish = &mut self.wishes[place];
        (wish.wanted, wish.dialed, wish.at) = (true, true, now);
    }

    /// The other end, in this life of its, wants the link.
    pub fn offered(&mut self, lines: &Lines, other: u32, life: u32, now: Time) -> Offer {
        let place = self.place_or_new(lines, other);
        let wish = &mut self.wishes[place];
        (wish.offered, wish.life, wish.at) = (true, life, now);
        Offer {
            replaces: std::mem::take(&mut self.ends[place].up),
            taken: wish.wanted,
        }
    }

    /// The handshake with the other end, in this life of its, is over; whether the link comes up by it.
    pub fn come_up(&mut self, other: u32, life: u32, now: Time) -> bool {
        let Some((end, wish)) = self.end(other) else {
            return false;
        };
        let heard = wish.offered || wish.dialed;
        if !wish.wanted || end.up || life < wish.life || (life == wish.life && !heard) {
            return false;
        }
        (wish.offered, wish.life, wish.at) = (true, life, now);
        end.up = true;
        true
    }

    /// This end does not want the link any more; whether it did.
    pub fn release(&mut self, other: u32) -> bool {
        let Some((end, wish)) = self.end(other) else {
            return false;
        };
        (end.up, wish.dialed) = (false, false);
        std::mem::take(&mut wish.wanted)
    }

    /// The other end has let go of the link in this life of its, or is gone; whether it was up.
    pub fn gone(&mut self, other: u32, life: u32) -> bool {
        let Some((end, wish)) = self.end(other).filter(|(_, wish)| wish.life <= life) else {
            return false;
        };
        (wish.offered, wish.dialed, wish.life) = (false, false, life);
        std::mem::take(&mut end.up)
    }

    /// This end takes the link for dead; it still wants it.
    pub fn give_up(&mut self, other: u32) {
        if let Some((end, wish)) = self.end(other) {
            (end.up, wish.dialed) = (false, false);
        }
    }

    /// Takes all links down; gives those that were up.
    pub fn fall(&mut self) -> Vec<u32> {
        let up = self.connected().collect();
        self.ends.iter_mut().for_each(|end| end.up = false);
        for wish in &mut self.wishes {
            (wish.offered, wish.dialed) = (false, false);
        }
        up
    }

    /// The peers with which this one wants links.
    pub fn wanted(&self) -> impl Iterator<Item = u32> {
        let both = self.others.iter().zip(&self.wishes);
        both.filter(|(_, wish)| wish.wanted)
            .map(|(&other, _)| other)
    }

    /// What to do now about links of which nothing is heard for so long.
    pub fn probe(&mut self, lines: &Lines, now: Time, silence: Duration) -> Silence {
        let mut found = Silence::default();
        let me = self.me;
        let both = self.ends.iter().zip(&mut self.wishes);
        for (&other, (end, wish)) in self.others.iter().zip(both) {
            let handshake = Duration::from_micros(u64::from(end.latency_micros) * 5);
            if end.up && lines.carries(other, me, now) {
                wish.at = now;
            } else if end.up && now.since(wish.at) >= silence {
                found.dead.push(other);
            } else if !end.up && wish.wanted && now.since(wish.at) >= REDIAL.max(handshake) {
                found.ask.push(other);
            }
        }
        found
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
        let place = self.others.binary_search(&to);
        let Some(end) = place.ok().map(|place| &mut self.ends[place]) else {
            return Fate::NotConnected;
        };
        if !end.up {
            return Fate::NotConnected;
        }
        let number = end.sent;
        end.sent = end.sent.wrapping_add(1);
        lines.fate([me, to, number], end.latency_micros, &mut end.bad, now)
    }

    fn end(&mut self, other: u32) -> Option<(&mut End, &mut Wish)> {
        let place = self.others.binary_search(&other).ok()?;
        Some((&mut self.ends[place], &mut self.wishes[place]))
    }

    fn place_or_new(&mut self, lines: &Lines, other: u32) -> usize {
        self.others.binary_search(&other).unwrap_or_else(|place| {
            let end = End {
                latency_micros: lines.latency(self.me, other).as_micros() as u32,
                sent: 0,
                up: false,
                bad: false,
            };
            let wish = Wish {
                life: 0,
                wanted: false,
                offered: false,
                dialed: false,
                at: Time::ZERO,
            };
            self.others.insert(place, other);
            self.ends.insert(place, end);
            self.wishes.insert(place, wish);
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        links::{Fault, Latency, LinkFault, LinkSettings, Loss, Ways},
        span::Span,
        targets::{Cast, Targets},
    };

    fn lines(settings: LinkSettings) -> Lines {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; 10],
        };
        Lines::new(&cast, &settings)
    }

    fn ends(me: u32, others: &[u32], lines: &Lines) -> Ends {
        let mut ends = Ends::new(me);
        for &other in others {
            ends.want(lines, other, Time::ZERO);
            assert!(!ends.is_up(other), "the other end does not want it yet");
            let offer = ends.offered(lines, other, 1, Time::ZERO);
            assert_eq!((offer.replaces, offer.taken), (false, true));
            assert!(ends.come_up(other, 1, Time::ZERO));
        }
        ends
    }

    #[test]
    fn a_link_is_up_while_both_ends_want_it() {
        let lines = lines(LinkSettings::default());
        let mut ends = ends(2, &[6, 5], &lines);
        assert_eq!(ends.connected().collect::<Vec<_>>(), [5, 6]);
        assert!(ends.gone(5, 1));
        assert!(!ends.is_up(5) && ends.is_up(6));
        assert_eq!(ends.send(&lines, 5, Time::ZERO), Fate::NotConnected);
        assert_eq!(ends.send(&lines, 7, Time::ZERO), Fate::NotConnected);
        assert!(!ends.come_up(5, 1, Time::ZERO));
        assert!(ends.offered(&lines, 5, 1, Time::ZERO).taken && ends.come_up(5, 1, Time::ZERO));
        assert!(ends.release(5));
        assert!(!ends.is_up(5) && !ends.come_up(5, 1, Time::ZERO));
        assert_eq!(ends.fall(), [6]);
        assert_eq!(ends.connected().count(), 0);
    }

    #[test]
    fn a_new_life_replaces_a_connection_and_the_end_of_an_old_one_is_nothing() {
        let lines = lines(LinkSettings::default());
        let mut ends = ends(2, &[5], &lines);
        let again = ends.offered(&lines, 5, 2, Time::ZERO);
        assert_eq!((again.replaces, again.taken), (true, true));
        assert!(!ends.is_up(5) && ends.come_up(5, 2, Time::ZERO));
        assert!(!ends.gone(5, 1), "that one is known to be over");
        assert!(!ends.come_up(5, 1, Time::ZERO) && ends.is_up(5));
        // Who let go while shaking hands is not taken for connected.
        assert!(ends.gone(5, 2) && !ends.come_up(5, 2, Time::ZERO));
    }

    #[test]
    fn silent_links_are_given_up_and_asked_for_again() {
        let partition = |from_s, to_s| {
            vec![LinkFault {
                fault: Fault::Partition {
                    of: Targets::Peers(vec![5]),
                    ways: Ways::Both,
                },
                during: Span {
                    from_s: Some(from_s),
                    to_s: Some(to_s),
                },
            }]
        };
        let lines = lines(LinkSettings {
            faults: partition(1.0, 20.0),
            ..LinkSettings::default()
        });
        let mut ends = ends(2, &[5, 6], &lines);
        let silence = Duration::from_secs(3);
        let mut probe = |second| {
            let now = Time::ZERO + Duration::from_secs(second);
            let found = ends.probe(&lines, now, silence);
            found.dead.iter().for_each(|&other| ends.give_up(other));
            (found.dead, found.ask)
        };
        assert_eq!(probe(1), (vec![], vec![]), "heard for the last time");
        assert_eq!(probe(3), (vec![], vec![]));
        assert_eq!(probe(4), (vec![5], vec![]));
        assert_eq!(probe(5), (vec![], vec![5]));
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
