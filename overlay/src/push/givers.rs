//! Who gives: a receiver's experience with the slots of its cluster, slot by slot.
//!
//! * **G1** When a segment is judged, each slot that owed this peer a shard of it is noted as having given
//!   in time or not. The note is a smoothed share of misses.
//! * **G2** A slot that missed three in a row from a clean record is called silent; its relay owes this
//!   peer nothing then, and later shards are owed instead (D2).
//!   So is one that misses more than a fifth of late: who gives now and then is not to be relied on.
//! * **G3** A silent slot is tried again after a pause that doubles from 4 s to 64 s, until it has become
//!   reliable. While it is on trial one shard more than needed is asked for, so that the trial costs bytes and
//!   not time.
//! * **G4** When segments often have to be repaired although nobody new is silent (loss, jitter), a reserve
//!   of one or two shards is asked for in advance.
//! * **G5** A newcomer knows nobody: until it has judged [`FIRST`] segments it asks for a larger reserve.
//! * **G6** The slots of a peer that gave something false are silent for the rest of the epoch.

use super::standing::reserve_max;
use crate::{
    message::Standing,
    set::SlotSet,
    time::{Duration, Time},
};

/// After how many segments a receiver knows its givers.
const FIRST: u8 = 8;
/// For how long a gift counts in favour of its giver; longer than the longest pause between trials.
const MEMORY: Duration = Duration::from_secs(90);
const PAUSE_MIN: Duration = Duration::from_secs(4);
const PAUSE_MAX: Duration = Duration::from_secs(64);
/// Shares are counted in 1/1024.
const WHOLE: u16 = 1024;
/// Above this share of misses a slot is silent: reached by three misses from zero.
const SILENT: u16 = WHOLE * 6 / 10;
/// Above this share of misses over a longer time it is, too.
const UNRELIABLE: u16 = WHOLE / 5;
/// Above these shares of repaired segments one shard, or two, are wanted in reserve.
const STRAIN: [u16; 2] = [WHOLE / 16, WHOLE / 4];

/// A receiver's experience with the slots of its cluster.
pub(crate) struct Givers {
    slots: Vec<Slot>,
    silent: SlotSet,
    on_trial: SlotSet,
    strain: u16,
    /// Segments judged, up to [`FIRST`].
    judged: u8,
    /// What anybody may ask for beyond `k`, and a newcomer does.
    reserve_max: u8,
    /// What anybody asks for beyond `k`: with many shards one is often much later than the others.
    reserve: u8,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The smoothed share of misses, of the last three or so.
    misses: u16,
    /// The same, of the last sixteen or so.
    misses_long: u16,
    /// When it last gave anything, in time or not.
    gave: Option<Time>,
    /// When a silent slot is tried again.
    retry: Time,
    pause: Duration,
}

/// What is known of a slot whose holder is new.
const BLANK: Slot = Slot {
    misses: 0,
    misses_long: 0,
    gave: None,
    retry: Time::ZERO,
    pause: PAUSE_MIN,
};

impl Givers {
    pub fn new(k: u8, n: u8) -> Givers {
        Givers {
            slots: vec![BLANK; n.into()],
            silent: SlotSet::EMPTY,
            on_trial: SlotSet::EMPTY,
            strain: 0,
            judged: 0,
            reserve_max: reserve_max(k),
            reserve: k / 16,
        }
    }

    /// The same experience after slots were dealt anew: `before` says which slot the holder of a slot had, if any.
    pub fn dealt_anew(&self, before: impl Fn(u8) -> Option<u8>) -> Givers {
        let mut anew = Givers {
            slots: Vec::new(),
            silent: SlotSet::EMPTY,
            on_trial: SlotSet::EMPTY,
            ..*self
        };
        for slot in 0..self.slots.len() as u8 {
            let known =
                before(slot).and_then(|old| Some((old, *self.slots.get(usize::from(old))?)));
            anew.slots.push(known.map_or(BLANK, |(_, record)| record));
            if known.is_some_and(|(old, _)| self.silent.contains(old)) {
                anew.silent.insert(slot);
            }
            if known.is_some_and(|(old, _)| self.on_trial.contains(old)) {
                anew.on_trial.insert(slot);
            }
        }
        anew
    }

