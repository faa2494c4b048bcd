//! W5: a peer that has its place elsewhere goes on to take part in the cluster that it leaves, until that does without it: else
//! several who leave at once would leave a cluster that can decide nothing. And it follows that cluster's epochs for a while, since
//! they govern the segments before the first that the new place does.

use super::Peer;
use crate::{
    agreement::{Agreement, Outcome, Step, order::Saying},
    time::{Duration, Time},
};
use hamlet_consensus::{check::Verdict, succession::Tag};

/// How often it says that it leaves.
const SAY_EVERY: Duration = Duration::from_secs(4);
/// How long it goes on at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// In so many more epochs it takes part at most. What it says in them is not stored: it never comes back to one of them, even
/// after a crash, since [`Start::left`](crate::agreement::Start::left) names the last of them.
pub(super) const MORE_EPOCHS: u64 = 8;

/// A peer's part in the cluster that it leaves.
pub(super) struct Departing {
    pub agreement: Agreement,
    /// What checks are named that belong to no epoch: no epoch is called that.
    name: Tag,
    last_epoch: u64,
    /// The cluster. In one that splits from it the peer takes no part: it did not say that it would not come back there.
    cluster: u64,
    /// The newest epoch that the view knows.
    shown: u64,
    say_at: Time,
    until: Time,
}

impl Departing {
    pub fn new(agreement: Agreement, now: Time) -> Departing {
        Departing {
            name: !agreement.newest(),
            cluster: agreement.cluster(),
            last_epoch: agreement.epoch() + MORE_EPOCHS,
            shown: agreement.epoch(),
            say_at: now,
            until: now + PATIENCE,
            agreement,
        }
    }

    /// When it has to do something.
    pub fn due(&self) -> Time {
        let say_at = match self.agreement.is_member() {
            true => self.say_at,
            false => Time::NEVER,
        };
        self.agreement.engine_at().min(say_at).min(self.until)
    }

    fn has_parted(&self) -> bool {
        self.agreement.cluster() != self.cluster
    }

    fn is_done(&self, now: Time) -> bool {
        self.agreement.epoch() > self.last_epoch || self.until <= now
    }
}

impl Peer {
    /// Does what the cluster that this peer leaves still wants of it.
    pub(super) fn go_on_departing(&mut self) {
        let now = self.core.now;
        let Some(departing) = &mut self.departing else {
            return;
        };
        departing.agreement.follow(now);
        if departing.has_parted() {
            self.departing = None;
            self.follow_contacts();
            return;
        }
        let agreement = &mut departing.agreement;
        if departing.say_at <= now && agreement.is_member() {
            departing.say_at = now + SAY_EVERY;
            let order = agreement.say(Saying::Leave);
            agreement.propose(now, &order);
        }
        if agreement.wants_turn() {
            agreement.turn(super::agreeing::heads(&self.streams));
        }
        agreement.draw();
        while let Some(outcome) = agreement.poll() {
            match outcome {
                Outcome::Step(Step::Check(name, check)) => {
                    let name = name.unwrap_or(departing.name);
                    self.core.agreement(Step::Check(Some(name), check));
                }
                Outcome::Step(step @ Step::Send { .. }) => self.core.agreement(step),
                Outcome::Evidence(proof) => self.core.prove(proof),
                Outcome::Step(_) | Outcome::Event(_) => {}
            }
        }
        let is_done = departing.is_done(now);
        let epoch = departing.agreement.epoch();
        if std::mem::replace(&mut departing.shown, epoch) < epoch
            && let Some(change) = departing.agreement.own_change(self.core.view.parameters.n)
        {
            self.change_view(|view| view.begin(now, change));
        }
        if is_done {
            self.departing = None;
            self.follow_contacts();
        }
    }

    /// Signatures were checked. Whether that was for the cluster that it leaves.
    pub(super) fn on_departing_checked(&mut self, name: Option<Tag>, verdict: &Verdict) -> bool {
        let Some((departing, name)) = self.departing.as_mut().zip(name) else {
            return false;
        };
        let name = Some(name).filter(|name| *name != departing.name);
        let mine = name.is_none_or(|name| departing.agreement.knows(name));
        if mine {
            (departing.agreement).checked(self.core.now, name, verdict.clone());
        }
        mine
    }
}
