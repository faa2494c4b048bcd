//! The world: it drives real peers through virtual time.

mod absence;
mod actor;
mod carry;
mod connect;
mod epochs;
mod founding;
mod giving;
mod living;
mod nursery;
mod publish;
mod region;
#[cfg(test)]
mod society;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble;
mod watch;

#[cfg(test)]
pub(crate) use tests::scene as test_scene;

use crate::{
    accord::Unity,
    audit::Audit,
    event::Event,
    figures::{Account, Blame, Figures},
    invariant::Violation,
    ledger::Ledger,
    machines::DiskFate,
    presence::{Away, How},
    scene::Scene,
    settings::Settings,
    span::Stretch,
};
use actor::Actor;
pub use giving::{Dealings, MEDIAN_MAX};
use hamlet_overlay::{agreement::Part, time::Time, view::Cluster};
use region::Region;
use std::{collections::BTreeMap, mem, sync::Arc, thread};

/// What a frame's length takes on the wire, in bytes.
const LENGTH_BYTES: usize = 4;
/// Violations kept in full; the others are counted.
const MAX_VIOLATIONS_KEPT: usize = 20;

/// A deterministic world: peers, links, and sources that stream to all of them.
///
/// Everything in it follows from its [`Settings`]: equal settings, equal events to the byte, however many
/// threads it runs on.
pub struct World {
    settings: Arc<Settings>,
    scene: Scene,
    /// Its parts, one for each thread, in the order of their peers.
    regions: Vec<Region>,
    now: Time,
    /// What all honest peers came to, where membership lives; and what was found wrong with that.
    unity: Unity,
    found: Vec<Violation>,
}

impl World {
    /// When the last segment was waited for and the world is over.
    pub fn end(&self) -> Time {
        Time::ZERO + Settings::WARM_UP + self.settings.publishing + Settings::DRAIN
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What the world was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is true in it.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The rules broken so far, in the order of time; the first [`MAX_VIOLATIONS_KEPT`] of them.
    pub fn violations(&self) -> Vec<Violation> {
        let all = self.regions.iter().flat_map(|region| &region.violations);
        let all = all.chain(self.found.iter().take(MAX_VIOLATIONS_KEPT));
        let mut all: Vec<Violation> = all.cloned().collect();
        all.sort_by_key(|violation| (violation.time, violation.peer));
        all.truncate(MAX_VIOLATIONS_KEPT);
        all
    }

    /// Goes on until `time`.
    pub fn run_until(&mut self, time: Time) {
        while let Some(window) = self.next_window() {
            let calendar = &self.regions[0].calendar;
            if window > calendar.window(time) {
                break;
            }
            let partly = calendar.end(window) > time;
            self.live(window, time);
            self.hand_over();
            if partly {
                break;
            }
        }
        self.now = self.now.max(time);
    }

    fn next_window(&self) -> Option<u64> {
        let next = self.regions.iter().map(|region| region.calendar.next());
        next.flatten().min()
    }

    /// Lets every region live through a window.
    fn live(&mut self, window: u64, until: Time) {
        let scene = &self.scene;
        let Some((here, others)) = self.regions.split_first_mut() else {
            return;
        };
        thread::scope(|scope| {
            for region in others {
                scope.spawn(|| region.live(scene, window, until));
            }
            here.live(scene, window, until);
        });
    }

    /// Hands over what regions have for one another, and tells the scene what was published.
    fn hand_over(&mut self) {
        for region in 0..self.regions.len() {
            let mut outbox = mem::take(&mut self.regions[region].outbox);
            for entry in outbox.drain(..) {
                self.region_at(entry.to as usize).calendar.enter(entry);
            }
            self.regions[region].outbox = outbox;
        }
        self.compare();
        let published = self.regions.iter_mut();
        let mut published: Vec<_> = published
            .flat_map(|region| mem::take(&mut region.published))
            .collect();
        // Within a window regions live through their peers one after another.
        published
            .sort_by_key(|(number, published)| (published.first.at, published.stream, *number));
        for (number, published) in published {
            if self.scene.publish(number, published) {
                for region in &mut self.regions {
                    region.ledger.published();
                }
            }
        }
    }

    /// Holds what honest peers came to against what others did.
    fn compare(&mut self) {
        let facts = self.regions.iter_mut();
        let mut facts: Vec<_> = facts
            .flat_map(|region| mem::take(&mut region.facts))
            .collect();
        facts.sort_by_key(|(time, peer, _)| (*time, *peer));
        for (time, peer, fact) in facts {
            let peer = self.scene.directory.id(peer as usize);
            if let Err(detail) = self.unity.take(peer, &fact) {
                self.found.push(Violation {
                    seed: self.settings.seed,
                    time,
                    peer,
                    invariant: living::ONE_LOG,
                    detail,
                });
            }
        }
    }

    /// The clusters as they are in the end, as far as any honest peer knows.
    fn clusters(&self) -> Vec<Arc<Cluster>> {
        match self.settings.lives() {
            true => self.unity.newest(),
            false => self.scene.last_membership().clusters().to_vec(),
        }
    }

    /// The share of the honest peers there for a while that are members of a cluster; `None` where all are.
    fn placed_ratio(&self) -> Option<f64> {
        let settled = |actor: &&Actor| {
            let peer = actor.me as usize;
            !self.scene.byzantine[peer]
                && self.scene.was_there(peer, self.settled_since(), self.now)
        };
        let settled: Vec<&Actor> = self.actors().filter(settled).collect();
        let placed = |actor: &&&Actor| actor.place().is_some_and(|(_, part)| part == Part::Member);
        let placed = settled.iter().filter(placed).count();
        (self.settings.lives() && !settled.is_empty()).then(|| placed as f64 / settled.len() as f64)
    }

    fn settled_since(&self) -> Time {
        let now = self.now.since(Time::ZERO);
        Time::ZERO + now.saturating_sub(Settings::PLACING)
    }

    fn region_of(&mut self, peer: usize) -> &mut Region {
        let seat = self.regions[0].seats[peer] as usize;
        self.region_at(seat)
    }

    fn region_at(&mut self, seat: usize) -> &mut Region {
        let after = |region: &Region| region.first <= seat;
        let place = self.regions.partition_point(after).saturating_sub(1);
        &mut self.regions[place]
    }

    fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.regions.iter().flat_map(|region| &region.actors)
    }

