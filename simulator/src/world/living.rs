//! Membership that lives: peers agree, ask for places, are put out, and leave.

use super::region::Region;
use crate::{
    accord::{Fact, Shelf},
    event::Event,
    random::{Purpose, Randomness},
    scene::Scene,
    settings::Settings,
    torture::dice::Dice,
};
use hamlet_consensus::{check::Verdict, succession::Tag};
use hamlet_overlay::{
    agreement::{Agreed, Part, Step},
    identity::PeerId,
    io::Input,
    membership::cycle::Place,
    time::{Duration, Time},
    view::{Epoch, SegmentNumber},
};
use std::{mem, sync::Arc};

/// How many peers a newcomer knows.
const CONTACTS: usize = 4;
/// How long a peer that leaves waits until its cluster does without it.
const FAREWELL: Duration = Duration::from_secs(15);

/// What a peer has besides, where membership lives.
#[derive(Default)]
pub(super) struct Living {
    /// Its disk.
    pub shelf: Shelf,
    /// The absence that it says it is about to begin.
    pub farewell: Option<u32>,
    /// The neighbourhood that it was last found to know.
    known: Option<Arc<Epoch>>,
}

impl Living {
    /// Of a peer that started with this disk.
    pub fn new(shelf: Shelf) -> Living {
        Living {
            shelf,
            ..Living::default()
        }
    }
}

/// A signature check that was carried out.
pub(super) type Checked = (Option<Tag>, Verdict);

impl Region {
    /// Does what a peer's agreement wants done.
    pub fn carry_out(&mut self, scene: &Scene, peer: usize, step: Step) {
        match step {
            Step::Send {
                mut to,
                frame,
                class,
            } => {
                let ends = &self.actor(peer).ends;
                to.retain(|other| {
                    let other = scene.directory.index(*other);
                    other.is_some_and(|other| ends.is_up(other as u32))
                });
                if !to.is_empty() {
                    let of_none = (None, SegmentNumber::MAX);
                    self.send(scene, peer, &to, frame, class, of_none);
                }
            }
            Step::Check(name, check) => {
                let verdict = check.run(self.nursery.verifier());
                self.checked.push((name, verdict));
            }
            step => {
                if let Some(living) = &mut self.actor(peer).living {
                    living.shelf.carry_out(step);
                }
            }
        }
    }

