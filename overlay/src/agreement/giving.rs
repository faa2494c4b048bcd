//! W11: when this member says how much fellows gave it of what they owed.

use super::{
    Agreement,
    order::Saying,
    state::{ClusterState, gives_too_little},
};
use crate::{
    genesis::Parameters,
    identity::PeerId,
    time::{Duration, Time},
};

/// How long it waits before it says something else.
const AGAIN: Duration = Duration::from_secs(4);
/// How often it looks whether there is anything to say.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When a member may say something for the first time: never where nobody is put out by fellows.
pub(super) fn first_report(parameters: &Parameters) -> Time {
    match parameters.silence_ms {
        Some(_) => Time::ZERO,
        None => Time::NEVER,
    }
}

impl Agreement {
    /// When this member may have to say what fellows gave it. While they give nothing comes, so it need not be woken for that.
    pub fn reports_at(&self) -> Time {
        self.report_at
    }

    /// Says how many of the last shards each member gave, if others give too little now than the log says.
    pub fn report(&mut self, given: impl Fn(PeerId) -> u8) {
        self.report_at = self.now + LOOK_EVERY;
        let me = self.me;
        let state = self.state().filter(|_| self.is_member());
        let Some(report) = state.and_then(|state| news(state, me, given)) else {
            return;
        };
        self.report_at = self.now + AGAIN;
        let order = self.say(Saying::Given(report));
        self.propose(self.now, &order);
    }
}

/// What a member has to say, if others give it too little than it said last.
fn news(state: &ClusterState, me: PeerId, given: impl Fn(PeerId) -> u8) -> Option<Vec<u8>> {
    let given = |peer: &PeerId| match *peer == me {
        true => crate::push::REMEMBERED,
        false => given(*peer),
    };
    let report: Vec<u8> = state.members().iter().map(given).collect();
    let mut members = state.members().iter().zip(&report);
    let differs = members.any(|(peer, &given)| {
        gives_too_little(given) != gives_too_little(state.given_to(me, *peer))
    });
    differs.then_some(report)
}
