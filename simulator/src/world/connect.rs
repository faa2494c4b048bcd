//! Connections: made by a handshake of two round trips, kept while both ends want them, and given up when
//! nothing is heard for long.

use super::region::Region;
use crate::{control::HANDSHAKE, event::Event, scene::Scene};
use hamlet_overlay::{
    io::{Class, Input},
    time::{Duration, Time},
};

/// What a handshake takes of each end, in bytes: both together 4 KiB.
const HANDSHAKE_BYTES: u64 = 2048;
/// How often peers look after links of which nothing is heard, in worlds where links fail.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Region {
    /// A peer wants a link from now on.
    pub fn connect(&mut self, peer: usize, other: u32) {
        let now = self.now;
        let lines = self.lines.clone();
        self.actor(peer).ends.want(&lines, other, now);
        let me = peer as u32;
        if lines.carries(me, other, now) && lines.carries(other, me, now) {
            let life = self.actor(peer).life();
            let arrives = now + lines.latency(me, other);
            self.enter(arrives, peer, other, Event::Wanted { life });
        }
    }

    /// A peer does not want a link any more.
    pub fn release(&mut self, peer: usize, other: u32) {
        if self.actor(peer).ends.release(other) {
            self.say_gone(peer, other);
        }
    }

    /// Another peer wants a link; if this one does too, the rest of the handshake follows.
    pub fn wanted(&mut self, scene: &Scene, peer: usize, from: u32, life: u32) {
        let now = self.now;
        let lines = self.lines.clone();
        let actor = self.actor(peer);
        let offer = actor.ends.offered(&lines, from, life, now);
        let (me, mine, theirs) = (peer as u32, actor.life(), life);
        if offer.replaces {
            let other = scene.directory.id(from as usize);
            self.give(scene, peer, Input::Disconnected(other));
        }
        if !offer.taken && self.settings.lives() {
            let other = scene.directory.id(from as usize);
            self.give(scene, peer, Input::Visitor(other));
        }
        if offer.taken {
            // One way has passed; the two round trips are four.
            let over = now + lines.latency(me, from) * 3;
            self.enter_from(over, from, peer, me, Event::Up { mine, theirs });
            let (mine, theirs) = (theirs, mine);
            self.enter(over, peer, from, Event::Up { mine, theirs });
        }
    }

    /// A handshake is over.
    pub fn come_up(&mut self, scene: &Scene, peer: usize, from: u32, mine: u32, theirs: u32) {
        let now = self.now;
        let actor = self.actor(peer);
        if actor.life() == mine && actor.ends.come_up(from, theirs, now) {
            self.ledger.sent(peer, Class::Control, HANDSHAKE_BYTES);
            if !scene.byzantine[peer] {
                self.ledger.spent_on(HANDSHAKE, HANDSHAKE_BYTES);
            }
            self.ledger.connected(now);
            let other = scene.directory.id(from as usize);
            self.give(scene, peer, Input::Connected(other));
        }
    }

    /// The other end of a link has let it go, or is gone.
    pub fn gone(&mut self, scene: &Scene, peer: usize, from: u32, life: u32) {
        if self.actor(peer).ends.gone(from, life) {
            let other = scene.directory.id(from as usize);
            self.give(scene, peer, Input::Disconnected(other));
        }
    }

    /// Tells another peer that its link is let go, if that can be heard.
    fn say_gone(&mut self, peer: usize, other: u32) {
        let me = peer as u32;
        if self.lines.carries(me, other, self.now) {
            let arrives = self.now + self.lines.latency(me, other);
            let life = self.actor(peer).life();
            self.enter(arrives, peer, other, Event::Gone { life });
        }
    }

    /// Lets a peer look after its links, and enters the next time, if links fail in this world.
    pub fn probe(&mut self, scene: &Scene, peer: usize) {
        let every = PROBE_EVERY.min(self.settings.links.silence() / 4);
        let next = self.now + every;
        self.enter(next, peer, peer as u32, Event::Probes);
        if self.actor(peer).is_away() {
            return;
        }
        let (now, silence) = (self.now, self.settings.links.silence());
        let lines = self.lines.clone();
        let found = self.actor(peer).ends.probe(&lines, now, silence);
        for other in found.dead {
            self.actor(peer).ends.give_up(other);
            self.say_gone(peer, other);
            let id = scene.directory.id(other as usize);
            self.give(scene, peer, Input::Disconnected(id));
        }
        for other in found.ask {
            self.connect(peer, other);
        }
    }

    /// Enters the first look of every peer after its links; not all look at one moment.
    pub fn begin_probing(&mut self) {
        let each = PROBE_EVERY.as_micros() as u64 / self.settings.peers.max(1) as u64;
        for peer in self.peers() {
            let first = Time::ZERO + Duration::from_micros(each * peer as u64);
            self.enter(first, peer, peer as u32, Event::Probes);
        }
    }

    /// Takes all links of a peer down that leaves; its neighbours hear of it, or miss it after a while.
    pub fn leave_links(&mut self, peer: usize, announced: bool) -> Vec<u32> {
        let me = peer as u32;
        let linked: Vec<u32> = self.actor(peer).ends.wanted().collect();
        for other in linked {
            if announced {
                self.say_gone(peer, other);
            } else {
                // Not even silence is heard sooner than a message would be.
                let latency = self.lines.latency(me, other);
                let noticed = self.now + self.settings.links.silence().max(latency);
                let life = self.actor(peer).life();
                self.enter(noticed, peer, other, Event::Gone { life });
            }
        }
        self.actor(peer).ends.fall()
    }
}
