//! The account: what each fellow owed this peer, and gave. It is what members report to their cluster (W11).
//!
//! * **G7** Two seconds after a segment is judged, each fellow's slot that is among those of D2 *if no slot were called
//!   silent* counts as having given or not, in time or late. Of a slot that was called silent nothing was wanted: what it
//!   would have owed is *outstanding* until it is tried again (G3). If it gives then, that is forgotten: it may be slow, or its
//!   column broken, and better again. If it does not, up to [`OUTSTANDING`] shards count as not given. A segment counts only if
//!   half of these slots gave: else it is not they that failed, but the source, the cluster, or this peer itself. Nor do the
//!   slots of the source count, or those of fellows who are not connected.

use super::Stream;
use crate::{
    core::Core, links::Deal, links::LinkId, message::Standing, set::SlotSet, view::SegmentNumber,
};

/// How many shards that a fellow owed are remembered.
pub const REMEMBERED: u8 = 16;
/// As how many shards that were not given a failed trial counts at most: less than half of what is remembered, so that one is
/// not enough.
const OUTSTANDING: u8 = 6;
/// So many segments after it was judged a segment is counted: who gave it later gave nothing of use.
const LATER: SegmentNumber = 8;

/// What is remembered of the last shards that a fellow owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Whether it gave the last, the one before, and so on: one bit each.
    gave: u16,
    owed: u8,
    /// What it would have owed had it not been called silent.
    outstanding: u8,
}

impl Account {
    /// It gave a shard that it owed, or it did not.
    fn note(&mut self, gave: bool) {
        let outstanding = std::mem::take(&mut self.outstanding);
        let missed = if gave { 0 } else { outstanding };
        self.gave = self.gave << missed << 1 | u16::from(gave);
        self.owed = REMEMBERED.min(self.owed + missed + 1);
    }

    /// It would have owed a shard that nobody wanted of it.
    fn note_unwanted(&mut self) {
        self.outstanding = OUTSTANDING.min(self.outstanding + 1);
    }
}

impl Stream {
    /// How many of the last shards that a link owed it gave, and how many these are: at most [`REMEMBERED`].
    pub fn account_of(&self, link: LinkId) -> (u8, u8) {
        let account = self.links.get(link).map(|state| state.account);
        let Account { gave, owed, .. } = account.unwrap_or_default();
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
        let unwanted = segment.standing.silent;
        let owed = rotation.owed(&if_all_gave, digest.header().parity);
        let slots: SlotSet = owed.iter().map(|shard| rotation.slot(shard)).collect();
        let slots = slots.without(deal.mine);
        let gave = segment.gave;
        if slots.intersection(gave).len() * 2 < slots.len() {
            return;
        }
        for slot in slots.iter() {
            let holder = deal.holders[usize::from(slot)];
            if let Some(link) = holder.filter(|&link| core.links.connected(link)) {
                let account = &mut self.link(link).account;
                match gave.contains(slot) {
                    false if unwanted.contains(slot) => account.note_unwanted(),
                    gave => account.note(gave),
                }
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
        for number in 0..REMEMBERED {
            account.note(number % 4 == 0);
        }
        assert_eq!((account.gave.count_ones(), account.owed), (4, REMEMBERED));
        for _ in 0..REMEMBERED - 1 {
            account.note(true);
        }
        assert_eq!(account.gave.count_ones(), 15);
        account.note(true);
        assert_eq!((account.gave.count_ones(), account.owed), (16, REMEMBERED));
    }

    #[test]
    fn what_was_not_wanted_counts_when_a_trial_fails() {
        let mut account = Account::default();
        for _ in 0..3 {
            account.note(false);
        }
        for failed in 1..=2 {
            for _ in 0..16 {
                account.note_unwanted();
            }
            assert_eq!(account.owed, 3 + (failed - 1) * 7);
            account.note(false);
        }
        assert_eq!((account.gave, account.owed), (0, REMEMBERED));
    }

    #[test]
    fn what_was_not_wanted_is_forgotten_when_a_trial_succeeds() {
        let mut account = Account::default();
        for _ in 0..100 {
            account.note_unwanted();
        }
        account.note(true);
        account.note(false);
        assert_eq!((account.gave, account.owed), (2, 2));
    }

    #[test]
    fn one_failed_trial_is_not_too_little() {
        let mut account = Account::default();
        for _ in 0..REMEMBERED {
            account.note(true);
        }
        for _ in 0..3 {
            account.note(false);
        }
        for _ in 0..100 {
            account.note_unwanted();
        }
        account.note(false);
        assert_eq!(account.gave.count_ones(), 6);
    }
}
