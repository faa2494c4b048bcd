//! The links between peers: who wants which, which are up, and how long a message takes.

use crate::{
    random::{Chance, Purpose, Randomness},
    settings::LinkSettings,
};
use std::{mem, ops::RangeInclusive, time::Duration};

/// All links of a world.
///
/// Each end of each link has one place in an open-addressing table: a message costs one access to memory
/// that is far away, however many links there are.
pub struct Links {
    /// At most half full.
    table: Vec<End>,
    /// Per peer, the peers at the other ends, in the order in which it came to want them.
    others: Vec<Vec<u32>>,
    ends: usize,
    latency_micros: RangeInclusive<u64>,
    jitter_micros: RangeInclusive<u64>,
    loss: Chance,
    latency: Randomness,
    jitter: Randomness,
    lost: Randomness,
}

/// A peer's end of a link.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The peer at this end, or [`NOBODY`] in an empty place of the table.
    from: u32,
    /// The peer at the other end.
    to: u32,
    latency_micros: u32,
    /// Messages sent so far: each has a fortune of its own.
    sent: u32,
    wanted: bool,
    up: bool,
}

const NOBODY: u32 = u32::MAX;

const EMPTY: End = End {
    from: NOBODY,
    to: NOBODY,
    latency_micros: 0,
    sent: 0,
    wanted: false,
    up: false,
};

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

impl Links {
    /// No links yet among this many peers.
    pub fn new(seed: u64, peers: usize, settings: &LinkSettings) -> Links {
        let micros = |time: Duration| time.as_micros().min(u32::MAX.into()) as u64;
        Links {
            table: vec![EMPTY; 64],
            others: vec![Vec::new(); peers],
            ends: 0,
            latency_micros: micros(*settings.latency.start())..=micros(*settings.latency.end()),
            jitter_micros: 0..=micros(settings.jitter),
            loss: settings.loss_chance(),
            latency: Randomness::new(seed, Purpose::Latency),
            jitter: Randomness::new(seed, Purpose::Jitter),
            lost: Randomness::new(seed, Purpose::Loss),
        }
    }

    /// Notes that `from` wants a link with `to`. Gives its latency once both ends want it.
    pub fn want(&mut self, from: usize, to: usize) -> Option<Duration> {
        let pair = [from.min(to) as u64, from.max(to) as u64];
        let latency_micros = self.latency.within(pair, &self.latency_micros) as u32;
        if self.end(from, to).is_none() {
            self.insert(End {
                from: from as u32,
                to: to as u32,
                latency_micros,
                ..EMPTY
            });
            self.others[from].push(to as u32);
        }
        if let Some(end) = self.end(from, to) {
            end.wanted = true;
        }
        let both = self.end(to, from).is_some_and(|end| end.wanted);
        both.then(|| Duration::from_micros(latency_micros.into()))
    }

    /// Takes the link up, if both ends still want it and it is not up yet; whether it came up.
    pub fn connect(&mut self, a: usize, b: usize) -> bool {
        let ready = |end: Option<&mut End>| end.is_some_and(|end| end.wanted && !end.up);
        if !ready(self.end(a, b)) || !ready(self.end(b, a)) {
            return false;
        }
        self.set_up(a, b, true);
        true
    }

    /// Takes the link down, and `from` does not want it any more; whether it was up.
    pub fn release(&mut self, from: usize, to: usize) -> bool {
        if let Some(end) = self.end(from, to) {
            end.wanted = false;
        }
        let was_up = self.is_up(from, to);
        self.set_up(from, to, false);
        was_up
    }