    /// Notes that a slot gave a shard, in time or not.
    pub fn gave(&mut self, slot: u8, now: Time) {
        if let Some(record) = self.slots.get_mut(usize::from(slot)) {
            record.gave = Some(now);
        }
    }

    /// Whether the holder of a slot gave something within memory. It may be called silent all the same: an
    /// honest relay whose column is broken gives too late to be relied on.
    pub fn proven(&self, slot: u8, now: Time) -> bool {
        let gave = self
            .slots
            .get(usize::from(slot))
            .and_then(|record| record.gave);
        gave.is_some_and(|at| now.since(at) < MEMORY)
    }

    /// The slots called silent.
    pub fn silent(&self) -> SlotSet {
        self.silent
    }

    /// The slots on trial.
    pub fn on_trial(&self) -> SlotSet {
        self.on_trial
    }

    /// Whether enough segments were judged to know who gives.
    pub fn knows(&self) -> bool {
        self.judged >= FIRST
    }

    /// What to ask of the fellow members.
    pub fn standing(&self) -> Standing {
        let first = if self.knows() { 0 } else { self.reserve_max };
        let reserve = STRAIN.iter().filter(|&&limit| self.strain > limit).count() as u8;
        Standing {
            silent: self.silent,
            extra: first
                .max(self.reserve)
                .max(reserve + self.on_trial.len())
                .min(self.reserve_max),
            idle: false,
        }
    }

    /// Notes whether a slot gave what it owed.
    pub fn note(&mut self, slot: u8, gave: bool, now: Time) {
        let Some(record) = self.slots.get_mut(usize::from(slot)) else {
            return;
        };
        if gave {
            record.misses -= record.misses / 3;
            record.misses_long -= record.misses_long / 16;
            self.on_trial.remove(slot);
            if record.misses_long <= UNRELIABLE {
                record.pause = PAUSE_MIN;
            }
            return;
        }
        record.misses += (WHOLE - record.misses) / 3;
        record.misses_long += (WHOLE - record.misses_long) / 16;
        let unreliable = record.misses_long > UNRELIABLE;
        // On trial one miss more is enough: the record was left just under the limit.
        if (record.misses > SILENT || unreliable) && self.silent.insert(slot) {
            self.on_trial.remove(slot);
            record.retry = now + record.pause;
            record.pause = (record.pause * 2).min(PAUSE_MAX);
        }
    }

    /// Notes whether a segment had to be repaired.
    pub fn note_repair(&mut self, repaired: bool) {
        self.judged = FIRST.min(self.judged + 1);
        match repaired {
            true => self.strain += (WHOLE - self.strain) / 32,
            false => self.strain -= self.strain.div_ceil(32),
        }
    }

    /// Puts silent slots on trial whose time has come; a few at a time.
    pub fn try_again(&mut self, now: Time) {
        for slot in self.silent.iter() {
            let record = &mut self.slots[usize::from(slot)];
            if self.on_trial.len() < 2 && record.retry <= now {
                record.misses = SILENT - 1;
                self.silent.remove(slot);
                self.on_trial.insert(slot);
            }
        }
    }

    /// When the next silent slot may be put on trial.
    pub fn next_trial(&self) -> Time {
        let full = self.on_trial.len() >= 2;
        let retries = self
            .silent
            .iter()
            .map(|slot| self.slots[usize::from(slot)].retry);
        retries.min().filter(|_| !full).unwrap_or(Time::NEVER)
    }

    /// Counts on these slots no more: their holder gave something false (G6).
    pub fn distrust(&mut self, slots: SlotSet) {
        for slot in slots.iter() {
            if let Some(record) = self.slots.get_mut(usize::from(slot)) {
                *record = Slot {
                    misses: WHOLE,
                    misses_long: WHOLE,
                    gave: None,
                    retry: Time::NEVER,
                    pause: PAUSE_MAX,
                };
            }
        }
        self.silent = self.silent.union(slots);
        self.on_trial = self.on_trial.without(slots);
    }

