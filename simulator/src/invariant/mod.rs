//! What must hold at every step of every world: values that one lists.

mod bounds;
mod certificate;
mod duty;
mod ending;
mod order;
mod origin;
#[cfg(test)]
mod tests;

use crate::scene::Scene;
use hamlet_overlay::{
    identity::PeerId,
    io::{Class, Segment},
    peer::Sizes,
    time::Time,
    view::StreamNumber,
    wire::Frame,
};
use std::fmt;

/// Something that an honest peer did, or that came to it.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// It sent a frame.
    Sent {
        /// To whom.
        to: &'a [PeerId],
        /// What.
        frame: &'a Frame,
        /// What for.
        class: Class,
    },
    /// A frame came to it.
    Received {
        /// From whom, by index.
        from: usize,
        /// What.
        frame: &'a Frame,
        /// What for.
        class: Class,
    },
    /// It handed out a segment to be played.
    Delivered(&'a Segment),
    /// It ended a stream for good, since its source is proved to have misbehaved.
    Stopped(StreamNumber),
    /// It took an input and holds so much now.
    Holds(Sizes),
}

/// A kind of [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A frame went out.
    Sent,
    /// A frame came.
    Received,
    /// A segment was handed out.
    Delivered,
    /// A stream was ended.
    Stopped,
    /// An input was taken.
    Holds,
}

impl Step<'_> {
    /// What kind of step it is.
    pub fn kind(&self) -> Kind {
        match self {
            Step::Sent { .. } => Kind::Sent,
            Step::Received { .. } => Kind::Received,
            Step::Delivered(_) => Kind::Delivered,
            Step::Stopped(_) => Kind::Stopped,
            Step::Holds(_) => Kind::Holds,
        }
    }
}

/// A rule that no honest peer may ever break.
pub trait Invariant: Send {
    /// The rule, in a few words.
    fn name(&self) -> &'static str;

    /// The kinds of steps that it looks at; it is shown no others.
    fn looks_at(&self) -> &'static [Kind];

    /// Checks a step that the honest peer with index `peer` made now; an error says what is wrong.
    fn check(&mut self, scene: &Scene, now: Time, peer: usize, step: Step) -> Result<(), String>;

    /// The peer has started again and knows nothing of what it did before.
    fn restarted(&mut self, _peer: usize, _now: Time) {}
}

/// Rules, each with the kinds of steps that it looks at: one bit a kind.
pub struct Rules(Vec<(u8, Box<dyn Invariant>)>);

impl Rules {
    /// All rules, for a world of this many peers in places that stay theirs.
    pub fn all(peers: usize) -> Rules {
        let mut rules = Rules::of_streams();
        rules
            .0
            .push(Rules::entry(Box::new(duty::OwedOnly::new(peers))));
        rules
    }

    /// The rules for streams, whoever is in which cluster.
    pub fn of_streams() -> Rules {
        let rules: [Box<dyn Invariant>; 5] = [
            Box::new(origin::SignedContent),
            Box::new(ending::NothingAfterwards::default()),
            Box::new(certificate::WithinRate::default()),
            Box::new(order::InOrderOnce::default()),
            Box::new(bounds::WithinBounds),
        ];
        Rules(rules.map(Rules::entry).into())
    }

    fn entry(rule: Box<dyn Invariant>) -> (u8, Box<dyn Invariant>) {
        let kinds = rule.looks_at().iter();
        (kinds.fold(0, |kinds, &kind| kinds | 1 << kind as u8), rule)
    }

    /// Those that look at steps of a kind.
    pub fn of(&mut self, kind: Kind) -> impl Iterator<Item = &mut Box<dyn Invariant>> {
        let looking = move |(kinds, rule)| (kinds & 1 << kind as u8 != 0).then_some(rule);
        self.0
            .iter_mut()
            .map(|(kinds, rule)| (*kinds, rule))
            .filter_map(looking)
    }

    /// The peer has started again and knows nothing of what it did before.
    pub fn restarted(&mut self, peer: usize, now: Time) {
        self.0
            .iter_mut()
            .for_each(|(_, rule)| rule.restarted(peer, now));
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The seed of the world.
    pub seed: u64,
    /// When.
    pub time: Time,
    /// By whom.
    pub peer: PeerId,
    /// Which rule.
    pub invariant: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            seed,
            time,
            peer,
            invariant,
            detail,
        } = self;
        let seconds = time.as_micros() as f64 / 1e6;
        write!(
            f,
            "seed {seed}, at {seconds:.6} s, peer {peer}: broke `{invariant}`: {detail}"
        )
    }
}
