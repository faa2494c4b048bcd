//! How Byzantine peers behave: values that stand between a real peer and the world.
//!
//! A Byzantine peer runs the same [`Peer`](hamlet_overlay::peer::Peer) as an honest one, with its own key
//! only. Its behaviour sees every input before the peer does and every output before the world does, and may
//! change, drop or add any. Behaviours compose by [`Chain`].

mod beg;
mod conduct;
mod equivocate;
mod flood;
mod heard;
mod late;
mod mind;
mod mute;
mod pollute;
mod replay;
mod satiate;
mod schedule;
mod slander;
#[cfg(test)]
mod tests;
mod withhold;

pub use beg::Beg;
pub use conduct::{Conduct, Kind, ParseConductError};
pub use equivocate::{Equivocate, contradiction};
pub use flood::Flood;
pub use late::Late;
pub use mind::Mind;
pub use mute::Mute;
pub use pollute::Pollute;
pub use replay::Replay;
pub use satiate::Satiate;
pub use schedule::{Rhythm, Schedule, Scheduled};
pub use slander::Slander;
pub use withhold::Withhold;

use hamlet_overlay::{
    identity::PeerId,
    io::{Class, Input, Output},
    time::Time,
    view::{Change, View},
};
use heard::Heard;

/// What a behaviour knows of its place.
pub struct Place<'a> {
    /// The time.
    pub now: Time,
    /// The Byzantine peer itself.
    pub me: PeerId,
    /// What its peer knows of the network.
    pub view: &'a View,
    /// What it knows together with the other adversaries.
    pub mind: &'a Mind,
}

/// What a Byzantine peer does differently. What is not overridden it does as an honest peer.
pub trait Behaviour: Send {
    /// Sees an input; returns what the real peer gets to see of it. What it adds to `outputs` goes out.
    fn input(&mut self, _at: &Place, input: Input, _outputs: &mut Vec<Output>) -> Option<Input> {
        Some(input)
    }

    /// Sees an output of the real peer, and puts into `outputs` what goes out in its stead.
    fn output(&mut self, _at: &Place, output: Output, outputs: &mut Vec<Output>) {
        outputs.push(output);
    }

    /// Sees that the next epoch of the neighbourhood begins. What it adds to `outputs` goes out.
    fn begin_epoch(&mut self, _at: &Place, _next: &Change, _outputs: &mut Vec<Output>) {}

    /// When it wants to see [`Input::Wake`] at the latest.
    fn wake(&self) -> Time {
        Time::NEVER
    }
}

/// Several behaviours at once: the first stands next to the real peer, the last next to the world.
pub struct Chain(pub Vec<Box<dyn Behaviour>>);

impl Behaviour for Chain {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        let mut input = Some(input);
        for place in (0..self.0.len()).rev() {
            let mut added = Vec::new();
            input = self.0[place].input(at, input?, &mut added);
            for output in added {
                self.outward(place + 1, at, output, outputs);
            }
        }
        input
    }

    fn output(&mut self, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        self.outward(0, at, output, outputs);
    }

    fn wake(&self) -> Time {
        let wakes = self.0.iter().map(|behaviour| behaviour.wake());
        wakes.min().unwrap_or(Time::NEVER)
    }
}

impl Chain {
    /// Takes an output past the behaviours from `place` on.
    fn outward(&mut self, place: usize, at: &Place, output: Output, outputs: &mut Vec<Output>) {
        let mut passing = vec![output];
        for behaviour in &mut self.0[place..] {
            let mut next = Vec::new();
            for output in passing {
                behaviour.output(at, output, &mut next);
            }
            passing = next;
        }
        outputs.append(&mut passing);
    }
}

/// Whether a message of this class gives the receiver a part of a stream.
fn gives(class: Class) -> bool {
    match class {
        Class::Digest | Class::Live | Class::Pull | Class::Backlog => true,
        Class::Control | Class::Notice => false,
    }
}
