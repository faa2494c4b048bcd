//! Standings: what a receiver wants its fellows to send it of every segment, and what they want (D2).

use super::{Stream, Told};
use crate::{
    core::Core,
    links::{Deal, LinkId},
    message::{Notice, Standing},
    set::SlotSet,
    time::Duration,
    view::EpochName,
};

/// Standings are told at most this often.
const STANDING_EVERY: Duration = Duration::from_millis(200);

/// The most shards beyond `k` that a receiver may want of every segment.
pub(super) fn reserve_max(k: u8) -> u8 {
    (k / 8).max(1)
}

impl Stream {
    pub(super) fn standing_notice(&self, core: &Core, standing: Standing) -> Notice {
        Notice::Standing {
            stream: self.number,
            epoch: core.newest_deal().epoch.own.name(),
            standing,
        }
    }

    /// Tells all fellows what this peer wants of the stream when that has changed.
    pub(super) fn tell_standing(&mut self, core: &mut Core) {
        if self.is_source(core) || self.stopped.is_some() {
            return;
        }
        let deal = core.newest_deal();
        let standing = if self.watching {
            self.givers.try_again(core.now);
            let mut standing = self.givers.standing();
            let away = |link: &Option<LinkId>| link.is_some_and(|link| !core.links.connected(link));
            let slots = (0..).zip(&deal.holders);
            let slots = slots.filter(|(_, link)| away(link)).map(|(slot, _)| slot);
            let known = standing.silent.union(deal.slots_of_source(self.number));
            standing.silent = known.union(slots.collect());
            standing
        } else {
            Standing {
                idle: true,
                ..Standing::default()
            }
        };
        match self.told {
            // Before anything was wanted nobody needs to be told that nothing is.
            None if !self.watching => return,
            Some(told) if told.standing == standing => {
                return self.wake_at(self.givers.next_trial());
            }
            Some(told) if core.now.since(told.at) < STANDING_EVERY => {
                return self.wake_at(told.at + STANDING_EVERY);
            }
            _ => {}
        }
        self.told = Some(Told {
            epoch: deal.epoch.own.name(),
            standing,
            at: core.now,
        });
        let notice = self.standing_notice(core, standing);
        for &link in &deal.fellows {
            core.notify(link, notice);
        }
        self.wake_at(self.givers.next_trial());
    }

    pub fn on_standing(
        &mut self,
        core: &mut Core,
        from: LinkId,
        epoch: EpochName,
        mut standing: Standing,
    ) {
        standing.silent = standing.silent.intersection(SlotSet::below(self.n));
        standing.extra = standing.extra.min(reserve_max(self.k));
        let known = core.view.epochs().any(|held| held.own.name() == epoch);
        let [newer, older] = self.wants(from);
        match newer {
            _ if !known => {}
            Some((named, _)) if *named != epoch => *older = newer.replace((epoch, standing)),
            _ => *newer = Some((epoch, standing)),
        }
    }

    /// What a link wants of segments that a deal governs. Slots that it calls silent are those of one
    /// epoch; of another epoch it has no complaints yet, but that the source relays nothing of its own stream.
    pub(super) fn standing_of(&self, link: LinkId, deal: &Deal) -> Option<Standing> {
        let epoch = deal.epoch.own.name();
        let wants = self.wants.get(link).filter(|_| !self.distrusts(link))?;
        let exact = wants.iter().flatten().find(|(named, _)| *named == epoch);
        let other = || {
            wants[0].map(|(_, standing)| Standing {
                silent: deal.slots_of_source(self.number),
                ..standing
            })
        };
        exact.map(|(_, standing)| *standing).or_else(other)
    }
}