    /// Lets a peer stop for good, without a word, at a time to come.
    pub fn crash(&mut self, peer: usize, at: Time) {
        let during = Stretch {
            from: at,
            to: Time::NEVER,
        };
        self.scene.absences[peer].push(during);
        let how = How::Crashes(DiskFate::Kept);
        let region = self.region_of(peer);
        let absences = &mut region.actor(peer).absences;
        absences.push(Away { during, how });
        let number = absences.len() as u32 - 1;
        region.enter(at, peer, peer as u32, Event::Leaves { number });
    }

    /// What was counted so far.
    fn ledger(&self) -> Ledger {
        let mut all = Ledger::new(self.scene.directory.len());
        for region in &self.regions {
            all.add(&region.ledger);
        }
        all
    }

    /// What the run came to so far.
    pub fn figures(&self) -> Figures {
        let mut refused = BTreeMap::new();
        let mut blame = Blame::default();
        for actor in self.actors() {
            let peer = actor.me as usize;
            if !self.scene.byzantine[peer] {
                for (why, count) in actor.refused() {
                    *refused.entry(why).or_insert(0) += count;
                }
                let own = match self.settings.lives() {
                    true => &actor.view().newest().own,
                    false => self.scene.last_membership().cluster(peer),
                };
                blame.add(&self.scene, peer, own, &actor.report());
            }
        }
        let mut audit = Audit::default();
        for region in &self.regions {
            audit.add(&region.audit);
        }
        let violations = self.regions.iter().map(|region| region.violation_count);
        Account {
            now: self.now,
            settings: &self.settings,
            scene: &self.scene,
            ledger: &self.ledger(),
            connections: self
                .actors()
                .map(|actor| actor.ends.connected().count())
                .sum(),
            refused,
            blame,
            clusters: self.clusters(),
            placed_ratio: self.placed_ratio(),
            events: audit.events(),
            violations: violations.sum::<u64>() + self.found.len() as u64,
            trace: audit.hash(),
        }
        .figures()
    }
}