    /// Hands a peer what was checked for it, and looks whether what it knows of the clusters around has changed.
    pub fn go_on_agreeing(&mut self, scene: &Scene, peer: usize) {
        for (name, verdict) in mem::take(&mut self.checked) {
            self.give(scene, peer, Input::Checked(name, verdict));
        }
        let actor = self.actor(peer);
        if scene.byzantine[peer] || actor.is_away() {
            return;
        }
        let newest = actor.view().newest().clone();
        let places = actor.places(newest.own.id);
        let Some(living) = &mut actor.living else {
            return;
        };
        if living
            .known
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &newest))
        {
            return;
        }
        living.known = Some(newest.clone());
        let me = scene.directory.id(peer);
        if newest.own.place(me).is_some()
            && places.is_some_and(|places| !has_all_beside(&places, &newest))
        {
            let around: Vec<u64> = newest.neighbours.iter().map(|next| next.id).collect();
            let detail = format!("around cluster {} are {around:?}", newest.own.id);
            self.violated(
                scene,
                peer,
                "clusters follow each other as the cycles have them",
                detail,
            );
        }
        let now = self.now;
        let facts = newest
            .clusters()
            .map(|cluster| Fact::Members(cluster.clone()));
        self.facts
            .extend(facts.map(|fact| (now, peer as u32, fact)));
    }

    /// A peer's agreement came to something.
    pub fn agreed(&mut self, scene: &Scene, peer: usize, agreed: Agreed) {
        let now = self.now;
        let actor = self.actor(peer);
        let Some((cluster, part)) = actor.place() else {
            return;
        };
        let says_farewell = actor.living.as_ref().and_then(|living| living.farewell);
        match agreed {
            Agreed::Began(_) if part == Part::Member => self.ledger.placed(peer, now),
            Agreed::PutOut(_) => {
                if let Some(number) = says_farewell {
                    self.depart(scene, peer, number);
                }
            }
            _ if scene.byzantine[peer] => {}
            Agreed::Entry(entry) => {
                let fact = Fact::Entry(cluster, entry);
                self.facts.push((now, peer as u32, fact));
            }
            Agreed::Proved(culprit) if is_honest(scene, culprit) => {
                let detail = format!("a proof against {culprit}");
                self.violated(scene, peer, "no honest peer is barred", detail);
            }
            Agreed::Forked => {
                let detail = format!("cluster {cluster} has two logs");
                self.violated(scene, peer, ONE_LOG, detail);
            }
            Agreed::Failed(epoch, error) => {
                let detail = format!("epoch {epoch} of cluster {cluster}: {error}");
                self.violated(scene, peer, "who is a member can begin its epoch", detail);
            }
            _ => {}
        }
    }

    /// A peer that is to leave for good says so first, where it takes leave at all. Whether it does.
    pub fn take_leave(&mut self, scene: &Scene, peer: usize, number: u32) -> bool {
        let actor = self.actor(peer);
        let how = actor.absences[number as usize].how;
        let Some(living) = &mut actor.living else {
            return false;
        };
        if !how.announced() || !how.forgets() {
            return false;
        }
        living.farewell = Some(number);
        let at = self.now + FAREWELL;
        self.enter(at, peer, peer as u32, Event::Departs { number });
        self.give(scene, peer, Input::Leave);
        true
    }

    /// A peer starts with what is on its disk: as a newcomer, or again after a crash.
    pub fn start_again(&mut self, scene: &Scene, peer: usize, next: SegmentNumber) {
        let now = self.now;
        let shown = self.actor(peer).shows(now);
        let nursery = self.nursery.clone();
        let Some(living) = &mut self.actor(peer).living else {
            return;
        };
        let (shelf, known) = (&mut living.shelf, &mut living.known);
        *known = None;
        let fresh = match nursery.agreeing(&scene.network, peer, shown, next, shelf) {
            Ok(fresh) => fresh,
            Err(error) => {
                let detail = format!("it cannot start again: {error}");
                return self.violated(scene, peer, "every disk can be come back from", detail);
            }
        };
        self.actor(peer).restart(peer as u32, fresh);
        self.invariants.restarted(peer, shown);
        self.subscribe(scene, peer);
    }

    /// A newcomer asks some who are there the way into the network.
    pub fn ask_the_way(&mut self, scene: &Scene, peer: usize) {
        self.ledger.came(peer, self.now);
        for contact in contacts(scene, self.settings.seed, peer, self.now) {
            let contact = scene.directory.id(contact);
            self.give(scene, peer, Input::Contact(contact));
        }
    }
}

/// The rule about logs and memberships.
pub(super) const ONE_LOG: &str = "a cluster has one log, and an epoch of it one membership";

fn is_honest(scene: &Scene, peer: PeerId) -> bool {
    let index = scene.directory.index(peer);
    index.is_some_and(|peer| !scene.byzantine[peer])
}

/// Whether a member's view has all clusters that lie beside its own on the cycles, as its cluster knows them.
fn has_all_beside(places: &[Place], epoch: &Epoch) -> bool {
    let beside = places.iter().flat_map(|place| [place.before, place.after]);
    let mut clusters = beside.filter(|cluster| *cluster != epoch.own.id);
    clusters.all(|cluster| epoch.neighbours.iter().any(|next| next.id == cluster))
}

/// Whom a newcomer knows: any who are there for a while, honest or not.
fn contacts(scene: &Scene, seed: u64, peer: usize, now: Time) -> Vec<usize> {
    let dice = Randomness::new(seed, Purpose::Contacts);
    let settled = |&other: &usize| other != peer && scene.is_settled(other, now);
    let mut known: Vec<usize> = (0..scene.directory.len()).filter(settled).collect();
    known.sort_by_key(|&other| (dice.at([peer as u64, other as u64]), other));
    known.truncate(CONTACTS);
    known
}

/// What tears a peer's disk when it crashes.
pub(super) fn tearing(settings: &Settings, peer: usize, number: u32) -> Dice {
    Dice::new(settings.seed, (peer as u64) << 32 | u64::from(number))
}