    /// Forgets what is known of these slots: their holder is new or came back.
    pub fn forget(&mut self, slots: SlotSet) {
        for slot in slots.iter() {
            if let Some(record) = self.slots.get_mut(usize::from(slot)) {
                *record = BLANK;
            }
        }
        self.silent = self.silent.without(slots);
        self.on_trial = self.on_trial.without(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Experience of a receiver that is no newcomer.
    fn experienced() -> Givers {
        let mut givers = Givers::new(4, 8);
        for _ in 0..FIRST {
            givers.note_repair(false);
        }
        givers
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn three_misses_make_a_slot_silent_and_a_trial_may_clear_it() {
        let mut givers = experienced();
        for _ in 0..2 {
            givers.note(3, false, at(0));
        }
        assert!(givers.silent().is_empty());
        givers.note(3, false, at(0));
        assert_eq!(givers.silent(), SlotSet::one(3));
        givers.try_again(at(3));
        assert_eq!(givers.silent(), SlotSet::one(3));
        givers.try_again(at(4));
        assert_eq!(
            givers.standing(),
            Standing {
                silent: SlotSet::EMPTY,
                extra: 1,
                idle: false
            }
        );
        givers.note(3, true, at(4));
        assert_eq!(givers.standing(), Standing::default());
    }

    #[test]
    fn failed_trials_come_at_growing_intervals() {
        let mut givers = Givers::new(4, 8);
        for _ in 0..3 {
            givers.note(0, false, at(0));
        }
        let mut trials = Vec::new();
        for second in 0..300 {
            givers.try_again(at(second));
            if givers.silent().is_empty() {
                trials.push(second);
                givers.note(0, false, at(second));
            }
        }
        assert_eq!(trials, [4, 12, 28, 60, 124, 188, 252]);
    }

    #[test]
    fn one_miss_in_fifty_silences_nobody() {
        let mut givers = Givers::new(4, 8);
        for segment in 0..10_000u64 {
            givers.note(1, segment % 50 != 0, at(segment / 4));
            assert!(givers.silent().is_empty());
        }
    }

    #[test]
    fn who_gives_now_and_then_is_not_relied_on() {
        for every in 2..=4 {
            let mut givers = experienced();
            let mut relied_on = 0;
            for segment in 0..400u64 {
                givers.try_again(at(segment / 4));
                if !givers.silent().contains(3) {
                    relied_on += 1;
                    givers.note(3, segment % every == 0, at(segment / 4));
                }
            }
            assert!(relied_on < 40, "every {every}th: {relied_on}");
        }
    }

    #[test]
    fn who_becomes_reliable_is_forgiven() {
        let mut givers = experienced();
        for segment in 0..20u64 {
            givers.note(3, segment % 2 == 0, at(0));
        }
        givers.try_again(at(4));
        for _ in 0..16 {
            givers.note(3, true, at(5));
        }
        givers.note(3, false, at(6));
        assert!(givers.silent().is_empty());
    }

    #[test]
    fn experience_follows_the_holders_when_slots_are_dealt_anew() {
        let mut givers = experienced();
        for _ in 0..3 {
            givers.note(3, false, at(0));
        }
        givers.gave(5, at(1));
        // The holder of 3 holds 0 and 6 now, that of 5 holds 3; the others are new.
        let anew = givers.dealt_anew(|slot| match slot {
            0 | 6 => Some(3),
            3 => Some(5),
            _ => None,
        });
        assert_eq!(anew.silent(), [0, 6].into_iter().collect());
        assert!(anew.proven(3, at(2)) && !anew.proven(5, at(2)));
        assert!(anew.knows());
    }

    #[test]
    fn frequent_repairs_ask_for_a_reserve() {
        let mut givers = Givers::new(4, 8);
        for segment in 0..400 {
            givers.note_repair(segment % 8 == 0);
        }
        assert_eq!(givers.standing().extra, 1);
        for _ in 0..400 {
            givers.note_repair(false);
        }
        assert_eq!(givers.standing().extra, 0);
    }
}
