//! Equivocating sources: a second peer with the same key tells half of the others another story.

use super::{Behaviour, Place};
use bytes::Bytes;
use hamlet_overlay::{
    io::{Input, Output},
    peer::Peer,
    time::Time,
    view::Change,
};

/// How many percent of the others hear the other story.
const OTHERS_PERCENT: u8 = 50;

/// A source that says of each segment one thing to some, and another to the others.
///
/// Its twin lives through everything that the real peer lives through, so that each story is whole in itself.
pub struct Equivocate {
    twin: Peer,
    from: Time,
    /// When the twin wants to be woken.
    wake: Time,
}

impl Equivocate {
    /// A source with this twin that equivocates from a moment on; before that both tell the same.
    pub fn new(twin: Peer, from: Time) -> Equivocate {
        Equivocate {
            twin,
            from,
            wake: Time::NEVER,
        }
    }

    /// What the twin wants sent, to those who believe it.
    fn speak(&mut self, at: &Place, outputs: &mut Vec<Output>) {
        while let Some(output) = self.twin.poll() {
            match output {
                Output::Send { .. } => outputs.extend(only(at, output, true)),
                Output::WakeAt(time) => self.wake = time,
                // Links are those of the real peer, and what the twin sees it has made itself.
                _ => {}
            }
        }
    }
}

/// The other story of a segment.
pub fn contradiction(payload: &Bytes) -> Bytes {
    let mut other = payload.to_vec();
    if let Some(first) = other.first_mut() {
        *first ^= 1;
    }
    other.into()
}

/// What goes to those who hear the other story, or to those who do not.
fn only(at: &Place, mut output: Output, others: bool) -> Option<Output> {
    if let Output::Send { to, .. } = &mut output {
        to.retain(|&peer| at.mind.is_victim(peer, OTHERS_PERCENT) == others);
        if to.is_empty() {
            return None;
        }
    }
    Some(output)
}

impl Behaviour for Equivocate {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        if matches!(input, Input::Wake) {
            self.wake = Time::NEVER;
        }
        let mut other = input.clone();
        if let Input::Publish(cut) = &mut other
            && at.now >= self.from
        {
            cut.payload = contradiction(&cut.payload);
        }
        self.twin.handle(at.now, other);
        self.speak(at, outputs);
        Some(input)
    }

    fn output(&mut self, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        outputs.extend(only(at, output, false));
    }

    fn begin_epoch(&mut self, at: &Place, next: &Change, outputs: &mut Vec<Output>) {
        self.twin.begin_epoch(at.now, next.clone());
        self.speak(at, outputs);
    }

    fn wake(&self) -> Time {
        self.wake
    }
}