    /// Takes the link down, though both ends may still want it.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.set_up(a, b, false);
    }

    /// Whether messages pass from `from` to `to`.
    pub fn is_up(&self, from: usize, to: usize) -> bool {
        self.table[self.find(from, to)].up
    }

    /// The peers with which `of` has a connection.
    pub fn connected(&self, of: usize) -> impl Iterator<Item = usize> {
        let others = self.others[of].iter().map(|&other| other as usize);
        others.filter(move |&other| self.is_up(of, other))
    }

    /// What becomes of the next message from `from` to `to`.
    pub fn send(&mut self, from: usize, to: usize) -> Fate {
        let (jitter, lost) = (self.jitter, self.lost);
        let (jitter_micros, loss) = (self.jitter_micros.clone(), self.loss);
        let Some(end) = self.end(from, to).filter(|end| end.up) else {
            return Fate::NotConnected;
        };
        let place = [from as u64, to as u64, end.sent.into()];
        end.sent = end.sent.wrapping_add(1);
        if !loss.is_none() && loss.strikes(lost.at(place)) {
            return Fate::Lost;
        }
        let mut micros = u64::from(end.latency_micros);
        if *jitter_micros.end() > 0 {
            micros += jitter.within(place, &jitter_micros);
        }
        Fate::Arrives(Duration::from_micros(micros))
    }

    fn end(&mut self, from: usize, to: usize) -> Option<&mut End> {
        let place = self.find(from, to);
        let end = &mut self.table[place];
        (end.from != NOBODY).then_some(end)
    }

    /// The place of an end in the table, or the empty place where it would be.
    fn find(&self, from: usize, to: usize) -> usize {
        let mask = self.table.len() - 1;
        let key = (from as u64) << 32 | to as u64;
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4): the high bits of the product are well mixed.
        let mut place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        loop {
            let end = &self.table[place];
            if end.from == NOBODY || (end.from, end.to) == (from as u32, to as u32) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    fn insert(&mut self, end: End) {
        if (self.ends + 1) * 2 > self.table.len() {
            let doubled = vec![EMPTY; self.table.len() * 2];
            for end in mem::replace(&mut self.table, doubled) {
                if end.from != NOBODY {
                    let place = self.find(end.from as usize, end.to as usize);
                    self.table[place] = end;
                }
            }
        }
        let place = self.find(end.from as usize, end.to as usize);
        self.table[place] = end;
        self.ends += 1;
    }

    fn set_up(&mut self, a: usize, b: usize, up: bool) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some(end) = self.end(from, to) {
                end.up = up;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(settings: &LinkSettings) -> Links {
        let mut links = Links::new(1, 10, settings);
        for (a, b) in [(2, 5), (2, 6)] {
            assert_eq!(links.want(a, b), None);
            assert!(!links.connect(a, b), "one end does not want it yet");
            assert!(links.want(b, a).is_some());
            assert!(links.connect(a, b));
        }
        links
    }

    #[test]
    fn a_link_is_up_while_both_ends_want_it() {
        let mut links = links(&LinkSettings::default());
        assert_eq!(links.connected(2).collect::<Vec<_>>(), [5, 6]);
        assert!(links.release(5, 2));
        assert!(!links.is_up(2, 5) && !links.is_up(5, 2) && links.is_up(2, 6));
        assert_eq!(links.send(2, 5), Fate::NotConnected);
        assert_eq!(links.send(2, 7), Fate::NotConnected);
        assert!(!links.connect(2, 5));
        links.want(5, 2);
        assert!(links.connect(2, 5));
    }

    #[test]
    fn latency_is_fixed_per_pair_and_the_same_both_ways() {
        let mut links = links(&LinkSettings::default());
        let there = links.send(2, 5);
        assert_eq!(there, links.send(2, 5));
        assert_eq!(there, links.send(5, 2));
        assert_ne!(there, links.send(2, 6));
        let Fate::Arrives(latency) = there else {
            panic!("{there:?}")
        };
        assert!(LinkSettings::default().latency.contains(&latency));
    }

    #[test]
    fn traffic_on_one_link_does_not_touch_another() {
        let settings = LinkSettings {
            jitter: Duration::from_millis(50),
            loss: 0.3,
            ..LinkSettings::default()
        };
        let fates = |disturbed: bool| {
            let mut links = links(&settings);
            let fate = |_| {
                if disturbed {
                    links.send(2, 6);
                }
                links.send(2, 5)
            };
            (0..100).map(fate).collect::<Vec<_>>()
        };
        let alone = fates(false);
        assert_eq!(alone, fates(true));
        let lost = alone.iter().filter(|&&fate| fate == Fate::Lost).count();
        assert!((15..45).contains(&lost), "{lost}");
    }
}
