//! A8: what this member does for the next epoch's beacon.

use super::{Agreement, order::Saying};
use crate::time::{Duration, Time};
use hamlet_consensus::beacon::SecretKey;

/// How long it waits before it says the same again.
const AGAIN: Duration = Duration::from_secs(4);
/// How long each member waits for the one before it, beyond those who contribute at once.
const STEP: Duration = Duration::from_millis(200);

/// A member's part in the beacon.
pub(super) struct Draws {
    secret: SecretKey,
    /// The epoch, and whether its dealings are fixed, of what is due; and since when that is so.
    stage: (u64, bool),
    since: Time,
    /// Until when it does not say the same again.
    said_until: Time,
    /// When it shows its key again.
    shown_until: Time,
    /// When it has to do something.
    due: Time,
}

impl Draws {
    pub fn new(secret: SecretKey) -> Draws {
        Draws {
            secret,
            stage: (u64::MAX, false),
            since: Time::ZERO,
            said_until: Time::ZERO,
            shown_until: Time::ZERO,
            due: Time::ZERO,
        }
    }

    /// When it has to do something.
    pub fn due(&self) -> Time {
        self.due
    }

    /// Looks again what it has to do.
    pub fn look(&mut self) {
        self.due = Time::ZERO;
    }
}

impl Agreement {
    /// Does for the beacon what is due: shows its key, deals, shows its share.
    pub fn draw(&mut self) {
        let now = self.now;
        if now < self.draws.due {
            return;
        }
        self.draws.due = Time::NEVER;
        let Some(state) = self.state() else { return };
        let (epoch, registered) = (state.epoch(), state.is_registered(self.me));
        let turn = state.beacon_turn(self.me);
        if !registered {
            if self.draws.shown_until <= now {
                self.draws.shown_until = now + AGAIN;
                let key = self.draws.secret.register(self.network, self.me);
                let order = self.say(Saying::Key(key));
                self.propose(now, &order);
            }
            self.draws.due = self.draws.shown_until;
        }
        let Some(turn) = turn else { return };
        if self.draws.stage != (epoch, turn.is_fixed) {
            self.draws.stage = (epoch, turn.is_fixed);
            (self.draws.since, self.draws.said_until) = (now, Time::ZERO);
        }
        let at = (self.draws.since + STEP * turn.after as u32).max(self.draws.said_until);
        if at <= now {
            self.draws.said_until = now + AGAIN;
            let state = self.state();
            let due = state.and_then(|state| state.contribution(self.me, &self.draws.secret));
            if let Some(contribution) = due {
                let order = self.say(Saying::Beacon(Box::new(contribution)));
                self.propose(now, &order);
            }
        }
        self.draws.due = self.draws.due.min(at.max(self.draws.said_until));
    }
}
