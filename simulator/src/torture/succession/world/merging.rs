//! Merges: clusters that ask others to take them in, and operators who bring that to those.

use super::{Event, World};
use crate::torture::succession::society::{Fate, Order};
use hamlet_consensus::{
    Epoch,
    epoch::Host,
    succession::{Input, Tag, tag},
};

impl World {
    /// A cluster asks another one that was not taken in: mostly its newest epoch, and sometimes one that may be over.
    pub(super) fn ask(&mut self, guest: &Epoch) -> Fate {
        let mut others = self.oracle.newest();
        others.retain(|other| other.charter().cluster != guest.charter().cluster);
        let place = self.dice.below(others.len() as u64) as usize;
        let mut host = others[place].clone();
        if self.dice.chance(100)
            && let Some(older) = self.oracle.before(&host)
        {
            host = older;
        }
        self.enter(self.now + 50_000, Event::Bring(tag(guest)));
        Fate::Ask(Box::new(Host::of(&host)))
    }

    /// Brings what a cluster asked to the epoch that it asked, until that has ended.
    pub(super) fn bring(&mut self, guest: Tag) {
        let Some(doubt) = self.oracle.doubt(guest) else {
            if self.oracle.end_of(guest).is_none() {
                self.enter(self.now + 200_000, Event::Bring(guest));
            }
            return;
        };
        let later = self.now + self.dice.within(50_000, 400_000);
        self.enter(later, Event::Bring(guest));
        let members = self.members_of(&doubt.host);
        // Whoever is at the end of the guest's log.
        let notes = self.nodes.iter().find_map(|node| {
            let replica = node.succession.as_ref()?.replica()?;
            let there = tag(replica.epoch()) == guest && replica.is_over();
            there.then(|| replica.application().notes().to_vec())
        });
        let (Some(member), Some(notes)) = (self.dice.pick(&members), notes) else {
            return;
        };
        let charter = doubt.host.charter();
        let mut stay: Vec<u8> = charter.members.iter().map(|peer| peer.0[0]).collect();
        let fate = match self.dice.chance(250) {
            true => Fate::Alone,
            false => {
                stay.extend(doubt.guest.members().iter().map(|peer| peer.0[0]));
                Fate::Take(doubt.guest.id(), notes)
            }
        };
        let order = Order::Change(charter.cluster, charter.number, stay, fate);
        self.handle(member, Input::Submit(vec![order.encode()]));
    }
}
