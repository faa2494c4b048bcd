//! Four members, one of whom lies, and all that can happen to them.

use super::{
    Event, Packet,
    local::{Local, Name, epoch},
};
use crate::{
    Epoch, Message,
    block::{BlockId, SoundBlock},
    command::Command,
    epoch::View,
    member::Member,
    message::Proposal,
    mutant::{Mutant, Mutants},
    vote::{SignedVote, Vote},
};
use stateright::{Model, Property};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};

/// What an event makes of a member, and what the member sends.
type Step = (Arc<Local>, Arc<[Arc<Packet>]>);

/// Which cluster is explored, and how far.
pub(super) struct Cluster {
    epoch: Arc<Epoch>,
    /// The member that says whatever it likes to whomever it likes.
    liar: Member,
    /// What lies beyond this view is not looked at.
    views: View,
    /// How many statements the liar makes at most; telling two members the same are two.
    lies: usize,
    /// One member in one state always does the same on the same event, whatever the others do meanwhile.
    steps: Mutex<BTreeMap<(u64, Event), Step>>,
}

/// The honest members, what is under way between them, and how often the liar may still speak.
#[derive(Clone, Debug)]
pub(super) struct State {
    members: Vec<Arc<Local>>,
    flying: BTreeSet<Arc<Packet>>,
    lies: usize,
}

impl State {
    fn key(&self) -> (impl Iterator<Item = u64>, &BTreeSet<Arc<Packet>>, usize) {
        let digests = self.members.iter().map(|member| member.digest);
        (digests, &self.flying, self.lies)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        let ((a, flying, lies), (b, other_flying, other_lies)) = (self.key(), other.key());
        a.eq(b) && flying == other_flying && lies == other_lies
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (digests, flying, lies) = self.key();
        digests.for_each(|digest| digest.hash(state));
        (flying, lies).hash(state);
    }
}

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// To the member at this position among the honest.
    One(usize, Event),
    /// The liar says something.
    Lie(usize, Arc<Packet>),
    /// Nothing is under way and no time-out is left: all that are stuck say so again, and everything arrives.
    RepeatAll,
}

impl Cluster {
    /// What must hold in every state.
    pub const PROMISES: [&str; 4] = [
        "agreement",
        "validity and integrity",
        "the honest are not accused and nothing forks",
        "nobody is stuck",
    ];

    pub fn new(liar: Member, views: View, lies: usize) -> Cluster {
        Cluster {
            epoch: Arc::new(epoch()),
            liar,
            views,
            lies,
            steps: Mutex::default(),
        }
    }

    /// The same cluster with a broken rule.
    pub fn with(mut self, mutant: Mutant) -> Cluster {
        self.epoch = Arc::new(epoch().with_mutants(Mutants::one(mutant)));
        self
    }

    fn step(&self, member: &Arc<Local>, event: &Event) -> Step {
        let key = (member.digest, event.clone());
        if let Some(step) = self.steps.lock().unwrap().get(&key) {
            return step.clone();
        }
        let (after, sent) = member.after(event, self.liar);
        let step: Step = (Arc::new(after), sent.into_iter().map(Arc::new).collect());
        self.steps.lock().unwrap().insert(key, step.clone());
        step
    }

    /// Lets something happen to one member; whether it made a difference.
    fn happen(&self, state: &mut State, at: usize, event: &Event) -> bool {
        let (after, sent) = self.step(&state.members[at], event);
        let changed = after.digest != state.members[at].digest || !sent.is_empty();
        state.members[at] = after;
        state.flying.extend(sent.iter().cloned());
        let members = &state.members;
        state.flying.retain(|packet| {
            let to = members.iter().find(|member| member.me() == packet.to);
            // What is said of settled views is not even looked at.
            packet
                .view()
                .is_none_or(|view| view <= self.views && to.is_some_and(|to| !to.has_settled(view)))
        });
        changed
    }

    fn position(state: &State, member: Member) -> Option<usize> {
        state.members.iter().position(|local| local.me() == member)
    }

    /// All that are stuck repeat what they said, and everything arrives; nothing if it made no difference.
    fn repeat_all(&self, state: &State) -> Option<State> {
        let mut next = state.clone();
        for at in 0..next.members.len() {
            if next.members[at].is_busy() {
                self.happen(&mut next, at, &Event::Repeat);
            }
        }
        while let Some(packet) = next.flying.pop_first() {
            if let Some(at) = Cluster::position(&next, packet.to) {
                self.happen(&mut next, at, &Event::Hear(packet));
            }
        }
        (next != *state).then_some(next)
    }

    fn may_time_out(&self, member: &Local) -> bool {
        member.may_time_out() && member.view() <= self.views
    }

    fn is_quiet(&self, state: &State) -> bool {
        state.flying.is_empty() && !(state.members.iter()).any(|member| self.may_time_out(member))
    }

