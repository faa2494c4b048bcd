//! A plot: liars who speak rarely, together, and at the worst moment.
//!
//! They hear at once whatever honest members say, see in which view each of them is, and what they say is there at once. In
//! every view they tell different stories to two groups of honest members: they propose, vote, finalize and give up, each
//! at a moment of its own after the group came to that view or left it. Moments are drawn around those at which rules of
//! synchrony do something.

use super::{Lie, Team};
use crate::torture::dice::Dice;
use hamlet_consensus::{
    Message,
    block::{BlockId, SoundBlock},
    epoch::View,
    message::Proposal,
    time::Time,
    vote::{SignedVote, Vote},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// In how many views they act.
const MAX_VIEWS: View = 12;
/// Moments in eighths of Δ, about which they act: at once, a proposal handed on, a delay, a clock's or a view's end.
const MOMENTS: [u64; 12] = [0, 0, 2, 4, 8, 14, 16, 18, 22, 24, 26, 34];

/// What they do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Their leader proposes one of two blocks.
    Propose(usize),
    /// They vote for it.
    Notarize(usize),
    Finalize(usize),
    Nullify,
}

/// What they do before one group of honest members.
#[derive(Clone, Copy, Debug)]
struct Act {
    view: View,
    group: usize,
    deed: Deed,
}

/// What they are up to.
#[derive(Debug, Default)]
pub(super) struct Plot {
    /// Δ, in microseconds; none if there is no plot.
    bound: Option<u64>,
    /// In which view a group was seen last.
    reached: [View; 2],
    due: BTreeMap<(u64, u64), Act>,
    planned: u64,
}

impl Plot {
    pub fn new(bound: Duration) -> Plot {
        Plot {
            bound: Some(bound.as_micros() as u64),
            ..Plot::default()
        }
    }
}

impl Team {
    /// In which of the two groups an honest member is, in all views.
    fn group(&self, member: u8) -> usize {
        self.side(0, member)
    }

    /// An honest member is in this view. When the liars want to act next, if they do.
    pub fn watch(&mut self, now: u64, member: u8, view: View) -> Option<u64> {
        self.plot.bound?;
        let group = self.group(member);
        while self.plot.reached[group] < view.min(MAX_VIEWS) {
            let left = self.plot.reached[group];
            self.plot.reached[group] += 1;
            self.plan(now, group, left, true);
            self.plan(now, group, left + 1, false);
        }
        self.plot.due.keys().next().map(|(at, _)| *at)
    }

    /// Plans what to do in a view, after a group came to it or left it.
    fn plan(&mut self, now: u64, group: usize, view: View, left: bool) {
        let (Some(bound), true) = (self.plot.bound, view > 0) else {
            return;
        };
        let mut dice = Dice::new(
            self.seed,
            5000 + view * 4 + group as u64 * 2 + u64::from(left),
        );
        let story = match dice.chance(800) {
            true => group,
            false => 1 - group,
        };
        let chances = match left {
            true => [0, 300, 150, 100],
            false => [800, 500, 300, 400],
        };
        let deeds = [
            Deed::Propose(story),
            Deed::Notarize(story),
            Deed::Finalize(story),
            Deed::Nullify,
        ];
        for (chance, deed) in chances.into_iter().zip(deeds) {
            let eighths = dice.pick(&MOMENTS).unwrap_or(0);
            let early = dice.below(bound / 8);
            let at = now + (eighths * bound / 8).saturating_sub(early);
            if dice.chance(chance) {
                self.plot.planned += 1;
                let act = Act { view, group, deed };
                self.plot.due.insert((at, self.plot.planned), act);
            }
        }
    }

    /// Does what is due.
    pub fn act(&mut self, now: Time, lies: &mut Vec<Lie>) -> Option<u64> {
        while let Some(entry) = self.plot.due.first_entry() {
            if entry.key().0 > now.as_micros() {
                break;
            }
            let act = entry.remove();
            self.carry_out(act, lies);
        }
        self.plot.due.keys().next().map(|(at, _)| *at)
    }

    fn carry_out(&mut self, act: Act, lies: &mut Vec<Lie>) {
        let Act { view, group, deed } = act;
        let story = |team: &Team, story: usize| {
            let blocks = team.blocks.get(&view)?;
            blocks.get(story).or(blocks.first()).copied()
        };
        match deed {
            Deed::Propose(number) => self.propose_story(view, group, number, lies),
            Deed::Notarize(number) => {
                if let Some(block) = story(self, number) {
                    self.sign_all(Vote::Notarize(block), group, lies);
                }
            }
            Deed::Finalize(number) => {
                if let Some(block) = story(self, number) {
                    self.sign_all(Vote::Finalize(block), group, lies);
                }
            }
            Deed::Nullify => self.sign_all(Vote::Nullify(view), group, lies),
        }
    }

    /// All liars sign a vote, for one group.
    fn sign_all(&mut self, vote: Vote, group: usize, lies: &mut Vec<Lie>) {
        let liars: Vec<u8> = self.liars.keys().copied().collect();
        for liar in liars {
            let signed = SignedVote::new(vote, &self.epoch, &self.keys.signer(liar));
            let message = Arc::new(Message::Vote(signed));
            self.tell_group(liar, &message, group, lies);
        }
    }

    fn tell_group(&self, liar: u8, message: &Arc<Message>, group: usize, lies: &mut Vec<Lie>) {
        for to in (0..self.members).filter(|to| !self.liars.contains_key(to)) {
            if self.group(to) == group {
                lies.push((liar, to, message.clone()));
            }
        }
    }

    /// Their leader shows one of two blocks of its view to a group.
    fn propose_story(&mut self, view: View, group: usize, number: usize, lies: &mut Vec<Lie>) {
        let leader = self.epoch.leader(view);
        if !self.liars.contains_key(&leader) {
            return;
        }
        while self.blocks.get(&view).map_or(0, Vec::len) <= number {
            let parent = self.some_parent(view);
            let command = self.command();
            self.note(SoundBlock::build(&self.epoch, view, parent, vec![command]));
        }
        let block = self.blocks.get(&view).and_then(|blocks| blocks.get(number));
        let Some(block) = block.and_then(|block| self.bodies.get(&block.hash)) else {
            return;
        };
        let vote = Vote::Notarize(block.id());
        let proposal = Proposal {
            block: block.block().clone(),
            signature: SignedVote::new(vote, &self.epoch, &self.keys.signer(leader)).signature,
            justification: Vec::new(),
        };
        self.tell_group(leader, &Arc::new(Message::Proposal(proposal)), group, lies);
    }

    /// A block of the last view that has any, or what it builds on.
    fn some_parent(&mut self, view: View) -> BlockId {
        let start = BlockId::start(&self.epoch);
        let Some((_, last)) = self.blocks.range(..view).next_back() else {
            return start;
        };
        let Some(block) = self.dice.pick(last) else {
            return start;
        };
        let older = self.bodies.get(&block.hash).map(SoundBlock::parent);
        match self.dice.chance(500) {
            true => block,
            false => older.unwrap_or(start),
        }
    }
}
