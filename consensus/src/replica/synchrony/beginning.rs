//! S10: beginning later than others, who have said much by then.

use super::Synchrony;
use crate::{
    application::Application,
    certificate::Certificate,
    check::Item,
    epoch::View,
    evidence::Evidence,
    member::{Member, MemberSet},
    message::{Message, Welcome},
    mutant::Mutant,
    replica::{Replica, VIEWS_AHEAD, certify::Rests},
    time::Time,
};

/// What a member does about what it missed before it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Beginning {
    /// Until when it listens, once it has asked.
    until: Option<Time>,
    is_over: bool,
    /// The last view in which others may have spoken of blocks before it began.
    missed: View,
    /// Who has answered.
    answered: MemberSet,
    /// Who was asked again, because it began later.
    asked_again: MemberSet,
}

impl Synchrony {
    /// Until when this member listens only; no time that is to come once that is over.
    pub(super) fn listens_until(&self) -> Time {
        match self.beginning.until {
            Some(until) if !self.beginning.is_over => until,
            _ => Time::ZERO,
        }
    }
}

impl<A: Application> Replica<A> {
    /// S10: whether this member may vote for blocks of a view, or finalize them.
    pub(in crate::replica) fn may_vote_in(&self, view: View) -> bool {
        (self.synchrony.as_ref()).is_none_or(|synchrony| {
            synchrony.beginning.is_over && view > synchrony.beginning.missed
        })
    }

    /// S10: asks everybody how far they have spoken, and waits until all have answered who can.
    pub(in crate::replica) fn listen(&mut self) {
        let others = self.epoch.all().without(MemberSet::one(self.me));
        let (now, mute) = (self.now, self.epoch.mutants.has(Mutant::NeverListen));
        let Some(synchrony) = &mut self.synchrony else {
            return;
        };
        let beginning = &mut synchrony.beginning;
        if beginning.is_over {
            return;
        }
        let asks = beginning.until.is_none();
        let until = *(beginning.until).get_or_insert(now + synchrony.bound * 2);
        if mute || now >= until || others.without(beginning.answered).is_empty() {
            beginning.is_over = true;
            // The time of the view begins now.
            self.timing.entered(now);
        } else if asks {
            self.send(others, Message::Greeting);
        }
    }

    /// Somebody has begun: it is told how far this member has spoken. What it is told of void views counts from now on.
    pub(in crate::replica) fn on_greeting(&mut self, from: Member) {
        let interval = self.settings.delay / 8;
        if self.synchrony.is_none() || !self.peers.take_token(from, self.now, interval) {
            return;
        }
        for open in self.views.values_mut() {
            open.told.remove(from);
        }
        let welcome = Box::new(self.welcome());
        self.send(MemberSet::one(from), Message::Welcome(welcome));
        let beginning = self
            .synchrony
            .as_mut()
            .map(|synchrony| &mut synchrony.beginning);
        if let Some(beginning) = beginning.filter(|beginning| !beginning.is_over)
            && !beginning.answered.contains(from)
            && beginning.asked_again.insert(from)
        {
            // It was not here yet when everybody was asked.
            self.send(MemberSet::one(from), Message::Greeting);
        }
    }

    /// How far this member has spoken.
    fn welcome(&self) -> Welcome {
        let clocks = self
            .synchrony
            .as_ref()
            .and_then(|synchrony| synchrony.clocks.keys().last());
        let voted = (self.views.get(&self.view)).and_then(|open| open.own.voted_for());
        let here = self.view - u64::from(voted.is_none());
        let certified = |open: &crate::view::OpenView| !open.certificates().is_empty();
        let last = (self.views.iter().rev()).find(|(_, open)| certified(open));
        let above = last.map_or(0, |(view, _)| *view);
        let certificates: Vec<Certificate> = (self.target.as_ref())
            .or(self.log.tip_certificate())
            .cloned()
            .into_iter()
            .chain(last.into_iter().flat_map(|(_, open)| open.certificates()))
            .collect();
        let proofs = (self.views.range(above + 1..))
            .filter_map(|(_, open)| open.equivocation.as_deref().cloned());
        Welcome {
            spoken: here.max(clocks.copied().unwrap_or(0)),
            certificates,
            proofs: proofs.take(crate::member::MAX_MEMBERS).collect(),
        }
    }

    /// A fellow member says how far it has spoken: what shows that is looked at first.
    pub(in crate::replica) fn on_welcome(&mut self, from: Member, welcome: &Welcome) {
        let beginning = self
            .synchrony
            .as_ref()
            .map(|synchrony| &synchrony.beginning);
        if beginning.is_none_or(|beginning| beginning.is_over) {
            return;
        }
        let mut welcome = welcome.clone();
        let sound = |proof: &Evidence| {
            let view = proof.first.vote.view();
            proof.is_equivocation()
                && self.epoch.position(proof.culprit) == Some(self.epoch.leader(view))
        };
        if !welcome.proofs.iter().all(sound) {
            return;
        }
        welcome.proofs.retain(|proof| {
            let view = proof.first.vote.view();
            let open = self.views.get(&view);
            view > self.floor() && open.is_none_or(|open| open.equivocation.is_none())
        });
        let certificates = std::mem::take(&mut welcome.certificates);
        let known = |certificate: &Certificate| self.is_known(&certificate.claim);
        if welcome.proofs.is_empty() && certificates.iter().all(known) {
            return self.on_checked_welcome(from, welcome.spoken);
        }
        self.admit(from, certificates, Rests::Welcome(Box::new(welcome)));
    }

    /// The proofs against leaders that came with a welcome are good.
    pub(in crate::replica) fn on_checked_proofs(&mut self, proofs: &[Item]) {
        for both in proofs.chunks(2) {
            let near = |item: &Item| item.vote.view() <= self.reach() + VIEWS_AHEAD;
            if both.iter().all(near) {
                self.on_evidence(both);
            }
        }
    }

    /// What shows how far a fellow member has spoken is good: nobody can say more than it shows.
    pub(in crate::replica) fn on_checked_welcome(&mut self, from: Member, spoken: View) {
        let reach = self.reach();
        if let Some(synchrony) = &mut self.synchrony {
            let beginning = &mut synchrony.beginning;
            beginning.missed = beginning.missed.max(spoken.min(reach));
            beginning.answered.insert(from);
        }
    }

    /// The farthest view that somebody honest can be in, as far as this member knows.
    fn reach(&self) -> View {
        let certified = (self.views.iter().rev())
            .find(|(_, open)| open.nullified.is_some() || !open.notarized.is_empty());
        let certified = certified.map_or(0, |(view, _)| view + 1);
        let target = self
            .target
            .as_ref()
            .map_or(0, |target| target.claim.view() + 1);
        let mut reach = self.view.max(certified).max(target);
        while (self.views.get(&reach)).is_some_and(|open| open.equivocation.is_some()) {
            reach += 1;
        }
        reach
    }

    /// S6: somebody speaks of a void view who was not here when all were told what is certified there.
    pub(in crate::replica) fn show_certified(&mut self, to: Member, view: View) {
        let open = self.views.get_mut(&view).filter(|open| open.is_void());
        let Some(open) = open.filter(|open| !open.told.contains(to)) else {
            return;
        };
        let best = open.best().cloned();
        open.told.insert(to);
        if let Some(best) = best {
            self.send(MemberSet::one(to), Message::Certificates(vec![best]));
        }
    }
}
