//! The account: what each fellow owed this peer, and gave. It is what members report to their cluster (W11).
//!
//! * **G7** Two seconds after a segment is judged, each fellow's slot that is among those of D2 *if no slot were called
//!   silent* counts as having given or not, in time or late. So a relay that nobody counts on any more is in debt all the
//!   same, for that is why. A segment counts only if half of these slots gave: else it is not they that failed, but the source,
//!   the cluster, or this peer itself. Nor do the slots of the source count, or those of fellows who are not connected.

use super::Stream;
use crate::{
    core::Core, links::Deal, links::LinkId, message::Standing, set::SlotSet, view::SegmentNumber,
};

/// How many shards that a fellow owed are remembered.
pub const REMEMBERED: u8 = 32;
/// So many segments after it was judged a segment is counted: who gave it later gave nothing of use.
const LATER: SegmentNumber = 8;

/// What is remembered of the last shards that a fellow owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Whether it gave the last, the one before, and so on: one bit each.
    gave: u32,
    owed: u8,
}

impl Account {
    fn note(&mut self, gave: bool) {
        self.gave = self.gave << 1 | u32::from(gave);
        self.owed = REMEMBERED.min(self.owed + 1);
    }
}

impl Stream {
    /// How many of the last shards that a link owed it gave, and how many these are: at most [`REMEMBERED`].
    pub fn account_of(&self, link: LinkId) -> (u8, u8) {
        let account = self.links.get(link).map(|state| state.account);
        let Account { gave, owed } = account.unwrap_or_default();
        (gave.count_ones() as u8, owed)
    }

    /// Counts what fellows gave of the segment that was judged some time before this one (G7).
    pub(super) fn count_given(&mut self, core: &Core, judged: SegmentNumber) {
        let number = judged.checked_sub(LATER);
        let segment = number.and_then(|number| self.window.get_mut(&number));
        let Some(segment) = segment else { return };
        let digest = segment.digest.as_ref();
        let Some(digest) = digest.filter(|_| std::mem::take(&mut segment.countable)) else {
            return;
        };
        let (rotation, deal) = (segment.rotation, segment.deal.clone());
        let if_all_gave = Standing {
            silent: deal.slots_of_source(self.number),
            ..segment.standing
        };
        let owed = rotation.owed(&if_all_gave, digest.header().parity);
        let slots: SlotSet = owed.iter().map(|shard| rotation.slot(shard)).collect();
        let slots = slots.without(deal.mine);
        let gave = segment.gave.intersection(slots);
        if gave.len() * 2 < slots.len() {
            return;
        }
        for slot in slots.iter() {
            let holder = deal.holders[usize::from(slot)];
            if let Some(link) = holder.filter(|&link| core.links.connected(link)) {
                self.link(link).account.note(gave.contains(slot));
            }
        }
    }

    /// Begins new accounts with those who were no fellows before.
    pub(super) fn open_accounts(&mut self, old: &Deal, new: &Deal) {
        for &link in &new.fellows {
            if !old.fellows.contains(&link) {
                self.link(link).account = Account::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_of_the_last_shards_owed() {
        let mut account = Account::default();
        for number in 0..u32::from(REMEMBERED) {
            account.note(number % 4 == 0);
        }
        assert_eq!((account.gave.count_ones(), account.owed), (8, REMEMBERED));
        for _ in 0..REMEMBERED - 1 {
            account.note(true);
        }
        assert_eq!(account.gave.count_ones(), 31);
        account.note(true);
        assert_eq!((account.gave.count_ones(), account.owed), (32, REMEMBERED));
    }
}
