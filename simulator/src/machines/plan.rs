//! From faults to the machine of each peer.

use super::{Fault, MachineFault, clock::Clock};
use crate::{
    random::{Purpose, Randomness},
    span::{self, Pulse, Stretch},
    targets::Cast,
};
use hamlet_overlay::time::{Duration, Time};

/// Faults of machines are drawn apart from those of links.
pub(crate) const DRAWS: u64 = 1 << 32;

/// A machine with something wrong; others have none of this.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    peer: u64,
    dice: Randomness,
    clock: Option<Clock>,
    /// When it stands still: the number of the fault, when that holds, and how.
    pauses: Vec<(u64, Stretch, Pulse)>,
    /// How long its disk takes, and when.
    slow: Vec<(Stretch, Duration)>,
}

impl Machine {
    /// What its clock shows.
    pub fn shows(&self, now: Time) -> Time {
        self.clock.as_ref().map_or(now, |clock| clock.shows(now))
    }

    /// When its clock will show this.
    pub fn when(&self, time: Time, now: Time) -> Time {
        match &self.clock {
            Some(clock) => clock.when(time, now),
            None => time,
        }
    }

    /// Until when it stands still, if it does now.
    pub fn stands_until(&self, now: Time) -> Option<Time> {
        let pauses = self.pauses.iter();
        let now_paused = pauses.filter(|(_, during, _)| during.contains(now));
        let until = now_paused.filter_map(|&(fault, during, pulse)| {
            let until = pulse.lasts_until(self.dice, [fault, self.peer, 0], now)?;
            Some(until.min(during.to))
        });
        until.max()
    }

    /// How long its disk takes to write something.
    pub fn write_takes(&self, now: Time) -> Duration {
        let slow = self.slow.iter().filter(|(during, _)| during.contains(now));
        slow.map(|&(_, takes)| takes).max().unwrap_or_default()
    }
}

/// Per peer, its machine if something is wrong with it.
pub(crate) fn plan(faults: &[MachineFault], cast: &Cast) -> Vec<Option<Box<Machine>>> {
    let mut machines: Vec<Option<Box<Machine>>> = vec![None; cast.clusters.len()];
    let dice = Randomness::new(cast.seed, Purpose::Machine);
    for (number, fault) in (DRAWS..).zip(faults) {
        // Those are absences.
        if let Fault::Crash { .. } = fault.fault {
            continue;
        }
        let struck = fault.of.draw(cast, number);
        for (peer, machine) in machines
            .iter_mut()
            .enumerate()
            .filter(|&(peer, _)| struck[peer])
        {
            let machine = machine.get_or_insert_with(|| {
                Box::new(Machine {
                    peer: peer as u64,
                    dice,
                    clock: None,
                    pauses: Vec::new(),
                    slow: Vec::new(),
                })
            });
            machine.suffer(number, &fault.fault);
        }
    }
    machines
}

impl Machine {
    fn suffer(&mut self, number: u64, fault: &Fault) {
        match *fault {
            Fault::Crash { .. } => {}
            Fault::SlowDisk { write_ms, during } => {
                let takes = span::duration(write_ms / 1000.0);
                self.slow.push((during.resolve(), takes));
            }
            Fault::ClockDrift { ppm } => self.clock.get_or_insert_default().drift(ppm),
            Fault::ClockJump { at_s, by_ms } => {
                let clock = self.clock.get_or_insert_default();
                clock.jump(span::at(at_s), by_ms);
            }
            Fault::Pause {
                every_s,
                for_ms,
                during,
            } => {
                let pulse = Pulse::new(every_s, for_ms / 1000.0);
                self.pauses.push((number, during.resolve(), pulse));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{span::Span, targets::Targets};

    #[test]
    fn each_machine_has_what_struck_it() {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; 10],
        };
        let pause = Fault::Pause {
            every_s: 0.9,
            for_ms: 100.0,
            during: Span::default(),
        };
        let slow = Fault::SlowDisk {
            write_ms: 30.0,
            during: Span::default(),
        };
        let fault = |fault, peers| MachineFault {
            fault,
            of: Targets::Peers(peers),
        };
        let machines = plan(&[fault(pause, vec![1, 2]), fault(slow, vec![2])], &cast);
        assert!(machines[0].is_none());
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        let stands = |peer: usize| {
            let machine = machines[peer].as_ref().unwrap();
            let stands = |&ms: &u64| machine.stands_until(at(ms)).is_some();
            (0..100_000).filter(stands).collect::<Vec<u64>>()
        };
        let (one, other) = (stands(1), stands(2));
        assert!((9_800..10_200).contains(&one.len()), "{}", one.len());
        assert_ne!(one, other, "each by itself");
        let takes = |peer: usize| machines[peer].as_ref().unwrap().write_takes(at(0));
        assert_eq!(takes(1), Duration::ZERO);
        assert_eq!(takes(2), Duration::from_millis(30));
    }
}
