//! Peers that leave, crash and come back.

use super::{STREAM, region::Region};
use crate::{event::Event, machines::DiskFate, presence::How, scene::Scene};
use hamlet_overlay::{io::Input, time::Time};

impl Region {
    /// Enters the absences of a peer.
    pub fn enter_absences(&mut self, peer: usize) {
        let absences = self.actor(peer).absences.clone();
        for (number, away) in (0..).zip(absences) {
            let me = peer as u32;
            self.enter(away.during.from, peer, me, Event::Leaves { number });
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
        let lost = self.leave_links(peer, away.how.announced());
        self.actor(peer).leave(number, lost);
        self.ledger.left();
        if peer == scene.source {
            let fate = match away.how {
                How::Crashes(fate) => fate,
                How::Leaves { .. } => DiskFate::Kept,
            };
            self.publishing.stop(self.now, fate);
        }
        if away.during.to < Time::NEVER {
            self.enter(away.during.to, peer, peer as u32, Event::Returns { number });
        }
    }

    /// A peer comes back from this absence.
    pub fn come_back(&mut self, scene: &Scene, peer: usize, number: u32) {
        let Some(lost) = self.actor(peer).come_back(number) else {
            return;
        };
        let forgets = self.actor(peer).absences[number as usize].how.forgets();
        let now = self.now;
        let now = self.actor(peer).shows(now);
        let next = self.publishing.next();
        // Its place in the network is there, as it was at the founding.
        if forgets && let Some(fresh) = self.nursery.peer(&scene.network, peer, now, next) {
            self.actor(peer).restart(peer as u32, fresh);
            for invariant in &mut self.invariants {
                invariant.restarted(peer);
            }
            self.give(scene, peer, Input::Subscribe(STREAM));
            return;
        }
        for other in lost {
            let other = scene.directory.id(other as usize);
            self.give(scene, peer, Input::Disconnected(other));
        }
        self.give(scene, peer, Input::Wake);
        let wanted: Vec<u32> = self.actor(peer).ends.wanted().collect();
        for other in wanted {
            self.connect(peer, other);
        }
    }
}
