//! W6: a cluster to which a walk led calls the peer, which believes nobody: it follows the cluster's epochs from the founding
//! on, and goes there when one of them names it.

use super::{
    Peer,
    departing::{self, Departing},
};
use crate::{
    agreement::{Agreed, Agreement, Outcome, Step, state},
    identity::PeerId,
    io::{Event, Output, Refusal},
    time::{Duration, Time},
};
use hamlet_consensus::{
    check::Verdict,
    succession::{Tag, Transfer},
};
use std::collections::BTreeMap;

/// The most calls that are followed at once; a newer one replaces the oldest.
const MAX_CALLS: usize = 4;
/// How long a call is followed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clusters that say that this peer has a place in them, by their numbers.
pub(super) type Calls = BTreeMap<u64, Call>;

/// What a peer knows of a cluster that calls it.
pub(super) struct Call {
    agreement: Agreement,
    /// The name of the cluster's founding epoch, under which signatures are checked.
    name: Tag,
    /// What is to be stored if it goes there.
    links: Vec<Vec<u8>>,
    since: Time,
}

impl Peer {
    /// A message across epochs came, of the own cluster or of one that calls.
    pub(super) fn on_transfer(&mut self, from: PeerId, body: &[u8]) -> Result<(), Refusal> {
        let now = self.core.now;
        let transfer = Transfer::decode(body).map_err(|_| Refusal::Malformed)?;
        if self.agreement.is_none() {
            return Ok(());
        }
        let called = self.begin_call(&transfer);
        // Clusters that split from one another have epochs in common: what is told goes to all that it concerns, and a question
        // is answered once.
        let (tag, is_question) = (transfer.epoch(), transfer.is_question());
        let home = self.agreement.as_mut().map(|home| (None, home));
        let departing = self.departing.as_mut();
        let departing = departing.map(|left| (None, &mut left.agreement));
        let calls = self.calls.iter_mut();
        let calls = calls.map(|(cluster, call)| (Some(*cluster), &mut call.agreement));
        let mut told = false;
        for (cluster, one) in home.into_iter().chain(departing).chain(calls) {
            let is_called = cluster.is_some() && cluster == called;
            if (is_called || one.concerns(tag, from)) && !(told && is_question) {
                one.transfer(now, from, transfer.clone());
                told = true;
            }
        }
        if let Some(home) = self.agreement.as_mut().filter(|_| !told) {
            // Whoever is behind learns what it is about.
            home.transfer(now, from, transfer);
        }
        Ok(())
    }

    /// Follows another cluster from now on, if that says in this that the peer is a member. It may say anything.
    fn begin_call(&mut self, transfer: &Transfer) -> Option<u64> {
        let Transfer::Handovers(handovers) = transfer else {
            return None;
        };
        let home = self.agreement.as_ref()?;
        // Of several walks of one peer the first to lead to a place counts.
        if self.is_leaving() || !home.wants_walk() {
            return None;
        }
        let me = self.core.me;
        // Where the own cluster leads this peer follows anyway.
        let elsewhere = handovers.iter().filter(|one| !home.knows(one.ended));
        let mut successors = elsewhere.flat_map(|one| &one.successors);
        let charter = successors.find(|charter| charter.members.contains(&me))?;
        let founding = &self.core.view.founding;
        let cluster = state::number_of(founding.id(), charter)?;
        let home = self.agreement.as_ref()?.cluster();
        let start = self.start.as_ref()?;
        if cluster == home || start.left.get(&cluster) >= Some(&charter.number) {
            return None;
        }
        if self.calls.contains_key(&cluster) {
            return Some(cluster);
        }
        let (signer, verifier) = (self.core.signer.clone(), self.core.verifier.clone());
        let now = self.core.now;
        let agreement = Agreement::start(founding, cluster, signer, verifier, start, now).ok()?;
        if self.calls.len() == MAX_CALLS {
            let oldest = self.calls.iter().min_by_key(|(_, call)| call.since);
            let oldest = oldest.map(|(cluster, _)| *cluster);
            oldest.and_then(|oldest| self.calls.remove(&oldest));
        }
        let call = Call {
            name: agreement.newest(),
            agreement,
            links: Vec::new(),
            since: self.core.now,
        };
        self.calls.insert(cluster, call);
        Some(cluster)
    }

    /// Signatures were checked. Whether that was for a call.
    pub(super) fn on_call_checked(&mut self, name: Option<Tag>, verdict: &Verdict) -> bool {
        let mut calls = self.calls.values_mut();
        let Some(call) = calls.find(|call| Some(call.name) == name) else {
            return false;
        };
        call.agreement.checked(self.core.now, None, verdict.clone());
        true
    }

    /// When something is to be done about calls.
    pub(super) fn calls_at(&self) -> Time {
        let due = |call: &Call| call.agreement.follows_at().min(call.since + PATIENCE);
        self.calls.values().map(due).min().unwrap_or(Time::NEVER)
    }

    /// Follows those who call, and goes where a place is.
    pub(super) fn follow_calls(&mut self) {
        let now = self.core.now;
        let home = self.agreement.as_ref().map(Agreement::cluster);
        self.calls
            .retain(|cluster, call| now < call.since + PATIENCE && Some(*cluster) != home);
        let clusters: Vec<u64> = self.calls.keys().copied().collect();
        for cluster in clusters {
            let Some(call) = self.calls.get_mut(&cluster) else {
                continue;
            };
            call.agreement.follow(now);
            while let Some(outcome) = call.agreement.poll() {
                match outcome {
                    Outcome::Step(Step::Link(link)) => call.links.push(link),
                    Outcome::Step(Step::Check(_, check)) => {
                        self.core.agreement(Step::Check(Some(call.name), check));
                    }
                    Outcome::Step(step @ Step::Send { .. }) => self.core.agreement(step),
                    // It takes part in nothing yet.
                    Outcome::Step(_) | Outcome::Event(_) | Outcome::Evidence(_) => {}
                }
            }
            let left = self
                .start
                .as_ref()
                .and_then(|start| start.left.get(&cluster));
            let names_me = call.agreement.names_me_after(left.copied());
            if names_me && let Some(call) = self.calls.remove(&cluster) {
                self.go_to(cluster, call);
            }
        }
    }

    /// Has its place in another cluster from now on, and leaves the one where it was.
    fn go_to(&mut self, cluster: u64, call: Call) {
        let Some(start) = &mut self.start else { return };
        let now = self.core.now;
        if let Some(home) = self.agreement.take().filter(Agreement::is_member) {
            let last = home.epoch() + departing::MORE_EPOCHS;
            start.left.insert(home.cluster(), last);
            self.departing = Some(Departing::new(home, now));
        }
        let left = start.left.clone();
        self.calls.clear();
        self.core.event(Event::Agreed(Agreed::Moved(cluster)));
        self.settle_in(cluster, left, call.links);
        // It takes part as soon as that is an epoch in which it cannot have spoken (A6).
        self.agreement = Some(call.agreement);
    }

    /// Has the driver begin a journal for another cluster.
    pub(super) fn settle_in(
        &mut self,
        cluster: u64,
        left: BTreeMap<u64, u64>,
        links: Vec<Vec<u8>>,
    ) {
        let settle = Step::Settle { cluster, left };
        self.core.output(Output::Agreement(settle));
        for link in links {
            self.core.output(Output::Agreement(Step::Link(link)));
        }
    }
}
