//! E3, E6: the epoch before the newest, served until those that follow are established.

use super::{
    Handover, Output, Parcel, Running, Succession, Transfer,
    handover::{Tag, tag},
};
use crate::{
    application::Application, epoch::Epoch, identity::PeerId, io::Refusal, mutant::Mutant,
    time::Time, wire,
};
use bytes::Bytes;
use std::sync::Arc;

/// The most epochs that are over and served. Each but the last waits for a cluster that split off, of which no quorum is
/// known to have begun.
const MAX_RETIRING: usize = 8;

/// How many are told of a handover at a beat. Anyone who has begun answers that the epoch is established, or not yet; and
/// every member of the epoch that is over tells some.
const TOLD_AT_ONCE: usize = 4;

/// This peer's part in an epoch that is over.
#[derive(Clone)]
pub(super) struct Retiring<A> {
    pub running: Running<A>,
    /// What leads from it to the epochs that follow.
    pub handovers: Vec<Handover>,
    /// The epochs that follow.
    pub successors: Vec<Arc<Epoch>>,
    /// Those of them that no quorum is known to have begun.
    pub unsettled: Vec<Tag>,
    /// The state in which the epoch ended, once it is here.
    pub snapshot: Option<Bytes>,
    /// When the handover was told last.
    told: Option<Time>,
    /// Whose turn it is to be told.
    turn: usize,
    /// When it is told again.
    due: Time,
    /// Since when it is over for this peer.
    since: Time,
}

impl<A> Retiring<A> {
    pub fn new(
        running: Running<A>,
        (handovers, successors): (Vec<Handover>, Vec<Arc<Epoch>>),
        snapshot: Option<Bytes>,
        now: Time,
    ) -> Retiring<A> {
        Retiring {
            running,
            unsettled: successors.iter().map(|epoch| tag(epoch)).collect(),
            handovers,
            successors,
            snapshot,
            told: None,
            turn: 0,
            due: now,
            since: now,
        }
    }

    /// When the handover is to be told.
    pub fn due(&self) -> Time {
        self.due
    }

    /// Whether who lags behind in it has heard of its end, and this peer of all that was said before that: under
    /// synchrony after twice the bound.
    fn is_heard_of(&self, now: Time) -> bool
    where
        A: Application,
    {
        let epoch = self.running.replica.epoch();
        let bound = (epoch.terms().model.bound()).filter(|_| !epoch.mutants.has(Mutant::KeepEnd));
        bound.is_none_or(|bound| now >= self.since + bound * 2)
    }

    /// An epoch that follows, if this is the name of one.
    pub fn successor(&self, name: Tag) -> Option<&Arc<Epoch>> {
        (self.successors.iter()).find(|epoch| tag(epoch) == name)
    }

    /// The state with which an epoch of this name begins, if it is that in which this one ended: so it is unless that is
    /// another cluster's, which took this one in.
    pub fn origin_of(&self, name: Tag) -> Option<(u64, Bytes)> {
        let origin = self.successor(name)?.origin();
        let own = self.handovers.first()?.origin() == Some(origin);
        Some((origin.height, self.snapshot.clone().filter(|_| own)?))
    }
}

impl<A: Application + Clone> Succession<A> {
    /// Whether the newest epoch that this peer takes part in is over: then it goes on to what follows.
    pub(super) fn look_for_end(&mut self) -> bool {
        let awaited = tag(self.chain.awaited());
        if let Some(member) = self.member.as_ref().filter(|member| member.tag == awaited)
            && let Some(ending) = member.replica.ending()
        {
            let handover = Handover {
                ended: member.tag,
                seal: ending.seal.clone(),
                successors: ending.successors.to_vec(),
                merge: ending.merge.cloned(),
            };
            return self.go_on(handover, None);
        }
        // One that was behind when it heard of the handover may catch up after all.
        let before = self.chain.last_handover().map(|(ended, _)| tag(ended));
        for retiring in self
            .retiring
            .iter_mut()
            .filter(|old| old.snapshot.is_none())
        {
            let Some(ending) = retiring.running.replica.ending() else {
                continue;
            };
            let snapshot = ending.snapshot.clone();
            retiring.snapshot = Some(snapshot.clone());
            if before == Some(retiring.running.tag) && self.joining.take().is_some() {
                self.begin(snapshot);
                return true;
            }
        }
        false
    }

    /// The epoch that is awaited is over, as this proves: goes on to the next. Whether that was so. Who told of it is asked first
    /// for the state, if that is not here.
    pub(super) fn go_on(&mut self, handover: Handover, told_by: Option<PeerId>) -> bool {
        let guest = self.chain.doubt().map(|doubt| tag(&doubt.guest));
        if self.chain.follow(self.me, &handover).is_none() {
            return false;
        }
        (self.outputs).push_back(Output::Link(wire::encode(&handover)));
        let mut member = self.member.as_mut();
        if let Some(member) = member.take_if(|member| member.tag == handover.ended) {
            member.replica.bind_to_end(self.now, &handover.seal);
        }
        if let Some(doubt) = self.chain.doubt() {
            self.seek.0 = self.now;
            // It may have been there itself, before its cluster split from the other.
            let known = self.chain.after(tag(&doubt.host), 1);
            let known = known.and_then(|mut ends| ends.pop());
            return known.is_none_or(|end| self.go_on(end, told_by));
        }
        self.joining = None;
        let snapshot = self.leave_member();
        if guest.is_some_and(|guest| guest != tag(self.chain.newest())) {
            self.refuse_left_over();
        }
        let next = self.chain.newest().clone();
        if next.position(self.me).is_none() {
            self.outputs.push_back(Output::PutOut(next));
        } else if self.abstains {
            // It goes on following.
        } else if let Some(snapshot) = snapshot {
            self.begin(snapshot);
        } else {
            self.begin_joining(told_by);
        }
        true
    }

