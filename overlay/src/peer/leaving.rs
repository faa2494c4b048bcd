//! W9: a peer that leaves the network says so to its cluster until that does without it, and asks for no other place.

use super::Peer;
use crate::{
    agreement::order::Saying,
    time::{Duration, Time},
};

/// How often it says that it leaves: an epoch that is about to end may be closed to it.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// Whether this peer leaves the network, and when it says so next.
#[derive(Default)]
pub(super) struct Leaving(Option<Time>);

impl Peer {
    /// Leaves the network from now on.
    pub(super) fn leave(&mut self) {
        self.leaving.0.get_or_insert(self.core.now);
        self.calls.clear();
        if let Some(start) = &mut self.start {
            start.papers = None;
        }
        if let Some(home) = &mut self.agreement {
            home.want_no_place();
        }
    }

    /// Whether it does.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.0.is_some()
    }

    /// When it says so.
    pub(super) fn leaves_at(&self) -> Time {
        let home = self.agreement.as_ref().filter(|home| home.is_member());
        home.and(self.leaving.0).unwrap_or(Time::NEVER)
    }

    /// Says so, if it is time.
    pub(super) fn say_farewell(&mut self) {
        if self.leaves_at() > self.core.now {
            return;
        }
        self.leaving.0 = Some(self.core.now + SAY_EVERY);
        if let Some(home) = &mut self.agreement {
            let order = home.say(Saying::Leave);
            home.propose(self.core.now, &order);
        }
    }
}
