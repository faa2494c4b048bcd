//! Completing: what follows when shards of a segment are verified (P4), and how its relays are judged (G1).

use super::{Stream, receive::GRACE};
use crate::{
    ablation::Mechanism,
    core::Core,
    io::{Event, Refusal, StopReason},
    set::ShardSet,
    view::SegmentNumber,
};

impl Stream {
    /// Goes on when the list of leaves is known.
    pub(super) fn on_list(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        segment.list_overdue = None;
        let (verified, forgers) = segment.check_held(&*core.work);
        for &link in &forgers {
            core.refuse_link(link, Refusal::Mismatch);
            self.distrust(core, link);
        }
        if !forgers.is_empty() {
            self.chase_at(number, core.now + super::SHORT_OF_RELAYS);
        }
        self.carry(core, number);
        // Own shards that came with a path may go across with the list now.
        self.on_verified(core, number, verified);
    }

    /// Goes on when shards are verified.
    pub(super) fn on_verified(&mut self, core: &mut Core, number: SegmentNumber, shards: ShardSet) {
        self.spread(core, number, shards);
        self.restore(core, number);
    }

    /// Restores a segment when it can be, plays it and gives what this peer owed and had not received.
    pub(super) fn restore(&mut self, core: &mut Core, number: SegmentNumber) {
        let now = core.now;
        if !self.watching {
            return;
        }
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        let arrived = segment.have;
        match segment.restore(&*core.work, &core.coder) {
            None => return,
            Some(Err(())) => return self.stop(core, StopReason::BadCoding(number)),
            Some(Ok(())) => {}
        }
        let (after, repaired) = (now.since(segment.first_seen), segment.rounds > 0);
        let backlog = segment.backlog;
        let deal = segment.deal.clone();
        let rotation = segment.rotation;
        let given_out = segment
            .digest
            .as_ref()
            .map_or(ShardSet::EMPTY, |d| rotation.given_out(d.header().parity));
        let imports = segment.imports.shards().without(arrived);
        let own = rotation
            .shards(deal.mine)
            .intersection(given_out)
            .without(arrived);
        let fill_at = now + GRACE;
        // Of a segment that had to be repaired only what was given tells how long giving takes.
        let took = match repaired {
            // Nobody waited for it until now.
            _ if backlog => None,
            true => segment
                .most_given_at
                .map(|at| at.since(segment.first_seen) * 5 / 4),
            false => Some(after),
        };
        let fills = !core.ablated.lacks(Mechanism::FillingIn);
        segment.fill_across_at = (fills && !own.is_empty()).then_some(fill_at);
        self.wake_at(fill_at);
        self.report.restored += 1;
        self.report.repaired += u64::from(repaired);
        if let Some(took) = took {
            self.completion.sample(took);
        }
        core.event(Event::Restored {
            stream: self.number,
            segment: number,
            after,
            repaired,
        });
        for shard in own.union(imports).iter().filter(|_| fills) {
            self.relay_inside(core, number, shard);
        }
        self.answer_waiting(core, number);
        self.play(core);
    }

    /// Hands own shards across that did not come across: their column may be broken before us.
    pub(super) fn fill_across(&mut self, core: &mut Core, number: SegmentNumber) {
        let Some(segment) = self.window.get_mut(&number) else {
            return;
        };
        match segment.fill_across_at {
            Some(at) if at <= core.now => segment.fill_across_at = None,
            Some(at) => return self.wake_at(at),
            None => return,
        }
        let own = segment.rotation.shards(segment.deal.mine);
        for shard in own.iter() {
            self.relay_across(core, number, shard);
        }
    }

    /// Notes which slots gave what they owed (G1), if it is time. Whether it was.
    pub(super) fn judge(&mut self, core: &mut Core, number: SegmentNumber) -> bool {
        let Some(segment) = self.window.get_mut(&number) else {
            return false;
        };
        match segment.judge_at {
            Some(at) if at <= core.now => segment.judge_at = None,
            Some(at) => {
                self.wake_at(at);
                return false;
            }
            None => return false,
        }
        segment.countable = !segment.backlog;
        let (rotation, gave, repaired) = (segment.rotation, segment.gave, segment.rounds > 0);
        let parity = segment
            .digest
            .as_ref()
            .map_or(self.parity, |digest| digest.header().parity);
        let owed = rotation.owed(&segment.standing, parity);
        let deal = segment.deal.clone();
        if segment.backlog {
            return true;
        }
        let silent = self.givers.silent();
        for shard in owed.iter() {
            let slot = rotation.slot(shard);
            if let Some(now) = Stream::slot_now(core, &deal, slot) {
                self.givers.note(now, gave.contains(slot), core.now);
            }
        }
        let newly_silent = self.givers.silent() != silent;
        self.givers.note_repair(repaired && !newly_silent);
        true
    }
}