    /// Serves the epoch that this peer was a member of, now that it is known what follows. The state in which it ended is
    /// returned if it is here, and the next one begins with it.
    fn leave_member(&mut self) -> Option<Bytes> {
        let mut running = self.member.take()?;
        let end = self.chain.end_of(running.tag)?;
        let mutants = running.replica.epoch().mutants;
        let (before, _) = self.chain.last_handover()?;
        let goes_on = tag(before) == running.tag;
        if !mutants.has(Mutant::LoseLeftOver) {
            (self.left_over).extend(running.replica.take_left_over());
        }
        while self.retiring.len() >= MAX_RETIRING {
            self.drop_retiring(0);
        }
        let ending = running.replica.ending();
        let snapshot = ending.map(|ending| ending.snapshot.clone());
        if mutants.has(Mutant::LeaveEarly) {
            self.outputs.push_back(Output::Drop(running.tag));
        } else {
            let retiring = Retiring::new(running, end, snapshot.clone(), self.now);
            self.retiring.push_back(retiring);
        }
        snapshot.filter(|_| goes_on)
    }

    /// E11: another cluster took this one in. This one may have executed what is left over here, of which the other knows nothing.
    fn refuse_left_over(&mut self) {
        if self.chain.newest().mutants.has(Mutant::CarryOver) {
            return;
        }
        for command in std::mem::take(&mut self.left_over) {
            let (command, why) = (command.id(), Refusal::EpochOver);
            (self.outputs).push_back(Output::Rejected { command, why });
        }
    }

    fn drop_retiring(&mut self, place: usize) {
        if let Some(old) = self.retiring.remove(place) {
            // Who is not a member any more keeps its last store, so that it knows that it has left.
            if self.member.is_some() || place < self.retiring.len() {
                self.outputs.push_back(Output::Drop(old.running.tag));
            }
        }
    }

    /// E6: forgets epochs that are over, once a quorum of each that follows has begun.
    pub(super) fn retire(&mut self) {
        let begun = (self.member.as_ref())
            .filter(|member| member.replica.established().is_some())
            .map(|member| member.tag);
        for place in (0..self.retiring.len()).rev() {
            let is_heard_of = self.retiring[place].is_heard_of(self.now);
            let unsettled = &mut self.retiring[place].unsettled;
            // An epoch's end is sealed by a quorum that had begun it.
            unsettled.retain(|name| Some(*name) != begun && !self.chain.has_ended(*name));
            if unsettled.is_empty() && is_heard_of {
                self.drop_retiring(place);
            }
        }
    }

    /// E3: tells those who may not know what follows.
    pub(super) fn hand_over(&mut self) {
        for place in 0..self.retiring.len() {
            self.hand_over_one(place);
        }
    }

    fn hand_over_one(&mut self, place: usize) {
        let retiring = &mut self.retiring[place];
        if self.now < retiring.due {
            return;
        }
        let once = retiring
            .running
            .replica
            .epoch()
            .mutants
            .has(Mutant::HandOverOnce);
        retiring.due = match once {
            true => Time::NEVER,
            false => self.now + self.settings.beat,
        };
        let first = retiring.told.is_none();
        retiring.told = Some(self.now);
        let old = retiring.running.replica.epoch();
        let here = self.member.as_ref();
        let heard = |epoch: &Epoch, peer: PeerId| {
            let replica = here.filter(|member| member.tag == tag(epoch));
            let replica = replica.map(|member| &member.replica);
            replica.is_some_and(|replica| {
                (epoch.position(peer)).is_some_and(|place| replica.last_heard(place).is_some())
            })
        };
        let mut to = Vec::new();
        for epoch in &retiring.successors {
            if !retiring.unsettled.contains(&tag(epoch)) {
                continue;
            }
            let unheard = (epoch.members().iter().copied())
                .filter(|peer| *peer != self.me && !heard(epoch, *peer));
            if first {
                // Members of both come to the end themselves. Of those who tell the others one at least is honest.
                let place = old.position(self.me).map_or(0, usize::from);
                let tells = |at: &usize| (place + at) % old.size() < old.honest();
                let new = unheard.filter(|peer| old.position(*peer).is_none());
                to.extend(
                    (0..)
                        .zip(new)
                        .filter(|(at, _)| tells(at))
                        .map(|(_, peer)| peer),
                );
            } else {
                let unheard: Vec<PeerId> = unheard.collect();
                let from = retiring.turn.checked_rem(unheard.len()).unwrap_or(0);
                to.extend(
                    unheard
                        .iter()
                        .cycle()
                        .skip(from)
                        .take(unheard.len().min(TOLD_AT_ONCE)),
                );
            }
        }
        retiring.turn = match first {
            // Not everybody begins with the same.
            true => usize::from(self.me.0[0]),
            false => retiring.turn.wrapping_add(TOLD_AT_ONCE),
        };
        if !to.is_empty() {
            let handovers = Transfer::Handovers(retiring.handovers.clone());
            (self.outputs).push_back(Output::Send(to, Parcel::Transfer(handovers)));
        }
    }
}
