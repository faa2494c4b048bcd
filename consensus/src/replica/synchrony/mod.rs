//! S1 to S10: what is different when delays are bounded.
//!
//! Under partial synchrony [`Replica::synchrony`] is `None`, and nothing here happens.

mod alarm;
mod beginning;
mod clock;
mod parents;
mod void;

use super::Replica;
use crate::{
    application::Application, block::BlockId, certificate::Claim, epoch::View, mutant::Mutant,
    time::Time, vote::Vote,
};
pub use alarm::MAX_PAST;
use alarm::Past;
use beginning::Beginning;
use clock::Clock;
pub(super) use parents::Judgement;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Members vote in so many views at most while a message is on its way (S1): nobody who hears everything in time
/// is left behind by more views than it listens to.
pub const VIEWS_PER_BOUND: u32 = 16;
/// The checks of one member's certificates that may be under way at a time. What a member says must be looked at within
/// Δ, so more than one; an honest member sends no more than this within Δ.
const MAX_CHECKS: usize = 64;

/// What the rules of synchrony remember.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Synchrony {
    /// Δ.
    bound: Duration,
    /// When everything is known that others may rest on in views that are void (S6).
    ripe: Time,
    /// When this member last voted for a block.
    voted: Option<Time>,
    /// The clocks of blocks of which it is open whether they are settled (S2).
    clocks: BTreeMap<View, Clock>,
    /// The views whose clocks ended last (S8).
    past: VecDeque<Past>,
    /// Whether it is proved that the epoch is over: members leave it then.
    pub is_over: bool,
    /// What this member missed before it began (S10).
    beginning: Beginning,
}

impl Synchrony {
    pub fn new(bound: Duration) -> Synchrony {
        Synchrony {
            bound,
            ripe: Time::ZERO,
            voted: None,
            clocks: BTreeMap::new(),
            past: VecDeque::new(),
            is_over: false,
            beginning: Beginning::default(),
        }
    }
}

impl<A: Application> Replica<A> {
    /// The time from which time-outs are made: Δ, or under partial synchrony the driver's guess.
    pub(super) fn delay(&self) -> Duration {
        (self.synchrony.as_ref()).map_or(self.settings.delay, |synchrony| synchrony.bound)
    }

    /// How many checks of one member's certificates may be under way at a time.
    pub(super) fn most_checks(&self) -> usize {
        if self.synchrony.is_some() {
            MAX_CHECKS
        } else {
            1
        }
    }

    /// From when on this member may vote and propose in its view (S6).
    pub(super) fn ripe(&self) -> Time {
        (self.synchrony.as_ref()).map_or(Time::ZERO, |synchrony| {
            synchrony.ripe.max(synchrony.listens_until())
        })
    }

    /// S7: from when on this member proposes in its view. Once views ran out, when everybody else is ripe too and this
    /// member knows what they know.
    pub(super) fn may_propose_at(&self) -> Time {
        match &self.synchrony {
            Some(synchrony) if synchrony.ripe > Time::ZERO && self.timing.is_backed_off() => {
                self.ripe().max(synchrony.ripe + synchrony.bound * 2)
            }
            _ => self.ripe(),
        }
    }

    /// Whether this member has not voted too often lately (S1).
    pub(super) fn is_voting_time(&self) -> bool {
        (self.synchrony.as_ref())
            .and_then(|synchrony| Some((synchrony, synchrony.voted?)))
            .is_none_or(|(synchrony, last)| self.now >= last + synchrony.bound / VIEWS_PER_BOUND)
    }

    /// A block was voted for.
    pub(super) fn note_vote(&mut self, block: BlockId) {
        if let Some(synchrony) = &mut self.synchrony {
            synchrony.voted = Some(self.now);
        }
        self.begin_clock(block);
    }

    /// S5: the second votes of a member that gave up its view.
    pub(super) fn second_votes_in_time(&mut self) {
        let view = self.view;
        let Some(open) = self.views.get(&view).filter(|open| open.given_up) else {
            return;
        };
        let silent = open.own.voted_for().is_none();
        match (open.own.first(), open.proposal.clone()) {
            (Some(Vote::Notarize(_)), _)
                if open.own.finalized().is_none()
                    && !open.own.gave(Vote::Abandon(view))
                    && !self.epoch.mutants.has(Mutant::NeverAbandon) =>
            {
                self.cast(Vote::Abandon(view));
            }
            (Some(Vote::Nullify(_)), Some(block))
                if silent
                    && self.is_voting_time()
                    && self.may_vote_in(view)
                    && self.judge(block.parent(), view) == Judgement::Good =>
            {
                self.support(block);
            }
            _ => {}
        }
    }

    /// S4: whether nothing that follows this block's view is known to be committed.
    pub(super) fn may_finalize_late(&self, block: BlockId) -> bool {
        let target = self.target.as_ref().map_or(0, |target| target.claim.view());
        self.synchrony.is_some() && block.view > self.floor().max(target)
    }

    /// When the rules of synchrony have something to do.
    pub(super) fn due_in_time(&self) -> Option<Time> {
        let synchrony = self.synchrony.as_ref()?;
        let paced = (synchrony.voted).map(|last| last + synchrony.bound / VIEWS_PER_BOUND);
        [
            self.clock_due(),
            paced,
            Some(self.ripe()),
            Some(self.may_propose_at()),
        ]
        .into_iter()
        .flatten()
        .filter(|due| *due > self.now)
        .min()
    }

    /// Whether this is a notarization under synchrony, which by itself leads to no later view.
    pub(super) fn is_mere_notarization(&self, claim: &Claim) -> bool {
        self.synchrony.is_some() && matches!(claim, Claim::Notarized(_))
    }
}
