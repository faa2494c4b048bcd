//! The bare kernel: calendar and links, without peers.

use super::pattern::{LATENCY_MS, LINKS, UNDER_WAY, next};
use hamlet_overlay::time::{Duration, Time};
use hamlet_simulator::{
    calendar::{Calendar, Entry},
    links::{Ends, Fate, Latency, Lines, LinkSettings},
    targets::Cast,
};

/// A world of messages that are passed on.
pub struct Kernel {
    lines: Lines,
    ends: Vec<Ends>,
    sent: Vec<u32>,
    calendar: Calendar<()>,
    taken: Vec<Entry<()>>,
    now: Time,
}

impl Kernel {
    /// So many peers, each with its messages under way.
    pub fn new(peers: usize) -> Kernel {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; peers],
        };
        let [low_ms, high_ms] = LATENCY_MS.map(|ms| ms as f64);
        let settings = LinkSettings {
            latency: Latency::Uniform { low_ms, high_ms },
            ..LinkSettings::default()
        };
        let lines = Lines::new(&cast, &settings);
        let mut kernel = Kernel {
            ends: (0..peers).map(|peer| ring(peer, peers, &lines)).collect(),
            sent: vec![0; peers],
            calendar: Calendar::new(lines.shortest_micros()),
            taken: Vec::new(),
            now: Time::ZERO,
            lines,
        };
        for peer in 0..peers {
            (0..UNDER_WAY).for_each(|_| kernel.pass_on(peer, Time::ZERO));
        }
        kernel
    }

    fn pass_on(&mut self, from: usize, now: Time) {
        let number = self.sent[from];
        self.sent[from] = number.wrapping_add(1);
        let to = next(from, number, self.ends.len()) as u32;
        if let Fate::Arrives(after) = self.ends[from].send(&self.lines, to, now) {
            self.calendar.enter(Entry {
                time: now + after,
                to,
                from: from as u32,
                number,
                event: (),
            });
        }
    }

    /// Goes on for so much virtual time; gives how many messages arrived.
    pub fn run(&mut self, time: Duration) -> u64 {
        let mut arrived = 0;
        self.now += time;
        while let Some(window) = self.calendar.next()
            && window <= self.calendar.window(self.now)
        {
            let mut taken = std::mem::take(&mut self.taken);
            self.calendar.take(window, self.now, &mut taken);
            arrived += taken.len() as u64;
            for entry in taken.drain(..) {
                self.pass_on(entry.to as usize, entry.time);
            }
            self.taken = taken;
            if self.calendar.end(window) > self.now {
                break;
            }
        }
        arrived
    }
}

/// The links of a peer on a ring of so many: all of them up.
fn ring(peer: usize, peers: usize, lines: &Lines) -> Ends {
    let mut ends = Ends::new(peer as u32);
    for step in 1..=LINKS / 2 {
        for other in [peer + step, peer + peers - step] {
            let other = (other % peers) as u32;
            ends.want(lines, other, Time::ZERO);
            ends.offered(lines, other, 1, Time::ZERO);
            ends.come_up(other, 1, Time::ZERO);
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_lost_or_made_on_the_way() {
        let mut kernel = Kernel::new(100);
        kernel.run(Duration::from_secs(1));
        let arrived = kernel.run(Duration::from_secs(3));
        // A thousand messages, each under way for 60 ms in the mean.
        assert!((45_000..70_000).contains(&arrived), "{arrived}");
    }
}