    /// Whether somebody waits for ever: nothing is under way, no time-out is left, and repeating all does not help.
    /// Who is behind others could still catch up with them (R12), which is not part of the model.
    fn is_stuck(&self, state: &State) -> bool {
        let height = state.members[0].height();
        let level = (state.members.iter()).all(|member| member.height() == height);
        let waits = |member: &Arc<Local>| member.is_busy() && member.view() <= self.views;
        level
            && self.is_quiet(state)
            && state.members.iter().any(waits)
            && self.repeat_all(state).is_none()
    }

    /// Whatever the liar may tell a member. It needs no certificates: the votes in them can be told one by one.
    fn lies(&self, state: &State, to: &Local) -> Vec<Packet> {
        let known: BTreeSet<BlockId> = (state.members.iter())
            .flat_map(|member| member.blocks())
            .collect();
        let mut lies = Vec::new();
        let mut tell = |message: Message| {
            lies.extend(Packet::new(to.me(), self.liar, Arc::new(message)));
        };
        for view in (1..=self.views).filter(|view| !to.has_settled(*view)) {
            let of_view = known.iter().filter(|block| block.view == view);
            let votes = of_view
                .flat_map(|block| {
                    [
                        Vote::Notarize(*block),
                        Vote::Support(*block),
                        Vote::Finalize(*block),
                    ]
                })
                .chain([Vote::Nullify(view), Vote::Abandon(view)]);
            for vote in votes {
                tell(Message::Vote(self.sign(vote)));
            }
            if self.epoch.leader(view) != self.liar {
                continue;
            }
            let parents = known.iter().filter(|block| block.view < view).copied();
            for parent in parents.chain([BlockId::start(&self.epoch)]) {
                for text in ["a", "b"] {
                    let command = Command {
                        expires: 200,
                        payload: text.into(),
                    };
                    let block = SoundBlock::build(&self.epoch, view, parent, vec![command]);
                    tell(Message::Proposal(Proposal {
                        block: block.block().clone(),
                        signature: self.sign(Vote::Notarize(block.id())).signature,
                        justification: Vec::new(),
                    }));
                }
            }
        }
        lies
    }

    fn sign(&self, vote: Vote) -> SignedVote {
        SignedVote::new(vote, &self.epoch, &Name(self.liar))
    }
}

impl Model for Cluster {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut flying = Vec::new();
        let members = (0..4)
            .filter(|member| *member != self.liar)
            .map(|member| Arc::new(Local::start(member, &self.epoch, self.liar, &mut flying)))
            .collect();
        // Everybody has the command already.
        flying.retain(|packet| packet.view().is_some());
        vec![State {
            members,
            flying: flying.into_iter().map(Arc::new).collect(),
            lies: self.lies,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for packet in &state.flying {
            if let Some(at) = Cluster::position(state, packet.to) {
                actions.push(Action::One(at, Event::Hear(packet.clone())));
            }
        }
        for (at, member) in state.members.iter().enumerate() {
            if self.may_time_out(member) {
                actions.push(Action::One(at, Event::TimeOut));
            }
            if member.may_be_late() && member.view() <= self.views {
                actions.push(Action::One(at, Event::Late));
            }
            if state.lies > 0 {
                let lies = self.lies(state, member).into_iter();
                actions.extend(lies.map(|lie| Action::Lie(at, Arc::new(lie))));
            }
        }
        if self.is_quiet(state) {
            actions.push(Action::RepeatAll);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::One(at, event) => {
                if let Event::Hear(packet) = &event {
                    next.flying.remove(packet);
                }
                self.happen(&mut next, at, &event);
            }
            Action::Lie(at, packet) => {
                next.lies -= 1;
                if !self.happen(&mut next, at, &Event::Hear(packet)) {
                    return None;
                }
            }
            Action::RepeatAll => return self.repeat_all(state),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Cluster>> {
        vec![
            Property::always(Cluster::PROMISES[0], |_, state: &State| {
                let heights = state.members.iter().map(|member| member.height()).max();
                (1..=heights.unwrap_or(0)).all(|height| {
                    let executed: BTreeSet<BlockId> = (state.members.iter())
                        .filter_map(|member| member.executed(height))
                        .collect();
                    executed.len() <= 1
                })
            }),
            Property::always(Cluster::PROMISES[1], |_, state: &State| {
                (state.members.iter()).all(|member| {
                    let words = member.words();
                    let once: BTreeSet<u8> = words.iter().copied().collect();
                    once.len() == words.len() && once.iter().all(|word| b"xab".contains(word))
                })
            }),
            Property::always(Cluster::PROMISES[2], |_, state: &State| {
                state.members.iter().all(|member| member.broken.is_none())
            }),
            Property::always(Cluster::PROMISES[3], |cluster, state| {
                !cluster.is_stuck(state)
            }),
            Property::sometimes("everybody commits", |_, state: &State| {
                state.members.iter().all(|member| member.height() > 0)
            }),
            Property::sometimes("a later view commits", |_, state: &State| {
                let late =
                    |member: &Arc<Local>| member.executed(1).is_some_and(|block| block.view > 1);
                state.members.iter().any(late)
            }),
            Property::sometimes("a liar is proved to be one", |_, state: &State| {
                state.members.iter().any(|member| member.accuses)
            }),
        ]
    }
}
