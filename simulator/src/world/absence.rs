//! Peers that leave, crash and come back.

use super::living;
use super::region::Region;
use crate::{event::Event, machines::DiskFate, presence::How, scene::Scene};
use hamlet_overlay::{io::Input, time::Time, view::StreamNumber};

impl Region {
    /// Enters the absences of a peer.
    pub fn enter_absences(&mut self, peer: usize) {
        let absences = self.actor(peer).absences.clone();
        for (number, away) in (0..).zip(absences) {
            let me = peer as u32;
            if self.settings.lives() && away.during.from == Time::ZERO {
                self.actor(peer).waits(number);
                self.enter(away.during.to, peer, me, Event::Returns { number });
                continue;
            }
            self.enter(away.during.from, peer, me, Event::Leaves { number });
        }
    }

    /// Lets a peer watch all streams.
    pub fn subscribe(&mut self, scene: &Scene, peer: usize) {
        for stream in 0..scene.sources.len() {
            self.give(scene, peer, Input::Subscribe(stream as StreamNumber));
        }
    }

    /// A peer leaves, unless it is away already.
    pub fn leave(&mut self, scene: &Scene, peer: usize, number: u32) {
        let Some(away) = self.actor(peer).absences.get(number as usize).copied() else {
            return;
        };
        if self.actor(peer).is_away() {
            return;
        }
        self.ledger.left();
        if !self.take_leave(scene, peer, number) {
            self.depart(scene, peer, number);
        }
        if away.during.to < Time::NEVER {
            self.enter(away.during.to, peer, peer as u32, Event::Returns { number });
        }
    }

    /// A peer is gone from now on.
    pub fn depart(&mut self, scene: &Scene, peer: usize, number: u32) {
        if self.actor(peer).is_away() {
            return;
        }
        let away = self.actor(peer).absences[number as usize];
        let lost = self.leave_links(peer, away.how.announced());
        self.actor(peer).leave(number, lost);
        if let How::Crashes(fate) = away.how {
            let mut dice = living::tearing(&self.settings, peer, number);
            if let Some(living) = &mut self.actor(peer).living {
                living.shelf.crash(fate, &mut dice);
            }
        }
        if let Some(stream) = scene.stream_of(peer) {
            let fate = match away.how {
                How::Crashes(fate) => fate,
                How::Leaves { .. } => DiskFate::Kept,
            };
            self.publishing[usize::from(stream)].stop(self.now, fate);
        }
    }

    /// A peer comes back from this absence.
    pub fn come_back(&mut self, scene: &Scene, peer: usize, number: u32) {
        let Some(lost) = self.actor(peer).come_back(number) else {
            return;
        };
        let away = self.actor(peer).absences[number as usize];
        let forgets = away.how.forgets();
        let now = self.now;
        let now = self.actor(peer).shows(now);
        let stream = scene.stream_of(peer);
        let next = stream.map_or(0, |stream| self.publishing[usize::from(stream)].next());
        let is_new = away.during.from == Time::ZERO;
        if self.settings.lives() && (forgets || is_new) {
            self.start_again(scene, peer, next);
            if is_new {
                self.ask_the_way(scene, peer);
            }
            return;
        }
        // Its place in the network is there, as it was at the founding.
        if forgets && let Some(fresh) = self.nursery.peer(&scene.network, peer, now, next) {
            self.actor(peer).restart(peer as u32, fresh);
            self.invariants.restarted(peer, now);
            self.follow_epochs(scene, peer);
            self.subscribe(scene, peer);
            return;
        }
        for other in lost {
            let other = scene.directory.id(other as usize);
            self.give(scene, peer, Input::Disconnected(other));
        }
        self.give(scene, peer, Input::Wake);
        self.follow_epochs(scene, peer);
        let wanted: Vec<u32> = self.actor(peer).ends.wanted().collect();
        for other in wanted {
            self.connect(peer, other);
        }
    }
}
