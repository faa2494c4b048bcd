//! Liars who plot within an epoch, as in the torture of one epoch: what they say is there at once.

use super::{Event, World};
use crate::torture::{
    byzantine::{Lie, Team},
    keys::CheapKeys,
};
use hamlet_consensus::{
    Epoch,
    epoch::View,
    identity::PeerId,
    succession::{Parcel, Tag, tag},
    time::Time,
};
use std::sync::Arc;

impl World {
    /// An honest peer is in this view of an epoch.
    pub(super) fn watch(&mut self, peer: u8, epoch: &Arc<Epoch>, view: View) {
        let name = tag(epoch);
        if !self.plan.plot {
            return;
        }
        if !self.plots.contains_key(&name) {
            let plan = self.plan.of_epoch(epoch);
            let team = Team::new(&plan, epoch, self.keys, epoch);
            self.plots.insert(name, (team, u64::MAX));
        }
        let member = epoch.position(CheapKeys::id(peer));
        if let Some((team, _)) = self.plots.get_mut(&name) {
            let next = member.and_then(|member| team.watch(self.now, member, view));
            self.move_at(name, next);
        }
    }

    fn move_at(&mut self, name: Tag, at: Option<u64>) {
        let now = self.now;
        if let (Some(at), Some((_, next))) = (at, self.plots.get_mut(&name))
            && (at < *next || *next <= now)
        {
            *next = at.max(now);
            self.enter(at, Event::Plot(name));
        }
    }

    /// A liar heard this.
    pub(super) fn overhear(&mut self, liar: u8, from: PeerId, parcel: &Parcel) {
        let Parcel::Agreement(name, message) = parcel else {
            return;
        };
        let now = Time::from_micros(self.now);
        let mut lies = Vec::new();
        if let (Some((team, _)), Some(epoch)) = (self.plots.get_mut(name), self.oracle.epoch(*name))
            && let Some(liar) = epoch.position(CheapKeys::id(liar))
            && let Some(from) = epoch.position(from)
        {
            team.hear(now, liar, from, message, &mut lies);
        }
        self.tell(*name, lies);
    }

    pub(super) fn plot(&mut self, name: Tag) {
        let mut lies = Vec::new();
        if let Some((team, _)) = self.plots.get_mut(&name) {
            let next = team.act(Time::from_micros(self.now), &mut lies);
            self.move_at(name, next);
        }
        self.tell(name, lies);
    }

    fn tell(&mut self, name: Tag, lies: Vec<Lie>) {
        let Some(epoch) = self.oracle.epoch(name) else {
            return;
        };
        for (from, to, message) in lies {
            if let (Some(from), Some(to)) = (epoch.peer(from), epoch.peer(to)) {
                let (from, to) = (from.0[0], to.0[0]);
                let parcel = Parcel::Agreement(name, message);
                self.enter(self.now, Event::Parcel { from, to, parcel });
            }
        }
    }
}
